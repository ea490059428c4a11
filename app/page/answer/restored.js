// Shows the restored code of a picture: the one that the service chooses, or the one that was chosen here.

import { $, written } from "../elements.js";
import { post, words } from "../pictures/requests.js";
import { asStored } from "./orientation.js";
import { bytesOf } from "./payload.js";

const MARGIN = 0.2; // of the code's longer side, for the quiet zone: four modules of 21

let url = "";
let running = new AbortController();

// Empties the card, and ends what was being restored.
export function clearRestored(note = "") {
  running.abort();
  URL.revokeObjectURL(url);
  for (const id of ["restored", "save", "restore-again"]) $(id).hidden = true;
  $("restored-by").textContent = "";
  $("restored-note").textContent = note;
}

// Restores `place` of a picture that was read; without one the service chooses. A place is {name, item}, where `item` is
// a code or an unread place of the answer.
export async function restore(picture, place = null) {
  clearRestored("Restoring…");
  running = new AbortController();
  const { signal } = running;
  picture.place = place;
  try {
    const frame = (place ? place.item : picture.answer.codes[0])?.frame ?? 0;
    const path = place ? `restore?region=${await region(picture, place.item)}` : "restore";
    const answer = await post(path, [picture.files[frame]], signal);
    if (signal.aborted) return;
    picture.restored = answer;
  } catch (error) {
    if (signal.aborted) return;
    $("restored-note").textContent = words(error).slice(1).join(" ");
    $("restore-again").hidden = false;
    return;
  }
  showRestored(picture);
}

// Shows what was restored of a picture.
export function showRestored({ answer: { codes: decoded }, restored, place }) {
  const what = place ? "No code was located there" : "No code was located";
  clearRestored(restored.located ? "" : `${what}, so there is nothing to restore.`);
  if (!restored.located) return;
  url = URL.createObjectURL(new Blob([bytesOf(restored.png_base64)], { type: "image/png" }));
  const same = decoded.findIndex((code) => code.bytes_base64 === restored.codes[0]?.bytes_base64);
  const isChosen = place && (decoded[same] ?? place.item).bytes_base64 === place.item.bytes_base64;
  let name = decoded.length > 1 && same >= 0 ? `code ${same + 1}` : "";
  if (isChosen) name = place.name;
  const how = restored.network === "modules" ? "redrawn from its modules" : `by ${restored.network}`;
  const by = restored.network ? [name, how].filter(Boolean).join(", ") : "found nothing to restore";
  $("restored").src = $("save").href = url;
  $("restored").alt = restored.codes.length ? "The restored code" : "The picture after restoration";
  $("restored").hidden = $("save").hidden = false;
  $("restored-by").textContent = by[0].toUpperCase() + by.slice(1);
  const note = restored.codes.length ? [] : ["This result does not decode."];
  if (restored.codes.length && same < 0) note.push("It reads: ", ...written(restored.codes[0].text));
  $("restored-note").replaceChildren(...note);
}

// The part of the picture around a place, as the option of that name takes it.
async function region(picture, { position, frame }) {
  const { size } = await asStored(picture, frame);
  const [xs, ys] = [0, 1].map((axis) => position.map((corner) => corner[axis]));
  const margin = MARGIN * Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys));
  const [left, right] = span(xs, margin, size.width);
  const [top, bottom] = span(ys, margin, size.height);
  return [left, top, right - left, bottom - top].join(",");
}

// Whole pixels from the least of `values` to the largest, with the margin, within the picture.
function span(values, margin, size) {
  const first = Math.min(size - 1, Math.max(0, Math.floor(Math.min(...values) - margin)));
  return [first, Math.max(first + 1, Math.min(size, Math.ceil(Math.max(...values) + margin)))];
}
