/** The recogniser itself, in a thread of its own: kakitori.js asks, this answers. */

import { draw, extent, hasLines } from "./drawing.js";
import { prepare, prepareInk, within } from "./photos.js";

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

/** Look-alikes stand together, as Recognizer.read_normalised answers. */
async function recognise(given) {
  const levels = await preprocess(given);
  if (!levels.some(Boolean)) throw coded("empty", "expected ink, found none");
  const { size, classes, alike, threshold } = settings;
  let chances = await probabilities(levels);
  if (given.frame !== undefined) {
    const framed = within(levels, size, extent(given.strokes, given.frame), given.frame);
    if (framed !== levels) chances = parted(chances, await probabilities(framed), alike);
  }
  const total = totals(chances, alike);
  const order = Array.from(chances.keys()).sort(
    (a, b) => total[b] - total[a] || alike[a] - alike[b] || chances[b] - chances[a],
  );
  const candidate = (k) => ({ character: classes[k], probability: chances[k] });
  const meant = given.meant === undefined ? -1 : classes.indexOf(given.meant);
  return {
    candidates: order.slice(0, given.top).map(candidate),
    sure: candidate(order[0]).probability >= threshold,
    meant: meant < 0 ? null : { ...candidate(meant), rank: order.indexOf(meant) + 1 },
  };
}

/** Logits, the temperature and the logit of none of the classes make calibrated probabilities, as
    Recognizer.probabilities does. */
async function probabilities(levels) {
  const { size, temperature, background } = settings;
  const scaled = Float32Array.from(levels, (v) => Math.fround(v / 127.5) - 1);
  const input = new ort.Tensor("float32", scaled, [1, 1, size, size]);
  const { logits } = await session.run({ input });
  const most = logits.data.reduce((a, b) => Math.max(a, b));
  const powers = Float64Array.from(logits.data, (z) => Math.exp((z - most) / temperature));
  const sum = powers.reduce((a, b) => a + b);
  const known = 1 / (1 + Math.exp(background - most / temperature - Math.log(sum)));
  return powers.map((power) => (known * power) / sum);
}

/** context.py's `parted`: the shape tells the group, the size within the frame the member. */
function parted(shape, framed, groups) {
  const [ofShape, ofFramed] = [totals(shape, groups), totals(framed, groups)];
  return shape.map((chance, k) =>
    ofFramed[k] > 0 ? ofShape[k] * (framed[k] / ofFramed[k]) : chance,
  );
}

/** What the group of each class has in all. */
function totals(chances, groups) {
  const sums = new Float64Array(chances.length);
  chances.forEach((chance, k) => {
    sums[groups[k]] += chance;
  });
  return chances.map((_, k) => sums[groups[k]]);
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
