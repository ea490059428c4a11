// Lists the pictures of this tab with the state of each. Nothing of it is stored.

import { $, copy, counted, make, save, written } from "../elements.js";
import { words } from "./requests.js";
import { table, texts } from "./table.js";

const MOST_FRAMES = 8; // ticked by themselves; the service says if it takes fewer

export class List {
  #pictures = [];
  #rows = new Map();
  #select;

  // `select` is called with the picture to show, `fuse` with those to read together, `clear` when all shall go.
  constructor({ select, fuse, clear }) {
    this.#select = select;
    $("fuse").addEventListener("click", () => fuse(this.#ticked()));
    $("clear").addEventListener("click", clear);
    $("copy-all").addEventListener("click", () => copy(texts(this.#pictures), $("copy-all")));
    $("save-csv").addEventListener("click", () => {
      // The mark at the beginning has spreadsheets take it for UTF-8.
      save(`\ufeff${table(this.#pictures)}`, "text/csv;charset=utf-8", "codes.csv");
    });
  }

  get pictures() {
    return this.#pictures;
  }

  // Adds pictures at the end; several that came together are ticked as frames.
  add(pictures) {
    const areFrames = pictures.length > 1 && pictures.length <= MOST_FRAMES;
    if (areFrames) for (const { tick } of this.#rows.values()) tick.checked = false;
    for (const picture of pictures) {
      const tick = make("input", { type: "checkbox", "aria-label": `${picture.name}: read it together with others` });
      tick.checked = areFrames;
      tick.disabled = picture.isFused;
      tick.addEventListener("change", () => this.#refresh());
      const state = make("span", { class: "state" });
      const button = make("button", { type: "button", class: "entry" });
      button.append(make("span", { class: "name" }, ...written(picture.name)), " ", state);
      button.addEventListener("click", () => this.#select(picture));
      const row = make("li", {}, make("label", { class: "tick" }, tick), button);
      this.#rows.set(picture, { row, button, state, tick });
      this.#pictures.push(picture);
      $("entries").append(row);
      this.update(picture);
    }
  }

  update(picture) {
    const parts = this.#rows.get(picture);
    if (!parts) return;
    parts.state.textContent = stateOf(picture);
    parts.row.className = picture.state === "read" && !picture.answer.codes.length ? "nothing" : picture.state;
    this.#refresh();
  }

  // Marks the picture that is on show.
  mark(picture) {
    for (const [other, { button }] of this.#rows) {
      if (other === picture) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }

  clear() {
    this.#pictures = [];
    this.#rows.clear();
    $("entries").replaceChildren();
    this.#refresh();
  }

  #ticked() {
    return this.#pictures.filter((picture) => this.#rows.get(picture).tick.checked);
  }

  #refresh() {
    const codes = this.#pictures.reduce((sum, { answer }) => sum + (answer?.codes.length ?? 0), 0);
    $("pictures").hidden = this.#pictures.length < 2 && codes < 2;
    $("copy-all").disabled = !codes;
    $("save-csv").disabled = !this.#pictures.some((picture) => picture.answer || picture.error);
    const ticked = this.#ticked().length;
    $("fuse").disabled = ticked < 2;
    $("fuse").textContent = ticked < 2 ? "Read together" : `Read ${ticked} together`;
    $("pictures-count").textContent = counted(this.#pictures.length, "picture");
  }
}

// The state of a picture in a few words.
function stateOf({ state, answer, error }) {
  if (state === "reading") return "reading…";
  if (state === "failed") return words(error)[0];
  if (state !== "read") return state;
  const { codes, unread } = answer;
  const parts = codes.length ? [counted(codes.length, "code")] : ["no code"];
  if (unread.length) parts.push(`${unread.length} unread`);
  return parts.join(", ");
}

// One sentence on several pictures, for the status.
export function summaryOf(pictures) {
  const count = (state) => pictures.filter((picture) => picture.state === state).length;
  const answers = pictures.flatMap(({ answer }) => answer ?? []);
  const sum = (name) => answers.reduce((total, answer) => total + answer[name].length, 0);
  const parts = [`${counted(sum("codes"), "code")} read`];
  if (sum("unread")) parts.push(`${sum("unread")} seen but not read`);
  if (count("failed")) parts.push(`${count("failed")} failed`);
  if (count("cancelled")) parts.push(`${count("cancelled")} cancelled`);
  return `${counted(pictures.length, "picture")}: ${parts.join(", ")}.`;
}
