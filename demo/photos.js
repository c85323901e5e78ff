/** stages/kakitori/corpora/photos.py for a page: pictures of any kind as training images are. */

import { normalise, span } from "./images.js";
import { composite, crop, grey, reduce } from "./pillow.js";

const WORKING_SIDE = 112;
const STRIP = 1024; // lines read at a time, a multiple of every factor that JPEG is decoded by

/**
 * A picture of one character as training images are.
 *
 * @param {ImageBitmap|ImageData} source any size, grey or colour, dark on light or light on dark
 * @param {number} size side of the output in pixels
 * @param {boolean} jpeg whether it comes from a JPEG file, which Python decodes straight to a
 *     smaller size
 * @returns {Uint8Array} size × size, 255 = ink
 */
export function prepare(source, size, jpeg = false) {
  const half = Math.min(Math.floor(source.width / 1024), Math.floor(source.height / 1024));
  const factor = jpeg ? [8, 4, 2, 1].find((f) => half >= f || f === 1) : 1;
  return prepareGrey(greyOf(source, factor), size);
}

/** The same of a grey picture {width, height, data}, such as `draw` makes. */
export function prepareGrey(image, size) {
  const ink = closelyCropped(inkOf(image));
  return normalise(padded(ink, 2), size);
}

/** What is drawn on nothing is drawn on white, unless it is white itself. */
function greyOf(source, factor) {
  const { image, transparent, white } = readGrey(source, factor, 255);
  return transparent && white ? readGrey(source, factor, 0).image : image;
}

/** Grey over a ground, read strip by strip: a phone has no room for 50 megapixels four times. */
function readGrey(source, factor, ground) {
  const { width, height } = source;
  const strips = [];
  let opaque = 0;
  let sum = 0;
  for (let y = 0; y < height; y += STRIP) {
    const lines = Math.min(STRIP, height - y);
    const rgba = pixels(source, y, lines);
    let levels = grey(rgba);
    let solid = true;
    for (let k = 0; k < levels.length; k++) {
      const alpha = rgba[4 * k + 3];
      if (alpha < 255) solid = false;
      if (alpha > 127) {
        opaque += 1;
        sum += levels[k];
      }
    }
    if (!solid) {
      composite(rgba, ground);
      levels = grey(rgba);
    }
    strips.push(reduce({ width, height: lines, data: levels }, factor));
  }
  const image = stacked(strips);
  return { image, transparent: opaque < width * height, white: opaque > 0 && sum / opaque > 200 };
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

/** Ink bright on a dark, even ground. */
function inkOf(image) {
  const longest = Math.max(image.width, image.height);
  const small = longest > 512 ? reduce(image, Math.ceil(longest / 512)) : image;
  const ground = groundOf(small);
  const dark = new Uint8Array(ground.length);
  const light = new Uint8Array(ground.length);
  let power = 0; // of the dark side beyond the light one: ink deviates more strongly than paper
  for (let k = 0; k < ground.length; k++) {
    const difference = small.data[k] - ground[k];
    if (difference > 0) light[k] = difference;
    else dark[k] = -difference;
    power -= difference * Math.abs(difference);
  }
  return { ...small, data: power >= 0 ? dark : light };
}

/** The paper without the writing: a plane fitted to the pixels near the border's level. */
function groundOf(image) {
  const { width, height, data } = image;
  const rim = borderOf(image);
  const most = median(data);
  const level = median(rim.levels);
  const sorted = data.slice().sort();
  if (Math.abs(level - most) > 0.4 * (sorted.at(-1) - sorted[0])) {
    // Cropped so tightly that its rim is ink: most of the picture is paper still.
    return new Uint8Array(data.length).fill(Math.trunc(most));
  }
  let distances = rim.levels.map((v) => Math.abs(v - level));
  let limit = Math.max(3 * median(distances), 12);
  let plane;
  for (let round = 0; round < 3; round++) {
    plane = fittedPlane(rim, distances, limit);
    distances = rim.levels.map((v, k) => Math.abs(v - at(plane, rim.xs[k], rim.ys[k])));
    limit = Math.max(2.5 * median(distances), 6);
  }
  const ground = new Uint8Array(data.length);
  for (let y = 0, k = 0; y < height; y++) {
    for (let x = 0; x < width; x++, k++) {
      ground[k] = Math.trunc(Math.min(Math.max(at(plane, x / width, y / height), 0), 255));
    }
  }
  return ground;
}

/** Places, 0 to 1, and levels of the pixels near the border, Float64Array each. */
function borderOf({ width, height, data }) {
  const edge = Math.max(Math.floor(Math.min(width, height) / 16), 1);
  const places = [];
  for (let y = 0; y < height; y++) {
    const inside = y >= edge && y < height - edge;
    for (let x = 0; x < width; x++) {
      if (inside && x === edge && edge < width - edge) x = width - edge;
      places.push(y * width + x);
    }
  }
  return {
    xs: Float64Array.from(places, (k) => (k % width) / width),
    ys: Float64Array.from(places, (k) => Math.floor(k / width) / height),
    levels: Float64Array.from(places, (k) => data[k]),
  };
}

const at = (plane, x, y) => plane.level + plane.right * (x - plane.x) + plane.down * (y - plane.y);

/** Least squares over the pixels within the limit, about their mean: even paper, even plane. */
function fittedPlane({ xs, ys, levels }, distances, limit) {
  let count = 0;
  let x = 0;
  let y = 0;
  let level = 0;
  for (let k = 0; k < levels.length; k++) {
    if (distances[k] > limit) continue;
    count += 1;
    x += xs[k];
    y += ys[k];
    level += levels[k];
  }
  x /= count;
  y /= count;
  level /= count;
  let xx = 0;
  let xy = 0;
  let yy = 0;
  let xv = 0;
  let yv = 0;
  for (let k = 0; k < levels.length; k++) {
    if (distances[k] > limit) continue;
    const dx = xs[k] - x;
    const dy = ys[k] - y;
    const dv = levels[k] - level;
    xx += dx * dx;
    xy += dx * dy;
    yy += dy * dy;
    xv += dx * dv;
    yv += dy * dv;
  }
  const det = xx * yy - xy * xy;
  if (det <= 1e-12 * xx * yy) {
    // All on a line, level or upright: it can lean along itself alone.
    return { x, y, level, right: xv / (xx + yy || 1), down: yv / (xx + yy || 1) };
  }
  return { x, y, level, right: (xv * yy - yv * xy) / det, down: (yv * xx - xv * xy) / det };
}

/** Of a typed array. */
function median(values) {
  const sorted = values.slice().sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The part with ink and a margin, reduced so that `normalise` only rescales a little. */
function closelyCropped(image) {
  const { width, height, data } = image;
  const rank = Math.max(Math.floor(data.length / 200), 1);
  const full = data.slice().sort()[data.length - rank];
  const least = Math.max(0.4 * full, 16);
  const rows = new Array(height).fill(false);
  const columns = new Array(width).fill(false);
  for (let k = 0; k < data.length; k++) {
    if (data[k] > least) rows[Math.floor(k / width)] = columns[k % width] = true;
  }
  if (!rows.includes(true) || Math.min(width, height) < 2) return image;
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
