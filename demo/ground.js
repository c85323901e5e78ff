/** stages/kakitori/reading/normalising/ground.py for a page, with the same whole numbers. A mask is a picture of 0
 * and 1. */

import { crop, reduce } from "./pillow.js";

export const REACH = 8;
const BLACK = 213;
const LEAST = 16;
const DARKEST = 64;
const NOISE = 4;
const RIM = 6;
const LINE = 2;
const FINE = 64;

// --- pictures and masks ----------------------------------------------------------------------

export const part = (value, of) => Math.floor(value / of);
export const blank = (width, height) => ({ width, height, data: new Uint8Array(width * height) });
export const each = (image, change) => ({ ...image, data: image.data.map(change) });
export const inverted = (image) => each(image, (v) => 255 - v);
export const without = (mask, other) => each(mask, (v, k) => (v && !other.data[k] ? 1 : 0));
export const longer = ({ width, height }) => Math.max(width, height);
export const rowOf = ({ width, data }, y) => data.subarray(y * width, (y + 1) * width);
export const sumOf = (values) => values.reduce((a, b) => a + b, 0);

export function transposed({ width, height, data }) {
  const out = blank(height, width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) out.data[x * height + y] = data[y * width + x];
  }
  return out;
}

/** First and last-plus-one row and column of a mask, or null. */
export function extent({ width, height, data }) {
  const edges = { top: height, bottom: 0, left: width, right: 0 };
  for (let y = 0, k = 0; y < height; y++) {
    for (let x = 0; x < width; x++, k++) {
      if (!data[k]) continue;
      edges.top = Math.min(edges.top, y);
      edges.bottom = y + 1;
      edges.left = Math.min(edges.left, x);
      edges.right = Math.max(edges.right, x + 1);
    }
  }
  return edges.bottom ? edges : null;
}

/** Upper, lower, left and right edge of a picture. */
export function edgesOf(image) {
  const side = transposed(image);
  return [
    rowOf(image, 0), rowOf(image, image.height - 1), rowOf(side, 0), rowOf(side, side.height - 1),
  ];
}

/** Of each edge whether all but a tenth is of a mask. */
export const fullEdges = (mask) =>
  edgesOf(mask).map((edge) => 10 * sumOf(edge) >= 9 * edge.length);

// --- noise and polarity ----------------------------------------------------------------------

export function noiseOf({ width, height, data }) {
  if (width < 2) return 0;
  const differences = new Uint8Array((width - 1) * height);
  for (let y = 0, k = 0; y < height; y++) {
    for (let x = 1; x < width; x++, k++) {
      differences[k] = Math.abs(data[y * width + x] - data[y * width + x - 1]);
    }
  }
  return differences.sort()[differences.length >> 1];
}

export function averaged({ width, height, data }) {
  const out = blank(width, height);
  const inside = (value, length) => Math.min(Math.max(value, 0), length - 1);
  for (let y = 0, k = 0; y < height; y++) {
    for (let x = 0; x < width; x++, k++) {
      let sum = 0;
      for (let v = y - 1; v <= y + 1; v++) {
        const row = inside(v, height) * width;
        for (let u = x - 1; u <= x + 1; u++) sum += data[row + inside(u, width)];
      }
      out.data[k] = part(sum, 9);
    }
  }
  return out;
}

/** Whether ink is darker than its ground; see is_dark. */
export function isDark(image) {
  let small = reduce(image, Math.min(Math.max(part(longer(image), FINE), 1), 4));
  let { low, high, shaded } = levelsOf(small);
  let dark = each(small, (v) => (2 * v < low + high ? 1 : 0));
  const within = fullEdges(dark).every(Boolean) && paperWithin(dark);
  if (within) {
    [small, dark] = [crop(small, ...within), crop(dark, ...within)];
    shaded = levelsOf(small).shaded;
  }
  const octaves = (v) => Math.round(64 * Math.log2((v + 16) / 16));
  const values = Array.from(small.data, (v) => (shaded ? octaves(v) : v));
  const mean = part(sumOf(values), values.length);
  const second = BigInt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0));
  const third = BigInt(values.reduce((sum, v) => sum + (v - mean) ** 3, 0));
  if (!shaded && 2n * third ** 2n * BigInt(values.length) < second ** 3n) {
    const votes = edgesOf(dark).filter((edge) => 2 * sumOf(edge) > edge.length).length;
    if (votes === 0 || votes === 4) return votes === 0;
    const light = each(dark, (v) => 1 - v);
    if (votes === 2) return largestSquare(dark) < largestSquare(light);
    const full = [fullEdges(dark), fullEdges(light)].map((edges) => edges.filter(Boolean).length);
    if (!full.includes(3) || full[0] + full[1] === 4) return votes < 2;
  }
  return third <= 0n;
}

/** What lies within a frame, or on a table around it: left, top, right and bottom; or null. */
function paperWithin(dark) {
  if (3 * sumOf(dark.data) > 2 * dark.data.length) return null;
  let begins = true;
  const [[top, bottom], [left, right]] = [dark, transposed(dark)].map((lines) => {
    const most = part(lines.height, RIM);
    const many = (y) => 2 * sumOf(rowOf(lines, y)) >= lines.width;
    let [first, last] = [0, 0];
    while (first < most && many(first)) first += 1;
    while (last < most && many(lines.height - 1 - last)) last += 1;
    begins &&= Math.max(first, last) < most;
    return [first, lines.height - last];
  });
  if (!begins || Math.min(bottom - top, right - left) <= 2 * LINE) return null;
  const paper = crop(dark, left + LINE, top + LINE, right - LINE, bottom - LINE);
  const inked = edgesOf(paper).some((edge) => 3 * sumOf(edge) > edge.length);
  return inked ? null : [left, top, right, bottom];
}

/** What a fiftieth of the pixels are darker and lighter than, and whether many lie between. */
function levelsOf({ data }) {
  const ranked = data.slice().sort();
  const few = part(ranked.length, 50);
  const [low, high] = [ranked[few], ranked[ranked.length - 1 - few]];
  let between = 0;
  for (const v of data) if (4 * v > 3 * low + high && 4 * v < low + 3 * high) between += 1;
  return { low, high, shaded: 5 * between > data.length };
}

/** The side of the largest square that is all of a mask, 0 where it is empty. */
function largestSquare(mask) {
  let side = 0;
  while (mask.data.includes(1)) {
    side += 1;
    if (Math.min(mask.width, mask.height) < 2) break;
    mask = windows(windows(mask, 2, true, Math.min), 2, false, Math.min);
  }
  return side;
}

// --- the ground ------------------------------------------------------------------------------

/** The least of the greatest levels of the squares around each pixel. */
export function groundOf(image, least) {
  const { width, height } = image;
  const radius = Math.max(part(longer(image), REACH), 1);
  let wide = padded(image, 2 * radius, 2 * radius);
  for (const down of [true, false]) wide = windows(wide, 2 * radius + 1, down, Math.max);
  let inside = crop(wide, radius, radius, width + radius, height + radius);
  for (const down of [true, false]) {
    wide = windows(wide, 2 * radius + 1, down, Math.min);
    inside = spread(inside, radius, down, Math.min, 255);
  }
  const full = fullInk(contrast(wide, image), least) || BLACK;
  const darker = contrast(inside, image);
  const near = widened(each(darker, (v) => (4 * v >= 3 * full ? 1 : 0)), 2).data;
  const asDark = (k) => near[k] && 2 * darker.data[k] >= full;
  return each(wide, (v, k) => (asDark(k) ? inside.data[k] : v));
}

const GAIN = Uint16Array.from({ length: 256 }, (_, g) => part(255 * 256, Math.max(g, DARKEST)));

/** How much darker than its ground each pixel is, as a share of the ground, of 255. */
export function contrast(ground, image) {
  return each(image, (v, k) => {
    const g = ground.data[k];
    return v < g ? Math.min(((g - v) * GAIN[g]) >> 8, 255) : 0;
  });
}

/** What ink stands out by at least, above a noise. */
export function leastContrast({ data }, noise) {
  const sorted = data.slice().sort();
  const half = sorted.length >> 1;
  const middle = sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) >> 1;
  return Math.max(LEAST, (NOISE * noise * GAIN[middle]) >> 8);
}

/** What a quarter of the pixels of ink reach; 0 where there is none. */
export function fullInk({ data }, least) {
  const counts = new Array(256).fill(0);
  for (const v of data) if (v >= least) counts[v] += 1;
  const total = counts.reduce((a, b) => a + b);
  if (!total) return 0;
  let above = 0;
  for (let level = 255; ; level--) {
    above += counts[level];
    if (4 * above >= total) return level;
  }
}

// --- squares around pixels -------------------------------------------------------------------

export function padded({ width, height, data }, x, y, outside = 0) {
  const out = blank(width + 2 * x, height + 2 * y);
  if (outside) out.data.fill(outside);
  for (let row = 0; row < height; row++) {
    out.data.set(data.subarray(row * width, (row + 1) * width), (row + y) * out.width + x);
  }
  return out;
}

export function spread(image, radius, down, extreme = Math.max, outside = 0) {
  const wide = down ? padded(image, 0, radius, outside) : padded(image, radius, 0, outside);
  return windows(wide, 2 * radius + 1, down, extreme);
}

/** The extreme of each `length` pixels along an axis, so many fewer; by doubling. */
export function windows(image, length, down, extreme) {
  const greatest = extreme === Math.max;
  for (let done = 1; done < length; ) {
    const step = Math.min(done, length - done);
    const width = down ? image.width : image.width - step;
    const height = down ? image.height - step : image.height;
    const out = blank(width, height);
    const away = down ? step * image.width : step;
    for (let y = 0, k = 0; y < height; y++) {
      for (let x = 0, i = y * image.width; x < width; x++, k++, i++) {
        const [a, b] = [image.data[i], image.data[i + away]];
        out.data[k] = a > b === greatest ? a : b;
      }
    }
    image = out;
    done += step;
  }
  return image;
}

export const widened = (mask, radius) => spread(spread(mask, radius, true), radius, false);
