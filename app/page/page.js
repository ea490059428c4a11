// Payloads are untrusted: they become text nodes only, never markup and never links.

import { $, counted, draw, make } from "./elements.js";
import { orientationOf } from "./orientation.js";
import { lightWith, outline } from "./outlines.js";
import { bytesOf, destination, hexadecimal, spelled } from "./payload.js";
import { explained, mark, unfinished } from "./unread.js";

const STAGES = {
  imaging: "file decoded",
  direct: "untouched picture",
  variants: "other sizes and contrasts",
  locate: "codes located",
  rectified: "straightened crop",
  modules: "network reads every module",
  soft: "soft error correction",
  flattened: "bends and blur corrected",
  light: "restored by the light network",
  heavy: "restored by the heavy network",
  upscale: "enlarged by a network",
  micro: "Micro QR codes read module by module",
  fused: "several frames combined",
  colours: "colours and transparency",
  others: "codes of other kinds",
};

const ADVICE = {
  401: "This service requires an API key.",
  413: "Send a smaller file: crop the picture to the code, or save it as JPEG.",
  415: "Save the picture as PNG or JPEG and try again.",
  429: "The service is busy.",
  503: "The service is busy, starting or stopping. Try again in a moment.",
  504: "Try less effort, or crop the picture to the code.",
};

let picture = null; // the File or Blob on show
let pictureUrl = "";
let restoredUrl = "";
let orientation = Promise.resolve(1); // EXIF orientation of `picture`
let apiKey = "";
let decoded = []; // codes of the last answer to /decode
let running = new AbortController();

/* ---- small helpers ---- */

function duration(seconds) {
  if (seconds >= 1) return `${seconds.toFixed(2)} s`;
  return seconds >= 0.001 ? `${Math.round(seconds * 1000)} ms` : "< 1 ms";
}

function say(text, { working = false } = {}) {
  $("status").textContent = text;
  $("status-row").classList.toggle("working", working);
  $("cancel").hidden = !working;
}

/* ---- payloads ---- */

const written = (text) => spelled(text).map(
  (part) => (typeof part === "string" ? part : make("span", { class: "unseen" }, part.unseen)));

async function copy(text, button) {
  const exactly = (event) => {
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
  };
  let copied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no permission, or the page was not loaded over https
    document.addEventListener("copy", exactly);
    copied = document.execCommand("copy");
    document.removeEventListener("copy", exactly);
  }
  button.textContent = copied ? "Copied" : "Not copied";
  say(copied ? "Copied to the clipboard." : "The browser refused to copy.");
  setTimeout(() => { button.textContent = button.dataset.label; }, 1500);
}

function codeCard(code, index, many) {
  const bytes = bytesOf(code.bytes_base64);
  const binary = code.content_type === "Binary";
  const link = binary ? null : destination(code.text);
  const payload = make("pre", { class: binary ? "payload bytes" : "payload", dir: binary || link ? "ltr" : "auto" });
  payload.append(...(binary ? [hexadecimal(bytes)] : written(code.text)));

  const facts = make("dl", {});
  const fact = (name, ...value) => facts.append(make("div", {}, make("dt", {}, name), make("dd", {}, ...value)));
  if (link) {
    fact(link.label, make("strong", { class: "host" }, link.value));
    for (const warning of link.warnings) facts.lastChild.lastChild.append(make("span", { class: "warning" }, warning));
  }
  if (binary) fact("Content", `${counted(bytes.length, "byte")}, not text`);
  fact("Symbol", [code.symbology, code.version && `version ${code.version}`, code.ec_level && `level ${code.ec_level}`]
    .filter(Boolean).join(", "));
  fact("Rung", make("code", {}, code.rung), code.rung in STAGES ? `: ${STAGES[code.rung]}` : "");
  fact("Engine", make("code", {}, code.engine));

  const label = binary ? "Copy as base64" : "Copy text";
  const button = make("button", { class: "button small", type: "button", "data-label": label }, label);
  if (many) button.setAttribute("aria-label", `${label} of code ${index + 1}`);
  button.addEventListener("click", () => copy(binary ? code.bytes_base64 : code.text, button));

  const card = make("li", { class: "code" }, make("div", { class: "says" }, payload, button), facts);
  if (many) card.firstChild.prepend(make("span", { class: "badge" }, String(index + 1)));
  lightWith(card, "code", index);
  return card;
}

/* ---- answers ---- */

// Lists the codes that were only seen, and offers a longer look where it may help.
function showUnread(answer, effort) {
  const { unread } = answer;
  $("unread").hidden = !unread.length;
  $("unread-title").textContent = `${counted(unread.length, "code")} seen but not read`;
  $("places").replaceChildren(...unread.map((place, index) => {
    const [reason, advice] = explained(place);
    const line = make("li", {}, make("span", { class: "badge missed" }, mark(index, unread.length)),
      make("p", {}, `${reason} `, make("span", { class: "hint" }, advice)));
    lightWith(line, "unread", index);
    return line;
  }));
  const note = unfinished(answer, effort);
  $("unfinished").hidden = !note;
  $("unfinished-note").textContent = note;
}

function showCodes(answer) {
  decoded = answer.codes;
  $("codes").replaceChildren(...decoded.map((code, index) => codeCard(code, index, decoded.length > 1)));
  $("no-codes").hidden = decoded.length > 0;
  $("no-codes-hint").hidden = answer.unread.length > 0;
  $("how-title").textContent = decoded.length ? "How it was read" : "What was tried";
  const total = answer.trace.reduce((sum, stage) => sum + stage.seconds, 0);
  const longest = Math.max(...answer.trace.map((stage) => stage.seconds), 1e-9);
  $("trace").replaceChildren(...answer.trace.map((stage) => {
    const bar = draw("svg", { viewBox: "0 0 100 1", preserveAspectRatio: "none", class: "bar", "aria-hidden": "true" });
    bar.append(draw("rect", { width: Math.max(0.5, 100 * stage.seconds / longest), height: 1 }));
    const cells = [STAGES[stage.stage] ?? "", bar, duration(stage.seconds), stage.codes ? String(stage.codes) : "–"];
    const row = make("tr", {}, make("th", { scope: "row" }, make("code", {}, stage.stage)));
    row.append(...cells.map((cell) => make("td", {}, cell)));
    row.classList.toggle("read", stage.codes > 0);
    return row;
  }));
  $("total").textContent = duration(total);
  const { route } = answer;
  $("route").textContent = route
    ? `Sharpness ${route.laplacian_variance}, threshold ${route.threshold}: ${route.network} was tried first.` : "";
  let summary = decoded.length ? `${counted(decoded.length, "code")} read in ${duration(total)}.` : "No readable code.";
  if (answer.unread.length) summary += ` ${counted(answer.unread.length, "code")} seen but not read.`;
  if (!answer.complete) summary += " The budget ended first.";
  if (answer.truncated) summary += " There are more codes than one answer can hold.";
  say(summary);
}

function showRestored(answer) {
  if (!answer.located) {
    clearRestored("No code was located, so there is nothing to restore.");
    return;
  }
  restoredUrl = URL.createObjectURL(new Blob([bytesOf(answer.png_base64)], { type: "image/png" }));
  const same = answer.codes.map((code) => decoded.findIndex((one) => one.bytes_base64 === code.bytes_base64));
  const which = decoded.length > 1 && same[0] >= 0 ? `Code ${same[0] + 1}, ` : "";
  const how = answer.network === "modules" ? "redrawn from its modules" : `by ${answer.network}`;
  const by = answer.network ? which + how : "found nothing to restore";
  $("restored").src = $("save").href = restoredUrl;
  $("restored").alt = answer.codes.length ? "The restored code" : "The picture after restoration";
  $("restored").hidden = $("save").hidden = false;
  $("restored-by").textContent = by[0].toUpperCase() + by.slice(1);
  $("restored-note").textContent = answer.codes.length ? "" : "This result does not decode.";
}

class Refused extends Error {
  constructor(response, problem) {
    super(problem.detail || `The service answered ${response.status}.`);
    this.status = response.status;
    this.problem = problem;
    this.seconds = Number.parseInt(response.headers.get("Retry-After"), 10);
  }
}

// An error as [title, ...sentences].
function words(error) {
  if (error instanceof SyntaxError) return ["Unexpected answer", "The answer did not come from qrestore."];
  if (!(error instanceof Refused)) {
    return ["Not sent", "The service cannot be reached, or the file is unreadable or far too large."];
  }
  const { problem, status, seconds } = error;
  const sentences = [error.message, ...(problem.errors ?? []).map((field) => `${field.location}: ${field.message}.`)];
  const wait = seconds > 0 ? `Try again in ${counted(seconds, "second")}.` : "";
  if (status === 401 && apiKey) sentences.push("This key was not accepted.");
  else if (status in ADVICE) sentences.push(ADVICE[status]);
  if (wait) sentences.push(wait);
  return [problem.title || "Refused", ...new Set(sentences)];
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

/* ---- requests ---- */

async function answered(path, options) {
  const headers = { Accept: "application/json" };
  if (apiKey) headers["X-API-Key"] = apiKey;
  const response = await fetch(path, { ...options, headers, cache: "no-store", redirect: "error" });
  if (response.ok) return response.json();
  const isProblem = (response.headers.get("Content-Type") ?? "").startsWith("application/problem+json");
  throw new Refused(response, isProblem ? await response.json() : {});
}

async function post(path, signal) {
  const body = new FormData();
  body.append("file", picture, "picture"); // the service does not need its name
  try {
    return await answered(path, { method: "POST", body, signal });
  } catch (error) {
    // A service may close the connection on an upload that it refuses, which loses its reason: ask without an upload.
    if (error instanceof TypeError && !signal.aborted) await answered("models", { signal });
    throw error;
  }
}

function clearRestored(note) {
  URL.revokeObjectURL(restoredUrl);
  for (const id of ["restored", "save", "restore-again"]) $(id).hidden = true;
  $("restored-by").textContent = "";
  $("restored-note").textContent = note;
}

async function restore(signal) {
  clearRestored("Restoring…");
  try {
    const answer = await post("restore", signal);
    if (!signal.aborted) showRestored(answer);
  } catch (error) {
    if (signal.aborted) return;
    $("restored-note").textContent = words(error).slice(1).join(" ");
    $("restore-again").hidden = false;
  }
}

async function read() {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  for (const id of ["codes", "outlines", "badges", "places", "problem"]) $(id).replaceChildren();
  clearRestored("");
  for (const id of ["key-form", "no-codes", "unread", "unfinished", "legend"]) $(id).hidden = true;
  $("result").hidden = false;
  $("result").className = "result working";
  say("Reading the picture…", { working: true });
  try {
    const effort = document.querySelector("input[name=effort]:checked").value;
    const [answer, turn] = await Promise.all([post(`decode?effort=${effort}`, signal), orientation]);
    if (signal.aborted) return;
    showCodes(answer);
    showUnread(answer, effort);
    outline(answer, turn);
  } catch (error) {
    if (signal.aborted) return;
    say("");
    $("result").className = "result";
    showProblem(error);
    return;
  }
  $("result").className = "result answered";
  await restore(signal);
}

function take(files) {
  const pictures = [...files];
  if (!pictures.length) return;
  URL.revokeObjectURL(pictureUrl);
  [picture] = pictures;
  pictureUrl = URL.createObjectURL(picture);
  orientation = orientationOf(picture).catch(() => 1); // an unreadable file fails again when it is sent
  $("stage").className = "stage";
  $("photo").src = pictureUrl;
  $("original-note").textContent = "";
  $("intake").classList.add("compact");
  $("again").hidden = false;
  read();
  if (pictures.length > 1) $("original-note").textContent = "Only the first of the files is read";
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
  if (!event.target.closest("label, input")) $("file").click();
});
$("again").addEventListener("click", read);
$("look-longer").addEventListener("click", () => {
  document.querySelector("input[name=effort][value=thorough]").checked = true;
  $("again").focus(); // this button is about to hide
  read();
});
$("restore-again").addEventListener("click", () => restore(running.signal));
$("cancel").addEventListener("click", () => {
  running.abort();
  $("result").className = "result";
  say("Cancelled.");
  $("again").focus();
});
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  apiKey = $("key").value.trim();
  if (/^[\x21-\x7e]+$/.test(apiKey)) read();
  else say("A key has letters, digits and punctuation only, no spaces.");
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
