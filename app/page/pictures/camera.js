// Reads codes from the live camera: each frame by itself, and every few frames the last ones together.

import { $ } from "../elements.js";
import { post, sleep } from "./requests.js";

const FUSED = 4; // frames that are read together
const LONGEST = 90; // seconds without a code
const QUALITY = 0.9; // of the JPEGs that are sent

// Whether there is a camera that pages may ask for: not over plain HTTP from another machine.
export async function hasCamera() {
  try {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.some((device) => device.kind === "videoinput");
  } catch {
    return false;
  }
}

export class Camera {
  #run = null;
  #handlers;

  // `found` is called with the frames that gave codes and the answer, `ended` with the reason if there is none:
  // "stopped", "refused" by the browser, "nothing" found, or an error.
  constructor(handlers) {
    this.#handlers = handlers;
    document.addEventListener("visibilitychange", () => document.hidden && this.stop());
  }

  get isRunning() {
    return this.#run !== null;
  }

  stop() {
    this.#run?.abort();
  }

  // Stops without a word.
  drop() {
    this.stop();
    this.#run = null;
    $("live").srcObject = null;
  }

  async start() {
    this.stop();
    const run = new AbortController();
    this.#run = run;
    let stream = null;
    let outcome = ["refused"];
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: WANTED });
      run.signal.addEventListener("abort", () => release(stream), { once: true });
      if (!run.signal.aborted) await play(stream);
      outcome = await this.#watch(run.signal);
    } catch (error) {
      if (stream) outcome = [error];
    }
    if (run.signal.aborted) outcome = ["stopped"];
    if (stream) release(stream);
    if (this.#run !== run) return;
    this.#run = null;
    $("live").srcObject = null;
    if (outcome.length === 1) this.#handlers.ended(outcome[0]);
    else this.#handlers.found(...outcome);
  }

  // Resolves to the frames and their answer, or to ["nothing"].
  async #watch(signal) {
    const until = performance.now() + 1000 * LONGEST;
    const frames = [];
    for (let count = 1; performance.now() < until && !signal.aborted; count += 1) {
      frames.push(await grab());
      if (frames.length > FUSED) frames.shift();
      const answer = await this.#ask(count % FUSED === 0 ? frames : frames.slice(-1), signal);
      if (answer?.codes.length) return [answer.frames, answer];
    }
    return ["nothing"];
  }

  // The answer to some frames; null if the service is busy, after the time that it asked for.
  async #ask(frames, signal) {
    const path = frames.length > 1 ? "decode?fuse=true&effort=balanced&budget=2" : "decode?effort=fast";
    try {
      return { ...await post(path, frames, signal), frames: [...frames] };
    } catch (error) {
      if (error.status !== 429 && error.status !== 503) throw error;
      await sleep(error.seconds || 1, signal);
      return null;
    }
  }
}

const WANTED = { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1080 } };

const release = (stream) => stream.getTracks().forEach((track) => track.stop());

async function play(stream) {
  $("live").srcObject = stream;
  await $("live").play();
}

// What the camera shows now, as a JPEG.
async function grab() {
  const video = $("live");
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  return new File([blob], "frame.jpg", { type: "image/jpeg" });
}
