// Reads pictures, two at a time, each until it has an answer or a final error.

import { post, sleep } from "./requests.js";

const PARALLEL = 2;
const ATTEMPTS = 8; // of a picture among several, where the service is busy
const LONGEST_WAIT = 60; // seconds

// One picture, or several frames of one label, and what became of it. Its `state` is waiting, reading, read, failed or
// cancelled.
export class Picture {
  constructor(name, files) {
    Object.assign(this, { name, files, state: "waiting", isOneOfMany: false });
    Object.assign(this, { answer: null, effort: "", error: null, restored: null, run: null });
  }

  get isFused() {
    return this.files.length > 1;
  }

  get isPending() {
    return this.state === "waiting" || this.state === "reading";
  }
}

export class Queue {
  #waiting = [];
  #reading = 0;
  #isLocked = false; // the service wants a key
  #changed;

  // `changed` is called with each picture whose state changed.
  constructor(changed) {
    this.#changed = changed;
  }

  get isLocked() {
    return this.#isLocked;
  }

  // Reads a picture, again if it has been read or is being read.
  add(picture, effort) {
    this.#drop(picture);
    Object.assign(picture, { effort, answer: null, error: null, restored: null });
    this.#waiting.push(picture);
    this.#set(picture, "waiting");
    this.#next();
  }

  // Ends the work on a picture, if there is any.
  cancel(picture) {
    if (!picture.isPending) return;
    this.#drop(picture);
    this.#set(picture, "cancelled");
  }

  // Goes on where the service asked for a key, with those pictures first that it refused for want of one.
  unlock(refused) {
    this.#isLocked = false;
    this.#waiting.unshift(...refused);
    for (const picture of refused) {
      picture.error = null;
      this.#set(picture, "waiting");
    }
    this.#next();
  }

  #drop(picture) {
    this.#waiting = this.#waiting.filter((other) => other !== picture);
    picture.run?.abort();
    picture.run = null;
  }

  #set(picture, state) {
    picture.state = state;
    this.#changed(picture);
  }

  #next() {
    while (this.#reading < PARALLEL && this.#waiting.length && !this.#isLocked) this.#read(this.#waiting.shift());
  }

  async #read(picture) {
    const run = new AbortController();
    picture.run = run;
    this.#reading += 1;
    this.#set(picture, "reading");
    try {
      const answer = await this.#attempts(picture, run.signal);
      if (!run.signal.aborted) this.#end(picture, { answer }, "read");
    } catch (error) {
      if (!run.signal.aborted) {
        this.#isLocked ||= error.status === 401;
        this.#end(picture, { error }, "failed");
      }
    } finally {
      this.#reading -= 1;
      this.#next();
    }
  }

  #end(picture, outcome, state) {
    Object.assign(picture, outcome, { run: null });
    this.#set(picture, state);
  }

  async #attempts(picture, signal) {
    const path = `decode?effort=${picture.effort}${picture.isFused ? "&fuse=true" : ""}`;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await post(path, picture.files, signal);
      } catch (error) {
        const wait = Math.max(error.seconds || 0, 0.25 * 2 ** attempt * (0.5 + Math.random() / 2));
        const isLater = error.status === 429 || error.status === 503;
        if (!picture.isOneOfMany || !isLater || attempt >= ATTEMPTS || wait > LONGEST_WAIT) throw error;
        await sleep(wait, signal);
      }
    }
  }
}
