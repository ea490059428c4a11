// Draws QR codes by three encoders of npm: reads a JSON list of requests from standard input, writes a JSON list of
// symbols, each a list of rows of "0" and "1", or an object {error}.

const bwip = require("bwip-js");
const nodeQrcode = require("qrcode");
const toSJIS = require("qrcode/helper/to-sjis");
const { correction, generate, mode } = require("lean-qr");

const bytesOf = (part) => [...Buffer.from(part.base64, "base64")];
const rows = (width, height, isDark) =>
  Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => (isDark(x, y) ? "1" : "0")).join(""));

// --- bwip-js, which takes bytes, ECIs and FNC1 in one string, and chooses modes itself -----------------------------------

function byBwip(wanted) {
  let eci = null;
  let text = "";
  for (const part of wanted.parts) {
    if (part.eci !== null && part.eci !== eci) text += `^ECI${String(part.eci).padStart(6, "0")}`;
    eci = part.eci;
    text += bytesOf(part).map((byte) => `^${String(byte).padStart(3, "0")}`).join("");
  }
  const options = { parse: true, parsefnc: true, binarytext: true };
  if (wanted.level && wanted.small_version !== "M1") options.eclevel = wanted.level;
  if (wanted.version || wanted.small_version) options.version = wanted.small_version ?? String(wanted.version);
  if (wanted.mask !== null) options.mask = wanted.mask + 1;
  options.suppresskanjimode = !wanted.parts.some((part) => part.mode === "kanji");
  let kind = { QRCode: "qrcode", MicroQRCode: "microqrcode", RMQRCode: "rectangularmicroqrcode" }[wanted.family];
  if (wanted.fnc1) {
    kind = "gs1qrcode";
    text = wanted.elements.map(([ai, value]) => `(${ai})${value}`).join("");
  }
  const [{ pixs, pixx, pixy }] = bwip.raw(kind, text, options);
  return rows(pixx, pixy, (x, y) => pixs[y * pixx + x]);
}

// --- node-qrcode, which takes segments ------------------------------------------------------------------------------------

function byNodeQrcode(wanted) {
  const segments = wanted.parts.map((part) => ({
    mode: part.mode,
    data: part.mode === "byte" ? Uint8ClampedArray.from(bytesOf(part)) : part.text,
  }));
  const { modules } = nodeQrcode.create(segments, {
    errorCorrectionLevel: wanted.level,
    version: wanted.version ?? undefined,
    maskPattern: wanted.mask ?? undefined,
    toSJISFunc: toSJIS,
  });
  return rows(modules.size, modules.size, (x, y) => modules.get(y, x));
}

// --- lean-qr, whose modes are functions that append bits: the tests' own write FNC1, structured append and Hanzi -----------

const bits = (...pairs) => (data) => pairs.forEach(([value, count]) => data.push(value, count));

function hanzi(bytes) {
  const characters = [];
  for (let i = 0; i < bytes.length; i += 2) {
    const lead = bytes[i] - (bytes[i] < 0xb0 ? 0xa1 : 0xa6);
    characters.push([lead * 0x60 + bytes[i + 1] - 0xa1, 13]);
  }
  return (data, version) => {
    bits([13, 4], [1, 4], [characters.length, version < 10 ? 8 : version < 27 ? 10 : 12], ...characters)(data);
  };
}

function leanParts(wanted) {
  const modes = [];
  if (wanted.append) {
    const [index, total, parity] = wanted.append;
    modes.push(bits([3, 4], [index, 4], [total - 1, 4], [parity, 8]));
  }
  if (wanted.fnc1 === 1) modes.push(bits([5, 4]));
  if (wanted.fnc1 === 2) modes.push(bits([9, 4], [wanted.application_indicator, 8]));
  let eci = null;
  for (const part of wanted.parts) {
    if (part.eci !== null && part.eci !== eci) modes.push(mode.eci(part.eci));
    eci = part.eci;
    if (part.mode === "numeric") modes.push(mode.numeric(part.text));
    else if (part.mode === "alphanumeric") modes.push(mode.alphaNumeric(part.text));
    else if (part.mode === "kanji") modes.push(mode.shift_jis(part.text));
    else if (part.mode === "hanzi") modes.push(hanzi(bytesOf(part)));
    else modes.push(mode.bytes(bytesOf(part)));
  }
  return mode.multi(...modes);
}

function byLeanQr(wanted) {
  const level = correction[wanted.level];
  const code = generate(leanParts(wanted), {
    minCorrectionLevel: level,
    maxCorrectionLevel: level,
    minVersion: wanted.version ?? 1,
    mask: wanted.mask,
  });
  return rows(code.size, code.size, (x, y) => code.get(x, y));
}

const encoders = { "bwip-js": byBwip, "node-qrcode": byNodeQrcode, "lean-qr": byLeanQr };
const requests = JSON.parse(require("fs").readFileSync(0, "utf-8"));
const drawn = requests.map(({ encoder, wanted }) => {
  try {
    return encoders[encoder](wanted);
  } catch (error) {
    return { error: String(error.message ?? error) };
  }
});
process.stdout.write(JSON.stringify(drawn));
