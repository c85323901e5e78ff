/**
 * What photos.js needs of Pillow, with the same integers, so that a page and Python
 * feed the model the same numbers. A picture is {width, height, data}, Uint8Array row by row.
 */

/** Grey of RGBA pixels, Uint8Array; ITU-R 601 in Pillow's fixed point. Alpha is left aside. */
export function grey(rgba) {
  const out = new Uint8Array(rgba.length / 4);
  for (let k = 0, i = 0; k < out.length; k++, i += 4) {
    out[k] = (rgba[i] * 19595 + rgba[i + 1] * 38470 + rgba[i + 2] * 7471 + 0x8000) >> 16;
  }
  return out;
}

/** RGBA pixels laid over an even ground (0 or 255), in place. */
export function composite(rgba, ground) {
  for (let i = 0; i < rgba.length; i += 4) {
    const alpha = rgba[i + 3];
    if (alpha === 255) continue;
    for (let c = i; c < i + 3; c++) {
      const sum = (rgba[c] * alpha + ground * (255 - alpha)) * 128 + 0x4000;
      rgba[c] = ((sum >> 8) + sum) >> 15;
    }
    rgba[i + 3] = 255;
  }
}

/** A picture with each square of factor × factor pixels as one, their mean; Image.reduce. */
export function reduce(image, factor) {
  if (factor === 1) return image;
  const width = Math.ceil(image.width / factor);
  const height = Math.ceil(image.height / factor);
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const bottom = Math.min((y + 1) * factor, image.height);
    for (let x = 0; x < width; x++) {
      const right = Math.min((x + 1) * factor, image.width);
      let sum = 0;
      for (let v = y * factor; v < bottom; v++) {
        for (let u = x * factor; u < right; u++) sum += image.data[v * image.width + u];
      }
      const area = (bottom - y * factor) * (right - x * factor);
      // Division as Pillow does it: by a factor of 24 bits, kept in single precision.
      const inverse = Math.trunc(Math.fround(2 ** 24 / area));
      data[y * width + x] = Math.floor(((sum + (area >> 1)) * inverse) / 2 ** 24);
    }
  }
  return { width, height, data };
}

/** The part from (left, top) up to, without it, (right, bottom). */
export function crop(image, left, top, right, bottom) {
  const width = right - left;
  const height = bottom - top;
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const start = (top + y) * image.width + left;
    data.set(image.data.subarray(start, start + width), y * width);
  }
  return { width, height, data };
}

const BITS = 22; // of the fraction of Pillow's weights

/** A picture at another size, bilinear with a support that grows when it shrinks; Image.resize. */
export function resize(image, width, height) {
  return vertically(horizontally(image, width), height);
}

function horizontally(image, width) {
  if (width === image.width) return image;
  const data = new Uint8Array(width * image.height);
  weights(image.width, width).forEach(({ first, factors }, x) => {
    for (let y = 0; y < image.height; y++) {
      data[y * width + x] = weighed(image.data, y * image.width + first, 1, factors);
    }
  });
  return { width, height: image.height, data };
}

function vertically(image, height) {
  if (height === image.height) return image;
  const { width } = image;
  const data = new Uint8Array(width * height);
  weights(image.height, height).forEach(({ first, factors }, y) => {
    for (let x = 0; x < width; x++) {
      data[y * width + x] = weighed(image.data, first * width + x, width, factors);
    }
  });
  return { width, height, data };
}

/** Pixels from a place on, `step` apart, by their weights. */
function weighed(data, start, step, factors) {
  let sum = 2 ** (BITS - 1);
  for (let k = 0; k < factors.length; k++) sum += data[start + k * step] * factors[k];
  return Math.min(Math.max(Math.floor(sum / 2 ** BITS), 0), 255);
}

/** For each place of a line of `after` the first pixel of `before` that counts, and the weights. */
function weights(before, after) {
  const scale = before / after;
  const support = Math.max(scale, 1);
  return Array.from({ length: after }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    const end = Math.min(Math.trunc(centre + support + 0.5), before);
    const raw = [];
    for (let k = first; k < end; k++) {
      raw.push(Math.max(1 - Math.abs((k - centre + 0.5) * (1 / support)), 0));
    }
    const sum = raw.reduce((a, b) => a + b, 0);
    return { first, factors: raw.map((w) => Math.trunc(0.5 + (w / sum) * 2 ** BITS)) };
  });
}
