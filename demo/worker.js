/** The recogniser itself, in a thread of its own: kakitori.js asks, this answers. */

import { allowed, grouped, parted, ranked, weights } from "./context.js";
import { draw, extent, hasLines } from "./drawing.js";
import * as memory from "./memory.js";
import { orientationOf, turned } from "./orientation.js";
import { prepare, prepareInk, within } from "./photos.js";

const answers = { load, recognise, preprocess, learn, forget, saveMemory, loadMemory };
let session, settings, ort;
let examples = []; // of memory.js

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

/** As Recognizer.read answers with these candidates, this prior and this frame. */
async function recognise(given) {
  const { size, classes, alphabets, priors, threshold } = settings;
  const known = {
    chosen: allowed(given.candidates ?? "", classes, alphabets),
    weights: weights(given.prior ?? "", priors),
  };
  const groups = grouped(settings.alike, known.chosen);
  const levels = await preprocess(given);
  if (!levels.some(Boolean)) throw coded("empty", "expected ink, found none");
  let chances = await probabilities(levels, known);
  if (given.frame !== undefined) {
    const framed = within(levels, size, extent(given.strokes, given.frame), given.frame);
    if (framed !== levels) chances = parted(chances, await probabilities(framed, known), groups);
  }
  const order = ranked(chances, groups, known.chosen);
  const candidate = (k) => ({ character: classes[k], probability: chances[k] });
  const rank = order.findIndex((k) => classes[k] === given.meant) + 1;
  return {
    candidates: order.slice(0, given.top).map(candidate),
    sure: candidate(order[0]).probability >= threshold,
    meant: rank ? { ...candidate(order[rank - 1]), rank } : null,
  };
}

/** Logits, the temperature and the logit of none of the classes make calibrated probabilities, as
    Recognizer.probabilities does. */
async function probabilities(levels, { chosen, weights }) {
  const { background } = settings;
  const logits = memory.gain(await scaled(levels), examples);
  const z = logits.map((value, k) => (chosen[k] ? value : -Infinity));
  const most = z.reduce((a, b) => Math.max(a, b));
  const powers = z.map((value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b);
  const known = 1 / (1 + Math.exp(background - most - Math.log(sum)));
  const weighted = weights ? powers.map((power, k) => power * weights[k]) : powers;
  const all = weights ? weighted.reduce((a, b) => a + b) : sum;
  return weighted.map((power) => (known * power) / all);
}

/** Logits over the temperature, Float64Array (classes). */
async function scaled(levels) {
  const { size, temperature } = settings;
  const values = Float32Array.from(levels, (v) => Math.fround(v / 127.5) - 1);
  const input = new ort.Tensor("float32", values, [1, 1, size, size]);
  const { logits } = await session.run({ input });
  return Float64Array.from(logits.data, (logit) => logit / temperature);
}

async function learn(given) {
  const image = await preprocess(given);
  if (!image.some(Boolean)) throw coded("empty", "expected ink, found none");
  examples.push(await seen(given.character, image));
}

/** An example as the model sees it. */
async function seen(character, image) {
  const number = settings.classes.indexOf(character);
  if (number < 0) {
    const count = settings.classes.length;
    throw coded("no-class", `expected one of the model's ${count} classes, found "${character}"`);
  }
  return memory.example(character, image, number, await scaled(image));
}

function forget({ character }) {
  examples = examples.filter((example) => character && example.character !== character);
}

function saveMemory() {
  return memory.write(examples, settings.size);
}

async function loadMemory({ text }) {
  const known = await memory.read(text, settings.size, settings.classes);
  const taken = [];
  for (const [character, image] of known) taken.push(await seen(character, image));
  examples = taken;
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
  const orientation = await orientationOf(file);
  try {
    const picture = await createImageBitmap(file, {
      colorSpaceConversion: "none", // Pillow leaves profiles aside as well
      premultiplyAlpha: "none",
      imageOrientation: orientation > 1 ? "none" : "from-image",
    });
    return orientation > 1 ? turned(picture, orientation) : picture;
  } catch (error) {
    throw coded("no-image", error.message);
  }
}

function coded(code, message) {
  return Object.assign(new Error(message), { code });
}
