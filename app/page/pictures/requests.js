// Sends pictures to the service, and says in words what it refuses.

import { counted } from "../elements.js";

const ADVICE = {
  401: "This service requires an API key.",
  413: "Send a smaller file: crop the picture to the code, or save it as JPEG.",
  415: "Save the picture as PNG or JPEG and try again.",
  429: "The service is busy.",
  503: "The service is busy, starting or stopping. Try again in a moment.",
  504: "Try less effort, or crop the picture to the code.",
};

let apiKey = ""; // kept here only

export function useKey(key) {
  apiKey = key;
}

class Refused extends Error {
  constructor(response, problem) {
    super(problem.detail || `The service answered ${response.status}.`);
    this.status = response.status;
    this.problem = problem;
    this.seconds = Number.parseInt(response.headers.get("Retry-After"), 10);
  }
}

// An error as [title, ...sentences].
export function words(error) {
  if (error instanceof SyntaxError) return ["Unexpected answer", "The answer did not come from qrestore."];
  if (!(error instanceof Refused)) {
    return ["Not sent", "The service cannot be reached, or the file is unreadable or far too large."];
  }
  const { problem, status, seconds } = error;
  const sentences = [error.message, ...(problem.errors ?? []).map((field) => `${field.location}: ${field.message}.`)];
  const wait = seconds > 0 ? `Try again in ${counted(seconds, "second")}.` : "";
  if (status === 401 && apiKey) sentences.push("This key was not accepted.");
  else if (status in ADVICE) sentences.push(ADVICE[status]);
  if (wait) sentences.push(wait);
  return [problem.title || "Refused", ...new Set(sentences)];
}

async function answered(path, options) {
  const headers = { Accept: "application/json" };
  if (apiKey) headers["X-API-Key"] = apiKey;
  const response = await fetch(path, { ...options, headers, cache: "no-store", redirect: "error" });
  if (response.ok) return response.json();
  const isProblem = (response.headers.get("Content-Type") ?? "").startsWith("application/problem+json");
  throw new Refused(response, isProblem ? await response.json() : {});
}

// The answer of `path`, such as "decode?effort=fast", to these files or blobs.
export async function post(path, files, signal) {
  const body = new FormData();
  for (const file of files) body.append("file", file, "picture"); // the service does not need its name
  try {
    return await answered(path, { method: "POST", body, signal });
  } catch (error) {
    // A service may close the connection on an upload that it refuses, which loses its reason: ask without an upload.
    if (error instanceof TypeError && !signal.aborted) await answered("models", { signal });
    throw error;
  }
}

// Ends after so many seconds, or when the signal says so.
export const sleep = (seconds, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, 1000 * seconds);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    resolve();
  }, { once: true });
});
