// Makes payloads safe to look at. Everything here is text; nothing turns it into markup or links.

const ACTIONS = {
  "bitcoin:": "asks for a payment",
  "geo:": "shows a place on a map",
  "mailto:": "writes an e-mail",
  "otpauth:": "contains the secret of a second factor: keep it private",
  "sms:": "writes a message",
  "smsto:": "writes a message",
  "tel:": "calls a number",
  "wifi:": "joins a wireless network",
};

// Schemes that run code or read files on the machine that opens them.
const DANGEROUS = new Set(["blob:", "data:", "file:", "filesystem:", "intent:", "javascript:", "vbscript:"]);

// Characters that are invisible, or that change how their neighbours look.
const UNSEEN = /([\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}])/u;
const HARMLESS = new Set(["\n", "\t", "\uFE0E", "\uFE0F"]);

const BYTES_SHOWN = 512;

export const bytesOf = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

// Splits `text` into strings to show as they are, and {unseen: "U+202E"} for characters to spell out.
export function spelled(text) {
  return text.split(UNSEEN).filter(Boolean).map((part) => {
    if (HARMLESS.has(part) || !UNSEEN.test(part)) return part;
    return { unseen: `U+${part.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}` };
  });
}

export function hexadecimal(bytes) {
  const lines = [];
  for (let start = 0; start < Math.min(bytes.length, BYTES_SHOWN); start += 16) {
    const row = Array.from(bytes.subarray(start, start + 16), (byte) => byte.toString(16).padStart(2, "0"));
    lines.push(row.join(" "));
  }
  if (bytes.length > BYTES_SHOWN) lines.push(`and ${bytes.length - BYTES_SHOWN} more bytes`);
  return lines.join("\n");
}

// What opening `text` would do, as {label, value, warnings}; null if it is no link. The browser's own parser decides.
export function destination(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    return null;
  }
  if (DANGEROUS.has(url.protocol)) {
    return { label: "Kind", value: url.protocol, warnings: ["Opening it may run a program. Do not open it."] };
  }
  if (url.protocol in ACTIONS) return { label: "Kind", value: url.protocol + " " + ACTIONS[url.protocol], warnings: [] };
  if (url.protocol !== "https:" && url.protocol !== "http:") return null;
  const warnings = [];
  if (url.username || url.password) warnings.push("The part before the @ is not the host.");
  if (/(^|\.)xn--/.test(url.hostname)) warnings.push("The name has letters other than a to z, and some look alike.");
  if (/^([\d.]+|\[.*\])$/.test(url.hostname)) warnings.push("An IP address, not a name.");
  if (url.protocol === "http:") warnings.push("Not encrypted (http).");
  return { label: "Leads to", value: url.host, warnings };
}
