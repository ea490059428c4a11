// Shows the answer to one picture: its codes, the places that were only seen, and how it was read.

import { $, counted, make } from "../elements.js";
import { codeCard, restoreButton } from "./cards.js";
import { asStored } from "./orientation.js";
import { lightWith, outline } from "./outlines.js";
import { restore } from "./restored.js";
import { duration, showTrace, totalSeconds } from "./trace.js";
import { explained, mark, unfinished } from "./unread.js";

const PANELS = ["no-codes", "unread", "unfinished", "legend"];

export function clearAnswer() {
  for (const id of ["codes", "outlines", "badges", "places"]) $(id).replaceChildren();
  for (const id of PANELS) $(id).hidden = true;
}

// The file of a picture that its answer is about: of several frames the one that shows the first code.
export const frameOf = ({ answer }) => (answer?.codes[0] ?? answer?.unread[0])?.frame ?? 0;

// One sentence on an answer, for the status.
export function summary({ codes, unread, complete, truncated, ...answer }) {
  const time = duration(totalSeconds(answer));
  let text = codes.length ? `${counted(codes.length, "code")} read in ${time}.` : "No readable code.";
  if (unread.length) text += ` ${counted(unread.length, "code")} seen but not read.`;
  if (!complete) text += " The budget ended first.";
  if (truncated) text += " There are more codes than one answer can hold.";
  return text;
}

export async function showAnswer(picture) {
  const { answer, effort } = picture;
  const { codes, unread } = answer;
  const hasChoice = codes.length + unread.length > 1;
  // Only the first page of a file is restored.
  const choice = (name, item) => (hasChoice && !item.page ? () => restore(picture, { name, item }) : null);
  const places = unread.map((place, index) => placeLine(place, mark(index, unread.length), index, choice));
  const context = { many: codes.length > 1, frames: picture.files.length, pages: answer.page_count };
  const cards = codes.map(
    (code, index) => codeCard(code, index, { ...context, restore: choice(`code ${index + 1}`, code) }));
  $("codes").replaceChildren(...cards);
  $("places").replaceChildren(...places);
  $("unread").hidden = !unread.length;
  $("unread-title").textContent = `${counted(unread.length, "code")} seen but not read`;
  $("no-codes").hidden = codes.length > 0;
  $("no-codes-hint").hidden = unread.length > 0;
  const note = unfinished(answer, effort);
  $("unfinished").hidden = !note;
  $("unfinished-note").textContent = note;
  showTrace(answer);
  await showOutlines(picture);
}

// Lists a place that was only seen, with the reason and what helps.
function placeLine(place, sign, index, choice) {
  const [reason, advice] = explained(place);
  const line = make("li", {}, make("span", { class: "badge missed" }, sign),
    make("p", {}, `${reason} `, make("span", { class: "hint" }, advice)));
  const start = choice(`place ${sign}`, place);
  if (start) line.append(restoreButton(`place ${sign}`, start));
  lightWith(line, "unread", index);
  return line;
}

async function showOutlines(picture) {
  const { answer } = picture;
  const frame = frameOf(picture);
  const { turn, size } = await asStored(picture, frame);
  if (picture.answer !== answer || !picture.isShown) return;
  outline(answer, turn, { frame, size });
  if (picture.isFused) $("original-note").textContent = `Picture ${frame + 1} of ${picture.files.length}`;
}
