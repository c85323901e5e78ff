/**
 * What a recogniser was told of one hand: corrected examples beside the classifier; as in
 * stages/kakitori/reading/memory.py, which explains it and has the constants from a measurement.
 */

const KIND = "memory";
const MARGIN = 8;
const SHARPNESS = 5;
const SLACK = 1;

/**
 * A normalised picture and what it is, as this model sees it.
 * @typedef {object} Example
 * @property {string} character
 * @property {Uint8Array} image
 * @property {number} number of its class
 * @property {Float64Array} features
 * @property {number} lack by how much its class was behind the best, 0 where it was the best
 */

/** @returns {Example} of logits over the temperature, Float64Array (classes) */
export function example(character, image, number, scaled) {
  const lack = best(scaled) - scaled[number];
  return { character, image, number, features: features(scaled), lack };
}

/** Adds to logits over the temperature what each class gains: of several examples of a class, what
 * the best gives. */
export function gain(scaled, examples) {
  if (!examples.length) return scaled;
  const own = features(scaled);
  const most = best(scaled);
  const gains = new Map();
  for (const { number, features: those, lack } of examples) {
    if (most - scaled[number] > lack + SLACK) continue;
    const cosine = own.reduce((sum, value, k) => sum + value * those[k], 0);
    const gained = (lack + MARGIN) * Math.exp(SHARPNESS * (cosine - 1));
    gains.set(number, Math.max(gains.get(number) ?? 0, gained));
  }
  return scaled.map((z, k) => z + (gains.get(k) ?? 0));
}

function best(scaled) {
  return scaled.reduce((a, b) => Math.max(a, b));
}

/** Logits less their mean, of length 1. */
function features(scaled) {
  const mean = scaled.reduce((a, b) => a + b) / scaled.length;
  const centred = scaled.map((z) => z - mean);
  const length = Math.sqrt(centred.reduce((sum, z) => sum + z * z, 0));
  return centred.map((z) => z / Math.max(length, 1e-12));
}

/** The text of a file that Python's `load_memory` reads as well. */
export async function write(examples, size) {
  const packed = await Promise.all(
    examples.map(async ({ character, image }) => [
      character,
      btoa(String.fromCharCode(...(await through(image, new CompressionStream("deflate"))))),
    ]),
  );
  return JSON.stringify({ kakitori: KIND, size, examples: packed });
}

/**
 * The characters and pictures of such a text.
 *
 * @returns {Promise<[string, Uint8Array][]>}
 * @throws {Error} with the code `no-memory`
 */
export async function read(text, size, classes) {
  let examples;
  try {
    const about = JSON.parse(text);
    if (about.kakitori !== KIND) throw new Error(`kakitori: ${about.kakitori}`);
    if (about.size !== size) throw new Error(`${about.size} pixels a side where the model has ${size}`);
    examples = await Promise.all(
      about.examples.map(async ([character, packed]) => {
        const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
        const image = await through(bytes, new DecompressionStream("deflate"));
        if (image.length !== size * size) throw new Error(`a picture of ${image.length} bytes`);
        return [character, image];
      }),
    );
  } catch (error) {
    throw coded(`expected a memory of examples, found: ${error.message}`);
  }
  const strange = examples.map(([character]) => character).filter((c) => !classes.includes(c));
  if (strange.length) {
    throw coded(`expected examples of the model's ${classes.length} classes, found ${strange.join("")}`);
  }
  return examples;
}

async function through(bytes, stream) {
  const passed = new Blob([bytes]).stream().pipeThrough(stream);
  return new Uint8Array(await new Response(passed).arrayBuffer());
}

function coded(message) {
  return Object.assign(new Error(message), { code: "no-memory" });
}
