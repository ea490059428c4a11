// Shows how a picture was read: what each stage did and how long it took.

import { $, draw, make } from "../elements.js";

export const STAGES = {
  imaging: "file decoded",
  direct: "untouched picture",
  variants: "other sizes and contrasts",
  locate: "codes located",
  rectified: "straightened crop",
  modules: "network reads every module",
  soft: "soft error correction",
  halftone: "middles of the modules",
  flattened: "bends and blur corrected",
  light: "restored by the light network",
  heavy: "restored by the heavy network",
  upscale: "enlarged by a network",
  micro: "Micro QR and rMQR codes read module by module",
  fused: "several frames combined",
  colours: "colours and transparency",
  evened: "shading removed",
  dots: "dots run together",
  others: "codes of other kinds",
};

export function duration(seconds) {
  if (seconds >= 1) return `${seconds.toFixed(2)} s`;
  return seconds >= 0.001 ? `${Math.round(seconds * 1000)} ms` : "< 1 ms";
}

export const totalSeconds = (answer) => answer.trace.reduce((sum, stage) => sum + stage.seconds, 0);

export function showTrace({ codes, trace, route }) {
  $("how-title").textContent = codes.length ? "How it was read" : "What was tried";
  const longest = Math.max(...trace.map((stage) => stage.seconds), 1e-9);
  $("trace").replaceChildren(...trace.map((stage) => {
    const bar = draw("svg", { viewBox: "0 0 100 1", preserveAspectRatio: "none", class: "bar", "aria-hidden": "true" });
    bar.append(draw("rect", { width: Math.max(0.5, 100 * stage.seconds / longest), height: 1 }));
    const cells = [STAGES[stage.stage] ?? "", bar, duration(stage.seconds), stage.codes ? String(stage.codes) : "–"];
    const row = make("tr", {}, make("th", { scope: "row" }, make("code", {}, stage.stage)));
    row.append(...cells.map((cell) => make("td", {}, cell)));
    row.classList.toggle("read", stage.codes > 0);
    return row;
  }));
  $("total").textContent = duration(totalSeconds({ trace }));
  $("route").textContent = route
    ? `Sharpness ${route.laplacian_variance}, threshold ${route.threshold}: ${route.network} was tried first.` : "";
}
