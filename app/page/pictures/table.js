// What was read, as text and as a table for a spreadsheet: the one that `qrestore decode --format csv` writes.

import { words } from "./requests.js";

const COLUMNS = ["file", "page", "text", "symbology", "version", "ec_level", "engine", "rung", "unread", "problem"];
const NO_CODE = Array(COLUMNS.length - 3).fill(null);
const FORMULA = /^[=+\-@＝＋－＠]/u; // what spreadsheets take for the beginning of one
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}]/gu; // moves, hides or reorders others
const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

// Every text that was read in these pictures, one a line; bytes that are no text as base64.
export const texts = (pictures) => pictures.flatMap((picture) => picture.answer?.codes ?? [])
  .map((code) => (code.content_type === "Binary" ? code.bytes_base64 : code.text)).join("\n");

// A line for each code, and one for each picture without any.
export function table(pictures) {
  const rows = pictures.filter((picture) => picture.answer || picture.error).flatMap(rowsOf);
  return [COLUMNS, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function rowsOf({ name, answer, error }) {
  if (!answer) {
    const [title, sentence] = words(error);
    const { type = title, detail = sentence } = error.problem ?? {};
    return [[name, ...NO_CODE, null, `${type}: ${detail}`]];
  }
  const unread = answer.unread.length;
  if (!answer.codes.length) return [[name, ...NO_CODE, unread, null]];
  return answer.codes.map((code) => [
    name, code.page, code.text, code.symbology, code.version, code.ec_level, code.engine, code.rung, unread, null,
  ]);
}

function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const escaped = value.replace(UNSAFE, (each) => SHORT[each] ?? escapeOf(each.codePointAt(0)));
  const safe = FORMULA.test(escaped.trimStart()) ? `'${escaped}` : escaped;
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function escapeOf(point) {
  const [letter, digits] = point < 0x100 ? ["x", 2] : point < 0x10000 ? ["u", 4] : ["U", 8];
  return `\\${letter}${point.toString(16).padStart(digits, "0")}`;
}
