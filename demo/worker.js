/** The recogniser itself, in a thread of its own: kakitori.js asks, this answers. */

import { draw, hasLines } from "./drawing.js";
import { prepare, prepareInk } from "./photos.js";

const answers = { load, recognise, preprocess };
let session, settings, ort;

// One at a time: ONNX Runtime refuses a second run beside the first.
let before = Promise.resolve();
self.addEventListener("message", ({ data: { number, question, given } }) => {
  before = before.then(() => answer(number, question, given));
});

async function answer(number, question, given) {
  try {
    self.postMessage({ number, result: await answers[question](given) });
  } catch (error) {
    self.postMessage({ number, code: error.code ?? "failed", reason: String(error.message ?? error) });
  }
}

/** Starts ONNX Runtime and opens the model; settings are those of the model's metadata. */
async function load({ folder, model, threads }) {
  settings = await (await fetched(new URL("model.json", folder))).json();
  const file = (await fetched(new URL(model, folder))).arrayBuffer();
  ort = await import(new URL("ort/ort.wasm.min.mjs", folder));
  ort.env.wasm.wasmPaths = new URL("ort/", folder).href;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? threads : 1; // 0: as many as it likes
  ort.env.logLevel = "error";
  session = await ort.InferenceSession.create(new Uint8Array(await file), {
    executionProviders: ["wasm"],
  });
  return settings;
}

async function fetched(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: expected a file, found HTTP ${response.status}`);
  return response;
}

/** Logits and the temperature make calibrated probabilities, as Recognizer.probabilities does. */
async function recognise(given) {
  const levels = await preprocess(given);
  if (!levels.some(Boolean)) throw coded("empty", "expected ink, found none");
  const scaled = Float32Array.from(levels, (v) => Math.fround(v / 127.5) - 1);
  const { size, classes, temperature, threshold } = settings;
  const input = new ort.Tensor("float32", scaled, [1, 1, size, size]);
  const { logits } = await session.run({ input });
  const most = logits.data.reduce((a, b) => Math.max(a, b));
  const powers = Float64Array.from(logits.data, (z) => Math.exp((z - most) / temperature));
  const sum = powers.reduce((a, b) => a + b);
  const order = Array.from(powers.keys()).sort((a, b) => powers[b] - powers[a]);
  const candidate = (k) => ({ character: classes[k], probability: powers[k] / sum });
  const meant = given.meant === undefined ? -1 : classes.indexOf(given.meant);
  return {
    candidates: order.slice(0, given.top).map(candidate),
    sure: candidate(order[0]).probability >= threshold,
    meant: meant < 0 ? null : { ...candidate(meant), rank: order.indexOf(meant) + 1 },
  };
}

/** What the model is shown, uint8 (size, size), of strokes, a file or pixels. */
async function preprocess({ strokes, file, pixels }) {
  const { size } = settings;
  if (strokes) return hasLines(strokes) ? prepareInk(draw(strokes), size) : new Uint8Array(size * size);
  if (pixels) return prepare(pixels, size);
  const start = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const picture = await opened(file);
  try {
    return prepare(picture, size, start[0] === 0xff && start[1] === 0xd8);
  } finally {
    picture.close();
  }
}

async function opened(file) {
  try {
    return await createImageBitmap(file, {
      colorSpaceConversion: "none", // Pillow leaves profiles aside as well
      premultiplyAlpha: "none",
    });
  } catch (error) {
    throw coded("no-image", error.message);
  }
}

function coded(code, message) {
  return Object.assign(new Error(message), { code });
}
