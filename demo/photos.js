/** stages/kakitori/reading/normalising/photos.py and pictures.py for a page: pictures as training images are. */

import { EXTENT, normalise, rint, span } from "./images.js";
import { composite, crop, grey, reduce, resize } from "./pillow.js";
import { inkOf } from "./segmentation.js";

const WORKING_SIDE = 112;
const MAX_ENLARGEMENT = 1.5; // of a frame: a mark written small in it stays smaller than a full one
const LONGEST = 512;
const STRIP = 1024; // lines read at a time: a phone has no room for 50 megapixels four times
const SOLID = 250;
const CARD_SHARE = 0.2;
const CARD_RANGE = 64;
const COLOUR_GAIN = 2.5;
const COLOUR_LEAST = 32;

/**
 * A picture of one character as training images are.
 *
 * @param {ImageBitmap|ImageData} source any size, grey or colour, dark on light or light on dark
 * @param {number} size side of the output in pixels
 * @param {boolean} jpeg whether it comes from a JPEG file, which Python decodes straight to a
 *     smaller size
 * @returns {Uint8Array} size × size, 255 = ink; all 0 where there is no character
 */
export function prepare(source, size, jpeg = false) {
  const half = Math.min(Math.floor(source.width / 1024), Math.floor(source.height / 1024));
  const factor = jpeg ? [8, 4, 2, 1].find((f) => half >= f || f === 1) : 1;
  const { ink, there, pixels } = inkOf(levelsOf(source, factor));
  return normalise(padded(closelyCropped(ink, there, pixels), 2), size);
}

/** The same of ink {width, height, data} alone, such as `draw` makes. */
export function prepareInk(ink, size) {
  const there = { ...ink, data: ink.data.map((v) => (v ? 1 : 0)) };
  return normalise(padded(closelyCropped(ink, there, ink.data.length), 2), size);
}

/**
 * A normalised image of ink whose longer side was `extent`, as small as training images show it whose
 * frame had the side `frame`; the image itself where that changes nothing.
 */
export function within(normalised, size, extent, frame) {
  const side = Math.max(rint((size * MAX_ENLARGEMENT * extent) / frame / EXTENT), 1);
  if (side >= size) return normalised;
  const smaller = resize({ width: size, height: size, data: normalised }, side, side);
  const image = new Uint8Array(size * size);
  const first = Math.floor((size - side) / 2);
  for (let row = 0; row < side; row++) {
    const line = smaller.data.subarray(row * side, (row + 1) * side);
    image.set(line, (first + row) * size + first);
  }
  return image;
}

/** Grey, or the difference of colours that tells more; the longer side at most LONGEST. */
function levelsOf(source, first) {
  const { width, height } = source;
  const second = Math.ceil(Math.ceil(Math.max(width, height) / first) / LONGEST);
  const lines = Math.max(Math.floor(STRIP / (first * second)), 1) * first * second;
  const strips = [];
  for (let y = 0; y < height; y += lines) {
    strips.push(() => pixels(source, y, Math.min(lines, height - y)));
  }
  const laid = onGround(strips, width * height);
  const reduced = strips.map((strip) => {
    const rgba = strip();
    laid(rgba);
    return [0, 1, 2].map((channel) => {
      const data = new Uint8Array(rgba.length / 4);
      for (let k = 0; k < data.length; k++) data[k] = rgba[4 * k + channel];
      return reduce(reduce({ width, height: data.length / width, data }, first), second);
    });
  });
  return telling([0, 1, 2].map((channel) => stacked(reduced.map((strip) => strip[channel]))));
}

/** How pixels on nothing are laid on white, on black, or beside a card on what the card is. */
function onGround(strips, pixels) {
  const opaque = new Array(256).fill(0);
  const solid = new Array(256).fill(0);
  for (const strip of strips) {
    const rgba = strip();
    const levels = grey(rgba);
    for (let k = 0; k < levels.length; k++) {
      const alpha = rgba[4 * k + 3];
      if (alpha > 127) opaque[levels[k]] += 1;
      if (alpha >= SOLID) solid[levels[k]] += 1;
    }
  }
  const sum = (counts) => counts.reduce((a, b) => a + b);
  const [known, total] = [sum(opaque), sum(solid)];
  const few = Math.max(Math.floor(total / 300), 1);
  const ranked = (rank) => {
    let below = 0;
    return Math.max(solid.findIndex((count) => (below += count) >= rank), 0);
  };
  const [low, high] = [ranked(few), ranked(total - few + 1)];
  const card = total >= CARD_SHARE * pixels && high - low >= CARD_RANGE;
  if (card && known < pixels) {
    const ground = ranked(Math.floor((total + 1) / 2));
    return (rgba) => {
      for (let i = 0; i < rgba.length; i += 4) {
        if (rgba[i + 3] < SOLID) rgba.fill(ground, i, i + 3);
      }
    };
  }
  const white = known && sum(opaque.map((count, level) => count * level)) > 200 * known;
  return (rgba) => composite(rgba, white && known < pixels ? 0 : 255);
}

/** Grey of three channels, or, where it is nearly even, the colours' difference. */
function telling([red, green, blue]) {
  const { width } = red;
  const [r, g, b] = [red.data, green.data, blue.data];
  const made = (of) => ({ ...red, data: r.map((_, k) => of(r[k], g[k], b[k])) });
  const plain = made((x, y, z) => (x * 19595 + y * 38470 + z * 7471 + 0x8000) >> 16);
  const sides = [
    made((x, y) => 128 + ((x - y) >> 1)),
    made((x, y, z) => 128 + ((((x + y) >> 1) - z) >> 1)),
  ];
  const contrasts = sides.map((side) => contrastOf(side.data, width));
  const best = contrasts[1] > contrasts[0] ? 1 : 0;
  const needed = Math.max(COLOUR_LEAST, COLOUR_GAIN * contrastOf(plain.data, width) + 1);
  return contrasts[best] < needed ? plain : sides[best];
}

/** Between the lowest and the highest two-hundredth of every other pixel. */
function contrastOf(data, width) {
  const some = data.filter((_, k) => k % width % 2 === 0 && Math.floor(k / width) % 2 === 0).sort();
  const few = Math.max(Math.floor(some.length / 200), 1) - 1;
  return some[some.length - 1 - few] - some[few];
}

/** Strips below each other. */
function stacked(strips) {
  const { width } = strips[0];
  const height = strips.reduce((total, strip) => total + strip.height, 0);
  const data = new Uint8Array(width * height);
  let place = 0;
  for (const strip of strips) {
    data.set(strip.data, place);
    place += strip.data.length;
  }
  return { width, height, data };
}

/** Lines of a picture as RGBA, Uint8ClampedArray. */
function pixels(source, top, lines) {
  const { width } = source;
  if (source instanceof ImageData) {
    return source.data.slice(4 * width * top, 4 * width * (top + lines));
  }
  const canvas = new OffscreenCanvas(width, lines);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(source, 0, -top);
  return context.getImageData(0, 0, width, lines).data;
}

/** The part with ink and a margin, reduced so that `normalise` only rescales a little. */
function closelyCropped(image, there, pixels) {
  const { width, height, data } = image;
  const rank = Math.max(Math.floor(pixels / 200), 1);
  const inked = data.filter((_, k) => there.data[k]).sort();
  const full = rank <= inked.length ? inked[inked.length - rank] : 0;
  const least = Math.max(0.4 * full, 16);
  const rows = new Array(height).fill(false);
  const columns = new Array(width).fill(false);
  for (let k = 0; k < data.length; k++) {
    if (data[k] > least && there.data[k]) {
      rows[Math.floor(k / width)] = columns[k % width] = true;
    }
  }
  if (!rows.includes(true) || Math.min(width, height) < 2) {
    return { ...image, data: new Uint8Array(data.length) };
  }
  const [top, bottom] = span(rows);
  const [left, right] = span(columns);
  const margin = Math.floor(Math.max(bottom - top, right - left) / 16) + 2;
  const cut = crop(
    image,
    Math.max(left - margin, 0),
    Math.max(top - margin, 0),
    Math.min(right + margin, width),
    Math.min(bottom + margin, height),
  );
  const factor = Math.floor(Math.max(cut.width, cut.height) / WORKING_SIDE);
  return factor > 1 ? reduce(cut, factor) : cut;
}

/** A rim of clean paper: even a picture of one pixel has edges to measure the paper by. */
function padded({ width, height, data }, rim) {
  const wide = width + 2 * rim;
  const out = new Uint8Array(wide * (height + 2 * rim));
  for (let y = 0; y < height; y++) {
    out.set(data.subarray(y * width, (y + 1) * width), (y + rim) * wide + rim);
  }
  return { width: wide, height: height + 2 * rim, data: out };
}
