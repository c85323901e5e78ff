/** The part of stages/kakitori/reading/normalising/images.py that a page needs, with the same roundings. */

import { crop, resize } from "./pillow.js";

export const EXTENT = 0.875;
const MIN_CONTRAST = 16;

/**
 * Stretches the contrast of one character, crops, scales and centres it.
 *
 * @param {{width: number, height: number, data: Uint8Array}} image ink bright on a dark ground
 * @param {number} size side of the output in pixels
 * @returns {Uint8Array} size × size, 0 = paper, 255 = full ink; all 0 without ink
 */
export function normalise(image, size) {
  const { paper, ink, rows, columns } = levels(image);
  const square = new Uint8Array(size * size);
  place(square, size, image, paper, ink, rows, columns);
  const low = rint(paper);
  const contrast = Math.max(rint(ink), low) - low;
  const gain = contrast < MIN_CONTRAST ? 0 : Math.floor((255 * 256) / contrast);
  return square.map((v) => (Math.min(Math.max(v - low, 0), contrast) * gain) >> 8);
}

function place(square, size, image, paper, ink, rows, columns) {
  // NumPy compares in single precision here.
  const threshold = Math.fround(paper + Math.fround(Math.fround(0.4) * Math.fround(ink - paper)));
  let [top, bottom] = span(Array.from(rows, (v) => v > threshold));
  let [left, right] = span(Array.from(columns, (v) => v > threshold));
  const scale = (EXTENT * size) / Math.max(bottom - top, right - left);
  const margin = 2 * scale <= (1 - EXTENT) * size ? 1 : 0;
  top = Math.max(top - margin, 0);
  left = Math.max(left - margin, 0);
  bottom = Math.min(bottom + margin, image.height);
  right = Math.min(right + margin, image.width);
  const height = Math.max(rint((bottom - top) * scale), 1);
  const width = Math.max(rint((right - left) * scale), 1);
  const scaled = resize(crop(image, left, top, right, bottom), width, height);
  const y = Math.floor((size - height) / 2);
  const x = Math.floor((size - width) / 2);
  for (let row = 0; row < height; row++) {
    const line = scaled.data.subarray(row * width, (row + 1) * width);
    square.set(line, (y + row) * size + x);
  }
}

/** Paper and ink level, and the darkest pixel of each row and column. */
function levels({ width, height, data }) {
  const rows = new Uint8Array(height);
  const columns = new Uint8Array(width);
  const sums = { top: 0, bottom: 0, left: 0, right: 0 };
  for (let y = 0; y < height; y++) {
    sums.left += data[y * width];
    sums.right += data[y * width + width - 1];
    for (let x = 0; x < width; x++) {
      const value = data[y * width + x];
      if (value > rows[y]) rows[y] = value;
      if (value > columns[x]) columns[x] = value;
      if (y === 0) sums.top += value;
      if (y === height - 1) sums.bottom += value;
    }
  }
  const means = [sums.top / width, sums.bottom / width, sums.left / height, sums.right / height];
  const paper = Math.fround(Math.min(...means));
  const sorted = [rows, columns].map((profile) => profile.slice().sort());
  const darkest = (rank) => Math.max(...sorted.map((s) => s[Math.max(s.length - rank, 0)]));
  let ink = darkest(4);
  if (Math.fround(ink - paper) < MIN_CONTRAST) ink = darkest(2);
  return { paper, ink, rows, columns };
}

/** First and last-plus-one line with ink; a line counts when its neighbour holds ink as well. */
export function span(dark) {
  const pair = dark.slice(1).map((value, k) => value && dark[k]);
  const inked = pair.some(Boolean) ? pair : dark.slice(1);
  if (!inked.some(Boolean)) return [0, dark.length];
  return [inked.indexOf(true), inked.lastIndexOf(true) + 2];
}

/** The nearest whole number, halves to the even one, as NumPy's rint. */
export function rint(value) {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 ? low + 1 : low;
}
