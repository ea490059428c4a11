// Says which codes were seen but not read, why, and what helps.

const REASONS = {
  too_small: ["Its modules are too small", "Take the picture closer, or send it in its full size."],
  cut_off: ["A part of it lies outside the picture", "Take a picture that shows all of it and its light border."],
  unreadable: ["Nothing that was tried made it readable", "Take a sharper picture, straighter and in even light."],
  budget: ["The budget ended before it was read", ""],
  other_symbology: ["It is a code of another kind", "Ask for it by the option symbologies."],
};

// The mark of place number `index` of `count`, on its line and on its outline.
export const mark = (index, count) => (count > 1 ? `?${index + 1}` : "?");

// Why a place was not read, as [reason, advice].
export function explained(place) {
  const [reason, advice] = REASONS[place.reason] ?? ["It could not be read", ""];
  const shown = place.reason === "too_small" && place.module_pixels !== null;
  return [`${reason}${shown ? ` (${place.module_pixels.toFixed(1)} px)` : ""}.`, advice];
}

// What a longer look may still find; "" if this answer leaves nothing to look for.
export function unfinished(answer, effort) {
  if (!answer.complete) return "The budget ended before the search did. A longer look may find more.";
  return answer.unread.length && effort !== "thorough" ? "A longer look may read more." : "";
}
