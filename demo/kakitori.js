/**
 * Handwritten Japanese characters in a page: recognise, show how they are written, match strokes.
 *
 *     import { load, match } from "./kakitori.js";
 *     const kakitori = await load();
 *     const { candidates, sure } = await kakitori.recognise(strokes);
 *
 * Strokes are polylines in the order of writing, [[[x, y], …], …], in any units, y down. All files
 * lie in the folder of this module, on the page's own origin. Errors are `KakitoriError`.
 */

import { extent } from "./drawing.js";

export { lookAlikes, match, STRICTNESS, strokesOf, USUAL } from "./matching.js";

const FOLDER = new URL(".", import.meta.url);
const MAX_PIXELS = 100_000_000; // as in recognize.py

/**
 * What went wrong, by `code`:
 *
 * - `no-simd`: the browser has no WebAssembly SIMD
 * - `not-loaded`: a file of the folder is missing or damaged
 * - `empty`: no stroke, or a picture without ink
 * - `no-image`: a file that the browser cannot read as a picture
 * - `too-large`: a picture of more than 100 megapixels
 * - `no-frame`: a frame that is smaller than the strokes, or beside a picture
 * - `no-candidates`: candidates that are neither alphabets nor characters that the model knows
 * - `no-prior`: a prior that there is none of
 * - `no-class`: a character to learn that the model does not know
 * - `no-memory`: a text that is no memory of examples, or one of another kind of model
 * - `closed`: `close()` was called
 * - `failed`: anything else; the message has the reason
 */
export class KakitoriError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "KakitoriError";
    this.code = code;
  }
}

/**
 * Starts the recogniser in a worker of its own and loads the model.
 *
 * @param {object} [options]
 * @param {string|URL} [options.folder] where the files lie; this module's folder
 * @param {number} [options.threads] at most so many where the page is cross-origin isolated; 0
 *     leaves the number to ONNX Runtime. Elsewhere it is always one.
 * @param {string} [options.model] the model's file in the folder
 * @returns {Promise<Kakitori>}
 * @throws {KakitoriError} no-simd, not-loaded
 */
export async function load({ folder = FOLDER, threads = 0, model = "model.onnx" } = {}) {
  if (!hasSimd()) throw new KakitoriError("no-simd", "expected WebAssembly SIMD, found none");
  const kakitori = new Kakitori();
  try {
    const given = { folder: new URL(folder, FOLDER).href, model, threads };
    return Object.assign(kakitori, await kakitori._ask("load", given));
  } catch (error) {
    kakitori.close();
    throw new KakitoriError("not-loaded", error.message);
  }
}

/**
 * A recogniser; `load` makes it.
 *
 * Of the model: `classes` (an array of characters), `size` (side of its input in pixels),
 * `temperature`, `background`, the logit of none of the classes, `threshold`, the confidence from
 * which on 99.5 % of its answers were right on validation, `alphabets` (characters by name), `priors`
 * (weights by name) and `version` (what is known of the model; null but for the shipped one).
 */
export class Kakitori {
  constructor() {
    this._asked = 0;
    this._waiting = new Map();
    this._worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this._worker.addEventListener("message", ({ data }) => this._answered(data));
    this._worker.addEventListener("error", (event) => this._broken(event));
  }

  /**
   * The likeliest characters of what was drawn or of a picture of one character.
   *
   * @param {number[][][]|Blob|ImageData|ImageBitmap} input a bitmap stays the caller's
   * @param {object} [options]
   * @param {number} [options.top] how many
   * @param {string} [options.meant] a character of which the probability is wanted anyway
   * @param {string} [options.candidates] the characters that may be answered: names of alphabets
   *     (`Object.keys(kakitori.alphabets)`), characters, or both, joined by +; all where it is ""
   * @param {string} [options.prior] "text" weighs characters by how often they are written
   * @param {number} [options.frame] of strokes: the side of the area that was there to write in, in
   *     their units; tells small characters from large ones (っ from つ)
   * @returns {Promise<{candidates: {character: string, probability: number}[], sure: boolean,
   *     meant: ?{character: string, probability: number, rank: number}}>} best first, with
   *     calibrated probabilities, look-alikes together; `meant` is null for a character that is no
   *     candidate
   * @throws {KakitoriError} empty, no-image, too-large, no-frame, no-candidates, no-prior
   */
  async recognise(input, { top = 10, meant, frame, candidates = "", prior = "" } = {}) {
    const given = await checked(input, frame);
    return this._ask("recognise", { ...given, top, meant, frame, candidates, prior });
  }

  /** What the model is shown of an input, Uint8Array (size × size), 255 = ink. */
  async preprocess(input) {
    return this._ask("preprocess", await checked(input));
  }

  /**
   * Takes an input for what someone says that it is: what that hand writes like it is from now on
   * likelier to be read so.
   *
   * @param {number[][][]|Blob|ImageData|ImageBitmap} input
   * @param {string} character
   * @throws {KakitoriError} empty, no-image, too-large, no-class
   */
  async learn(input, character) {
    return this._ask("learn", { ...(await checked(input)), character });
  }

  /** Forgets what it was told of a character, or all. */
  async forget(character = "") {
    return this._ask("forget", { character });
  }

  /** What it was told, as the text of a small file, which Python's `load_memory` reads as well. */
  async saveMemory() {
    return this._ask("saveMemory");
  }

  /**
   * Takes what such a text says in place of what it was told.
   *
   * @param {string} text
   * @throws {KakitoriError} no-memory
   */
  async loadMemory(text) {
    return this._ask("loadMemory", { text });
  }

  /** Ends the worker; what is asked for still, or later, is answered with an error. */
  close() {
    this._closed = true;
    this._worker.terminate();
    this._reject(new KakitoriError("closed", "the recogniser has been closed"));
  }

  _ask(question, given) {
    return new Promise((resolve, reject) => {
      if (this._closed) throw new KakitoriError("closed", "the recogniser has been closed");
      const number = (this._asked += 1);
      this._waiting.set(number, { resolve, reject });
      this._worker.postMessage({ number, question, given });
    });
  }

  _answered({ number, result, code, reason }) {
    const { resolve, reject } = this._waiting.get(number);
    this._waiting.delete(number);
    if (code) reject(new KakitoriError(code, reason));
    else resolve(result);
  }

  _broken(event) {
    this._reject(new KakitoriError("failed", event.message ?? "the worker did not start"));
  }

  _reject(error) {
    for (const { reject } of this._waiting.values()) reject(error);
    this._waiting.clear();
  }
}

/** An input as the worker takes it. */
async function checked(input, frame) {
  if (Array.isArray(input)) {
    const strokes = input.filter((stroke) => stroke.length);
    if (!strokes.length) throw new KakitoriError("empty", "expected strokes, found none");
    if (frame !== undefined && !(extent(strokes, 0) <= frame && frame < Infinity)) {
      throw new KakitoriError("no-frame", `expected a frame around the strokes, found ${frame}`);
    }
    return { strokes };
  }
  if (frame !== undefined) throw new KakitoriError("no-frame", "expected a frame of strokes alone");
  const { width, height } = input instanceof Blob ? await dimensions(input) : input;
  if (width * height > MAX_PIXELS) {
    throw new KakitoriError(
      "too-large",
      `expected at most ${MAX_PIXELS} pixels, found ${width} x ${height}`,
    );
  }
  return input instanceof Blob ? { file: input } : { pixels: input };
}

/** Width and height of a picture before it is decoded, which may take more memory than there is. */
async function dimensions(blob) {
  const picture = new Image();
  picture.src = URL.createObjectURL(blob);
  try {
    await new Promise((resolve, reject) => {
      picture.onload = resolve;
      picture.onerror = () => reject(new KakitoriError("no-image", "expected a picture"));
    });
    return { width: picture.naturalWidth, height: picture.naturalHeight };
  } finally {
    URL.revokeObjectURL(picture.src);
  }
}

/**
 * How characters are written; needs neither the model nor WebAssembly.
 *
 * @param {object} [options]
 * @param {string|URL} [options.folder] where the files lie; this module's folder
 * @returns {Promise<Map<string, {strokes: number[][][], ways: (number[][][]|number[])[], ordered: boolean,
 *     source: string, credit: string}>>} by character its polylines in the unit square, in the order
 *     of writing, other right ways to write it, and whether order and direction are true; those
 *     traced from a font have none. Its properties `same` and `confused` are for `lookAlikes`.
 * @throws {KakitoriError} not-loaded
 */
export async function loadCharacters({ folder = FOLDER } = {}) {
  const read = async (name) => {
    const response = await fetch(new URL(name, new URL(folder, FOLDER)));
    if (!response.ok) throw new Error(`${name}: expected a file, found HTTP ${response.status}`);
    return response;
  };
  try {
    const [about, packed] = await Promise.all([read("characters.json"), read("strokes.bin")]);
    return unpacked(await about.json(), new Uint8Array(await packed.arrayBuffer()));
  } catch (error) {
    throw new KakitoriError("not-loaded", error.message);
  }
}

/** Per character its source, its strokes and other ways to write it, as `pack` in demo.py writes
 * them; `same` of the table are groups that no shape tells apart, `confused` those that people
 * confuse. */
function unpacked({ characters, sources, same = [], confused = [] }, bytes) {
  let place = 0;
  const byte = () => bytes[place++];
  const list = (read) => Array.from({ length: byte() }, read);
  const table = new Map();
  for (const character of characters) {
    const { name, ...about } = sources[byte()];
    const lines = (count) =>
      Array.from({ length: count }, () => list(() => [byte() / 255, byte() / 255]));
    const strokes = lines(byte());
    let form = strokes;
    const ways = list(() => {
      const count = byte();
      if (count) return (form = lines(count));
      return form.map(() => byte()).map((k) => (k > 127 ? k - 256 : k));
    });
    table.set(character, { strokes, ways, source: name, ...about });
  }
  return Object.assign(table, { same, confused });
}

/** Whether a module with one instruction on 128 bits is one that this browser would run. */
function hasSimd() {
  const module = [
    [0, 97, 115, 109, 1, 0, 0, 0], // WebAssembly, version 1
    [1, 5, 1, 96, 0, 1, 123], // a type: nothing to a vector of 128 bits
    [3, 2, 1, 0], // one function of it
    [10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11], // i32.const 0, i8x16.splat, i8x16.popcnt
  ];
  return typeof WebAssembly === "object" && WebAssembly.validate(Uint8Array.from(module.flat()));
}
