// Outlines what an answer found in the picture: codes that were read, and dashed those that were only seen.

import { $, counted, draw, make } from "../elements.js";
import { upright } from "./orientation.js";
import { mark } from "./unread.js";

// Draws over file `frame` of the picture, which EXIF orientation `turn` turns upright; `size` is that of the stored
// file.
export function outline({ codes, unread }, turn, { frame, size }) {
  const turned = turn > 4;
  const { width, height } = size;
  const [across, down] = turned ? [height, width] : [width, height];
  $("stage").className = `stage stored turn-${turn}${turned ? " turned" : ""}`;
  $("stage").style.setProperty("--ratio", across / down);
  $("outlines").setAttribute("viewBox", `0 0 ${across} ${down}`);
  $("original-note").textContent = `${width} × ${height} pixels`;
  $("photo").alt = `The picture that you sent, ${counted(codes.length, "code")} outlined`
    + (unread.length ? `, ${unread.length} more seen but not read` : "");

  const trace = ({ position }, line, attributes) => {
    const corners = position.map((corner) => upright(corner, turn, size));
    const points = corners.map((corner) => corner.join(",")).join(" ");
    for (const layer of ["casing", line]) $("outlines").append(draw("polygon", { points, class: layer, ...attributes }));
    return corners;
  };
  const pin = (label, kind, [x, y]) => {
    const badge = make("span", { class: kind }, label);
    badge.style.left = `${100 * x / across}%`;
    badge.style.top = `${100 * y / down}%`;
    $("badges").append(badge);
  };
  unread.forEach((place, index) => {
    if (place.frame !== frame) return;
    const corners = trace(place, "missed", { "data-unread": index });
    const top = corners.reduce((highest, corner) => (corner[1] < highest[1] ? corner : highest));
    pin(mark(index, unread.length), "badge missed", top);
  });
  codes.forEach((code, index) => {
    if (code.frame !== frame) return;
    const [first] = trace(code, "line", { "data-code": index });
    if (codes.length > 1) pin(String(index + 1), "badge", first);
  });
  $("legend").hidden = !unread.length;
}

// Lights the outlines of one code or place, by their data attribute, while `element` is pointed at or has the focus.
export function lightWith(element, name, index) {
  const light = (on) => $("outlines").querySelectorAll(`[data-${name}="${index}"]`)
    .forEach((each) => each.classList.toggle("lit", on));
  for (const [on, events] of [[true, ["mouseenter", "focusin"]], [false, ["mouseleave", "focusout"]]]) {
    for (const event of events) element.addEventListener(event, () => light(on));
  }
}
