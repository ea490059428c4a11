// Takes pictures, has them read, and shows the answer to one of them.

import { clearAnswer, frameOf, showAnswer, summary } from "./answer/answer.js";
import { clearRestored, restore, showRestored } from "./answer/restored.js";
import { $, make, say, written } from "./elements.js";
import { Camera, hasCamera } from "./pictures/camera.js";
import { List, summaryOf } from "./pictures/list.js";
import { Picture, Queue } from "./pictures/queue.js";
import { useKey, words } from "./pictures/requests.js";

let shown = null; // the Picture on show
let onStage = null; // its file whose pixels are on show
let stageUrl = "";
let batch = []; // the pictures that the status speaks of

const list = new List({ select: show, fuse, clear });
const queue = new Queue(changed);
const camera = new Camera({ found, ended });

const chosenEffort = () => document.querySelector("input[name=effort]:checked").value;

/* ---- what is shown ---- */

function show(picture) {
  if (shown) shown.isShown = false;
  shown = picture;
  picture.isShown = true;
  list.mark(picture);
  showState();
}

// Shows the picture on show in its state.
function showState() {
  const { state, error } = shown;
  clearAnswer();
  clearRestored();
  $("problem").replaceChildren();
  $("key-form").hidden = true;
  stage(shown.files[frameOf(shown)]);
  $("result").hidden = false;
  $("result").className = `result ${{ read: "answered", waiting: "working", reading: "working" }[state] ?? ""}`;
  if (state === "failed") showProblem(error);
  if (state !== "read") return;
  showAnswer(shown);
  if (shown.restored) showRestored(shown);
  else restore(shown);
}

// Puts a file on the stage, if it is not there.
function stage(file) {
  $("stage").className = "stage";
  $("original-note").textContent = "";
  if (file === onStage) return;
  onStage = file;
  URL.revokeObjectURL(stageUrl);
  stageUrl = URL.createObjectURL(file);
  $("photo").src = stageUrl;
}

function showProblem(error) {
  const [title, ...sentences] = words(error);
  const note = make("div", { class: "note bad" }, make("strong", {}, title));
  note.append(...sentences.map((sentence) => make("p", {}, ...written(sentence))));
  if (error.problem?.request_id) note.append(make("p", { class: "hint" }, `Request ${error.problem.request_id}`));
  $("problem").replaceChildren(note);
  const unauthorised = error.status === 401;
  $("key-form").hidden = !unauthorised;
  if (unauthorised) $("key").focus();
}

function changed(picture) {
  list.update(picture);
  if (picture === shown) showState();
  report();
}

// Says how far the work is, and when it is done, what came of it.
function report() {
  const done = batch.filter((picture) => !picture.isPending);
  if (queue.isLocked) say("");
  else if (done.length < batch.length) {
    const text = batch.length > 1 ? `Reading: ${done.length} of ${batch.length} done…` : "Reading the picture…";
    say(text, { working: true });
  } else if (batch.length > 1) say(summaryOf(batch));
  else if (batch.length) say(outcomeOf(batch[0]));
}

function outcomeOf({ state, answer }) {
  if (state === "read") return summary(answer);
  return state === "cancelled" ? "Cancelled." : "";
}

/* ---- what is done ---- */

const isBusy = () => batch.some((picture) => picture.isPending);

function read(pictures) {
  batch = isBusy() ? [...new Set([...batch, ...pictures])] : pictures;
  for (const picture of pictures) queue.add(picture, chosenEffort());
}

function take(files) {
  camera.drop();
  $("live-card").hidden = true;
  const pictures = [...files].map((file) => new Picture(file.name || "pasted picture", [file]));
  for (const picture of pictures) picture.isOneOfMany = pictures.length > 1;
  if (!pictures.length) return;
  enter(pictures);
  read(pictures);
}

// Lists pictures and shows the first of them.
function enter(pictures) {
  list.add(pictures);
  $("intake").classList.add("compact");
  $("again").hidden = false;
  show(pictures[0]);
}

function fuse(pictures) {
  const fused = new Picture(pictures.map(({ name }) => name).join(" + "), pictures.flatMap(({ files }) => files));
  enter([fused]);
  read([fused]);
}

function clear() {
  for (const picture of list.pictures) queue.cancel(picture);
  list.clear();
  batch = [];
  [shown, onStage] = [null, null];
  clearAnswer();
  clearRestored();
  $("problem").replaceChildren();
  for (const id of ["result", "again", "key-form"]) $(id).hidden = true;
  $("intake").classList.remove("compact");
  say("The list is empty.");
  $("file").focus();
}

/* ---- the camera ---- */

function watch() {
  $("live-card").hidden = false;
  $("problem").replaceChildren();
  say("Looking for a code. Hold the camera still.", { working: true });
  camera.start();
  $("cancel").focus();
}

function found(frames, answer) {
  $("live-card").hidden = true;
  const picture = new Picture(`camera, ${new Date().toLocaleTimeString()}`, frames);
  Object.assign(picture, { state: "read", answer, effort: frames.length > 1 ? "balanced" : "fast" });
  batch = [picture];
  enter([picture]);
  report();
  $("watch").focus();
}

function ended(reason) {
  $("live-card").hidden = true;
  const texts = {
    stopped: "The camera is off.",
    refused: "The browser gives no access to the camera.",
    nothing: "No code was read. Go closer, hold the camera still, and see that the light is even.",
  };
  say(texts[reason] ?? "");
  if (!(reason in texts)) showProblem(reason);
  else $("watch").focus();
}

/* ---- input ---- */

$("photo").addEventListener("load", () => {
  const { naturalWidth, naturalHeight } = $("photo");
  if (!$("stage").classList.contains("stored")) $("stage").style.setProperty("--ratio", naturalWidth / naturalHeight);
});
$("photo").addEventListener("error", () => $("stage").classList.add("unshown"));

for (const id of ["file", "camera"]) {
  $(id).addEventListener("change", () => {
    take($(id).files);
    $(id).value = ""; // so that the same file can be chosen again
  });
}
$("drop").addEventListener("click", (event) => {
  if (!event.target.closest("label, input, button")) $("file").click();
});
$("watch").addEventListener("click", watch);
$("again").addEventListener("click", () => read([shown]));
$("look-longer").addEventListener("click", () => {
  document.querySelector("input[name=effort][value=thorough]").checked = true;
  $("again").focus(); // this button is about to hide
  read([shown]);
});
$("restore-again").addEventListener("click", () => restore(shown, shown.place));
$("cancel").addEventListener("click", () => {
  if (camera.isRunning) {
    camera.stop();
    return;
  }
  for (const picture of batch) queue.cancel(picture);
  $("again").focus();
});
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const key = $("key").value.trim();
  if (!/^[\x21-\x7e]+$/.test(key)) {
    say("A key has letters, digits and punctuation only, no spaces.");
    return;
  }
  useKey(key);
  $("key-form").hidden = true;
  $("problem").replaceChildren();
  const refused = list.pictures.filter(({ error }) => error?.status === 401);
  batch = [...new Set([...batch, ...refused])];
  queue.unlock(refused);
  if (!refused.length) say("The next request uses this key.");
});

document.addEventListener("paste", (event) => {
  if (!event.clipboardData.files.length) return;
  event.preventDefault();
  take(event.clipboardData.files);
});
for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) $("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  if (event.dataTransfer.files.length) take(event.dataTransfer.files);
  else say("Only files can be dropped here.");
});

hasCamera().then((has) => { $("watch").hidden = !has; });
