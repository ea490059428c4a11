// Finds and makes elements of the page, and says what happens. Texts become text nodes only, never markup.

import { spelled } from "./answer/payload.js";

export const $ = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function draw(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

export const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

// Nodes that show a stranger's text, with its unseen characters spelled out.
export const written = (text) => spelled(text).map(
  (part) => (typeof part === "string" ? part : make("span", { class: "unseen" }, part.unseen)));

// Says something to everybody, also to who does not see the page.
export function say(text, { working = false } = {}) {
  $("status").textContent = text;
  $("status-row").classList.toggle("working", working);
  $("cancel").hidden = !working;
}

// Puts `text` on the clipboard and says on the button whether that worked.
export async function copy(text, button) {
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

// Has the browser save `content` under this name.
export function save(content, type, name) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
