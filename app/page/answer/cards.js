// Shows codes. Payloads are untrusted: they become text nodes only, never markup and never links.

import { copy, counted, make, written } from "../elements.js";
import { lightWith } from "./outlines.js";
import { bytesOf, destination, hexadecimal } from "./payload.js";
import { STAGES } from "./trace.js";

// `many` says whether the code needs a number; `restore` restores it, and is null where there is no choice.
export function codeCard(code, index, { many, frames, pages, restore }) {
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
  if (pages > 1) fact("Page", `${code.page + 1} of ${pages}`);
  if (frames > 1) fact("Picture", `${code.frame + 1} of ${frames}`);
  fact("Rung", make("code", {}, code.rung), code.rung in STAGES ? `: ${STAGES[code.rung]}` : "");
  fact("Engine", make("code", {}, code.engine));

  const which = many ? ` of code ${index + 1}` : "";
  const label = binary ? "Copy as base64" : "Copy text";
  const button = make("button", { class: "button small", type: "button", "data-label": label }, label);
  if (which) button.setAttribute("aria-label", label + which);
  button.addEventListener("click", () => copy(binary ? code.bytes_base64 : code.text, button));
  const buttons = make("div", { class: "buttons" }, button);
  if (restore) buttons.append(restoreButton(`code ${index + 1}`, restore));

  const card = make("li", { class: "code" }, make("div", { class: "says" }, payload, buttons), facts);
  if (many) card.firstChild.prepend(make("span", { class: "badge" }, String(index + 1)));
  lightWith(card, "code", index);
  return card;
}

export function restoreButton(name, restore) {
  const button = make("button", { class: "button small", type: "button", "aria-label": `Restore ${name}` }, "Restore");
  button.addEventListener("click", restore);
  return button;
}
