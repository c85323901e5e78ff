/**
 * stages/kakitori/corpora/segmentation.py for a page, with the same whole numbers: the one character
 * in a picture, without shadows, rules, cells, borders and neighbours. A mask is a picture of 0 and 1.
 */

import { crop, reduce } from "./pillow.js";

const SIDE = 256;
const REACH = 8;
const BLACK = 213;
const LEAST = 16;
const DARKEST = 64;
const NOISE = 4;
const FAINT = 8;
const DOT = 40;
const SPECK = 40;
const THIN = 40;
const LONG = 3;
const EDGE = 50;
const SEEN = 12;
const OUTER = 8;

/**
 * @param {{width: number, height: number, data: Uint8Array}} levels dark on light or light on dark
 * @returns {{ink: object, there: object, pixels: number}} ink bright on 0, with a margin; where the
 *     character is, a mask, empty where there is none; pixels of the whole picture
 */
export function inkOf(levels) {
  const factor = Math.ceil(Math.max(levels.width, levels.height) / SIDE);
  const small = reduce(levels, factor);
  const noise = noiseOf(small);
  let smooth = noise >= 2 ? averaged(small) : small;
  if (!isDark(smooth)) [levels, smooth] = [inverted(levels), inverted(smooth)];
  const sorted = smooth.data.slice().sort();
  const half = sorted.length >> 1;
  const middle = sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) >> 1;
  const least = Math.max(LEAST, (NOISE * noise * GAIN[middle]) >> 8);
  const ground = groundOf(smooth, least);
  const { kept, removed } = character(contrast(ground, smooth), least);
  const found = extent(kept);
  if (!found) return { ink: blank(2, 2), there: blank(2, 2), pixels: levels.data.length };
  const margin = Math.floor(Math.max(found.bottom - found.top, found.right - found.left) / 16) + 4;
  const top = Math.max(found.top - margin, 0);
  const left = Math.max(found.left - margin, 0);
  const bottom = Math.min(found.bottom + margin, small.height);
  const right = Math.min(found.right + margin, small.width);
  const cut = crop(
    levels,
    factor * left,
    factor * top,
    Math.min(factor * right, levels.width),
    Math.min(factor * bottom, levels.height),
  );
  const enlarged = (part) => repeated(crop(part, left, top, right, bottom), factor, cut);
  const ink = contrast(enlarged(ground), cut);
  if (removed.data.includes(1)) {
    const gone = enlarged(without(widened(removed, 1), kept)).data;
    for (let k = 0; k < gone.length; k++) if (gone[k]) ink.data[k] = 0;
  }
  const pixels = small.data.length * factor * factor;
  return { ink, there: enlarged(widened(kept, 1)), pixels };
}

const blank = (width, height) => ({ width, height, data: new Uint8Array(width * height) });
const each = (image, change) => ({ ...image, data: image.data.map(change) });
const inverted = (image) => each(image, (v) => 255 - v);
const without = (mask, other) => each(mask, (v, k) => (v && !other.data[k] ? 1 : 0));
const longer = ({ width, height }) => Math.max(width, height);
const part = (value, of) => Math.floor(value / of);

function repeated(image, factor, { width, height }) {
  const out = blank(width, height);
  for (let y = 0, k = 0; y < height; y++) {
    const row = part(y, factor) * image.width;
    for (let x = 0; x < width; x++, k++) out.data[k] = image.data[row + part(x, factor)];
  }
  return out;
}

function noiseOf({ width, height, data }) {
  if (width < 2) return 0;
  const differences = new Uint8Array((width - 1) * height);
  for (let y = 0, k = 0; y < height; y++) {
    for (let x = 1; x < width; x++, k++) {
      differences[k] = Math.abs(data[y * width + x] - data[y * width + x - 1]);
    }
  }
  return differences.sort()[differences.length >> 1];
}

function averaged({ width, height, data }) {
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

/** Whether ink is darker than its ground: it takes less room and lies further from the mean. */
function isDark(image) {
  const { data } = reduce(image, 4);
  const ranked = data.slice().sort();
  const few = part(ranked.length, 50);
  const [low, high] = [ranked[few], ranked[ranked.length - 1 - few]];
  let between = 0;
  for (const v of data) if (4 * v > 3 * low + high && 4 * v < low + 3 * high) between += 1;
  const shaded = 5 * between > data.length;
  const octaves = (v) => Math.round(64 * Math.log2((v + 16) / 16));
  const values = Array.from(data, (v) => (shaded ? octaves(v) : v));
  const mean = part(values.reduce((a, b) => a + b, 0), values.length);
  return values.reduce((sum, v) => sum + (v - mean) ** 3, 0) <= 0;
}

/** The least of the greatest levels of the squares around each pixel. */
function groundOf(image, least) {
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
  const dark = contrast(inside, image).data;
  return each(wide, (v, k) => (4 * dark[k] >= 3 * full ? inside.data[k] : v));
}

function padded({ width, height, data }, x, y, outside = 0) {
  const out = blank(width + 2 * x, height + 2 * y);
  if (outside) out.data.fill(outside);
  for (let row = 0; row < height; row++) {
    out.data.set(data.subarray(row * width, (row + 1) * width), (row + y) * out.width + x);
  }
  return out;
}

function spread(image, radius, down, extreme = Math.max, outside = 0) {
  const wide = down ? padded(image, 0, radius, outside) : padded(image, radius, 0, outside);
  return windows(wide, 2 * radius + 1, down, extreme);
}

/** The extreme of each `length` pixels along an axis, so many fewer; by doubling. */
function windows(image, length, down, extreme) {
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

const widened = (mask, radius) => spread(spread(mask, radius, true), radius, false);

const GAIN = Uint16Array.from({ length: 256 }, (_, g) => part(255 * 256, Math.max(g, DARKEST)));

function contrast(ground, image) {
  return each(image, (v, k) => {
    const g = ground.data[k];
    return v < g ? Math.min(((g - v) * GAIN[g]) >> 8, 255) : 0;
  });
}

/** What a quarter of the pixels of ink reach; 0 where there is none. */
function fullInk({ data }, least) {
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

/** Masks of what is of the character and of what is something else. */
function character(ink, least) {
  const full = fullInk(ink, least);
  const limit = Math.max(least, part(full, FAINT));
  const mask = each(ink, (v) => (full && v >= limit ? 1 : 0));
  const open = without(mask, borderStrips(mask));
  const { pixels, box } = ruled(open);
  const kept = mainParts(without(open, pixels), box);
  return { kept, removed: without(mask, kept) };
}

/** First and last-plus-one row and column of a mask, or null. */
function extent({ width, height, data }) {
  const found = { top: height, bottom: 0, left: width, right: 0 };
  for (let y = 0, k = 0; y < height; y++) {
    for (let x = 0; x < width; x++, k++) {
      if (!data[k]) continue;
      found.top = Math.min(found.top, y);
      found.bottom = y + 1;
      found.left = Math.min(found.left, x);
      found.right = Math.max(found.right, x + 1);
    }
  }
  return found.bottom ? found : null;
}

// --- lines -----------------------------------------------------------------------------------

function transposed({ width, height, data }) {
  const out = blank(height, width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) out.data[x * height + y] = data[y * width + x];
  }
  return out;
}

/** A quarter turn to the left, as NumPy's rot90. */
function turned({ width, height, data }) {
  const out = blank(height, width);
  for (let y = 0; y < width; y++) {
    for (let x = 0; x < height; x++) out.data[y * height + x] = data[x * width + width - 1 - y];
  }
  return out;
}

const rowOf = ({ width, data }, y) => data.subarray(y * width, (y + 1) * width);
const anyIn = (mask, y) => rowOf(mask, y).includes(1);

function borderStrips(mask) {
  const nothing = blank(mask.width, mask.height);
  const depths = [];
  for (let turn = 0, side = mask; turn < 4; turn++, side = turned(side)) {
    let depth = 0;
    while (depth < side.height) {
      const dark = rowOf(side, depth).reduce((a, b) => a + b, 0);
      if (10 * dark < 9 * side.width) break;
      depth += 1;
    }
    depths.push(depth <= part(side.height, REACH) + 1 ? depth : 0);
  }
  const thin = Math.max(part(longer(mask), THIN), 3);
  if (!depths.some(Boolean) || depths.every((depth) => depth > thin)) return nothing;
  let rest = mask;
  for (const depth of depths) {
    rest = { ...rest, data: rest.data.slice().fill(0, 0, depth * rest.width) };
    rest = turned(rest);
  }
  if (!rest.data.includes(1)) return nothing;
  let result = nothing;
  for (const [turn, depth] of depths.entries()) {
    const opposite = depths[(turn + 2) % 4];
    const tied =
      anyIn(rest, rest.height - 1 - opposite) && (!opposite || anyIn(rest, Math.min(depth, rest.height - 1)));
    if (depth && !tied) result.data.fill(1, 0, depth * result.width);
    [rest, result] = [turned(rest), turned(result)];
  }
  return each(result, (v, k) => v & mask.data[k]);
}

/** Rules from edge to edge, or else the box of a cell. */
function ruled(mask) {
  const sides = [mask, transposed(mask)];
  const lines = sides.map(levelLines);
  let box = null;
  let chosen = sides.map((side, k) => {
    const near = Math.max(part(side.width, EDGE), 2);
    const across = lines[k].filter((a) => a.first <= near && a.last >= side.width - 1 - near);
    return across.length === 2 && isTied(side, across) ? [] : across;
  });
  if (!chosen.some((found) => found.length)) ({ chosen, box } = boxOf(mask, lines));
  const drawn = drawnLines(mask, chosen);
  const pixels = each(drawn, (v, k) => v & mask.data[k]);
  const other = without(mask, pixels);
  if (!isSomething(other) && Math.max(...chosen.map((found) => found.length)) < 2) {
    return { pixels: blank(mask.width, mask.height), box: null };
  }
  const crossing = blank(mask.width, mask.height);
  for (const line of chosen[0]) cross(other, line, crossing);
  const upright = blank(mask.height, mask.width);
  const otherUpright = transposed(other);
  for (const line of chosen[1]) cross(otherUpright, line, upright);
  const crossed = transposed(upright).data;
  return { pixels: each(pixels, (v, k) => (v && !crossing.data[k] && !crossed[k] ? 1 : 0)), box };
}

function drawnLines(mask, chosen) {
  const level = blank(mask.width, mask.height);
  for (const line of chosen[0]) draw(level, line);
  const upright = blank(mask.height, mask.width);
  for (const line of chosen[1]) draw(upright, line);
  const { data } = transposed(upright);
  return each(level, (v, k) => v | data[k]);
}

/** Thin, long, nearly level lines, be they crossed by strokes. */
function levelLines(mask) {
  const { width, height } = mask;
  const most = Math.max(part(longer(mask), THIN), 3);
  const least = Math.max(part(longer(mask), LONG), 3);
  if (width < least || height <= most + 1) return [];
  let thin = without(mask, runsOf(mask, most + 1, true));
  let near = spread(mask, 1, true);
  near = spread(spread(near, 2, false), 2, false, Math.min, 1);
  const long = runsOf(near, least, false).data;
  thin = each(thin, (v, k) => v & long[k]);
  const found = [];
  let top = -1;
  for (let y = 0; y <= height; y++) {
    const seen = y < height && rowOf(thin, y).reduce((a, b) => a + b, 0) * SEEN >= width;
    if (seen && top < 0) top = y;
    if (!seen && top >= 0) {
      const line = lineOf(thin, mask, top, y);
      if (line) found.push(line);
      top = -1;
    }
  }
  return found;
}

/** The part of a mask that is in runs of at least `length` along an axis. */
function runsOf(mask, length, down) {
  if ((down ? mask.height : mask.width) < length) return blank(mask.width, mask.height);
  const whole = windows(mask, length, down, Math.min);
  const wide = down ? padded(whole, 0, length - 1) : padded(whole, length - 1, 0);
  return windows(wide, length, down, Math.max);
}

function lineOf(thin, mask, top, bottom) {
  const { width } = mask;
  const counts = new Array(width).fill(0);
  const sums = new Array(width).fill(0);
  const inked = new Array(width).fill(false);
  for (let y = top; y < bottom; y++) {
    for (let x = 0; x < width; x++) {
      if (thin.data[y * width + x]) {
        counts[x] += 1;
        sums[x] += y;
      }
      if (mask.data[y * width + x]) inked[x] = true;
    }
  }
  const first = counts.findIndex(Boolean);
  const last = counts.findLastIndex(Boolean);
  const length = last + 1 - first;
  const some = counts.filter(Boolean).sort((a, b) => a - b);
  const covered = inked.slice(first, last + 1).filter(Boolean).length;
  if (SEEN * some.length < length || 20 * covered < 17 * length) return null;
  const heights = [0, 1, 2].map((third) => {
    let pixels = 0;
    let sum = 0;
    for (let x = part(third * length, 3); x < part((third + 1) * length, 3); x++) {
      pixels += counts[first + x];
      sum += sums[first + x];
    }
    return pixels ? part(10 * sum, pixels) : null;
  });
  const known = [heights[1], heights[0], heights[2]].find((h) => h !== null);
  const [left, right] = [heights[0] ?? known, heights[2] ?? known];
  const middle = heights[1] ?? part(left + right, 2);
  return { first, last, length, thickness: some[some.length >> 1], left, middle, right };
}

/** First and last row of a line at the column `x` of it. */
function rowsAt({ length, left, right, thickness }, x) {
  const height = left + part((right - left) * (6 * x - length), 4 * length);
  const half = 5 * thickness + 4;
  return [-part(half - height, 10), part(height + half, 10)];
}

function draw(mask, line) {
  for (let x = 0; x < line.length; x++) {
    const [top, bottom] = rowsAt(line, x);
    for (let y = Math.max(top - 1, 0); y <= Math.min(bottom + 1, mask.height - 1); y++) {
      mask.data[y * mask.width + line.first + x] = 1;
    }
  }
}

/** By column of a line whether there is ink just above and just below it. */
function endsOf(mask, line) {
  const sides = [new Array(line.length), new Array(line.length)];
  for (let x = 0; x < line.length; x++) {
    const [top, bottom] = rowsAt(line, x);
    for (const [side, y] of [top - 2, bottom + 2].entries()) {
      const inside = y >= 0 && y < mask.height;
      sides[side][x] = inside && mask.data[y * mask.width + line.first + x] === 1;
    }
  }
  return sides;
}

/** Marks where a stroke goes on on the other side of a line. */
function cross(other, line, crossing) {
  const [above, below] = endsOf(other, line);
  if (!above.includes(true) || !below.includes(true)) return;
  const reach = part(line.thickness, 2) + 1;
  const near = (side, x) => side.slice(Math.max(x - reach, 0), x + reach + 1).includes(true);
  for (let x = 0; x < line.length; x++) {
    if (!near(above, x) || !near(below, x)) continue;
    const [top, bottom] = rowsAt(line, x);
    for (let y = Math.max(top - 1, 0); y <= Math.min(bottom + 1, other.height - 1); y++) {
      crossing.data[y * other.width + line.first + x] = 1;
    }
  }
}

/** Whether strokes go from one line to another and end there, as in 工 and 日. */
function isTied(mask, lines) {
  const [upper, lower] = [...lines].sort((a, b) => a.middle - b.middle);
  if (lower.middle - upper.middle < part(10 * mask.height, 4)) return false;
  const drawn = blank(mask.width, mask.height);
  for (const line of lines) draw(drawn, line);
  const other = without(mask, drawn);
  const [beyond, inside] = endsOf(other, upper);
  const [insideToo, beyondToo] = endsOf(other, lower);
  const any = (side) => side.includes(true);
  return any(inside) && any(insideToo) && !any(beyond) && !any(beyondToo);
}

/** Whether what is left is more than crumbs. */
function isSomething(mask) {
  const found = extent(mask);
  if (!found) return false;
  const least = Math.max(part(longer(mask), DOT), 2);
  return Math.max(found.bottom - found.top, found.right - found.left) - 1 >= least;
}

function boxOf(mask, lines) {
  const none = { chosen: [[], []], box: null };
  const straight = (a) => Math.abs(2 * a.middle - a.left - a.right) <= 15;
  const [level, upright] = lines.map((found) => found.filter(straight));
  const near = Math.max(part(longer(mask), EDGE), 3);
  const meets = (a, b, c, d) => {
    const corners = [
      [a.first, c.left], [a.last, d.left], [b.first, c.right], [b.last, d.right],
      [c.first, a.left], [c.last, b.left], [d.first, a.right], [d.last, b.right],
    ];
    const slopes = [a, b].map((x) => part((x.right - x.left) * 100, x.length));
    slopes.push(...[c, d].map((x) => part((x.left - x.right) * 100, x.length)));
    return (
      corners.every(([end, at]) => Math.abs(10 * end - at) <= 10 * near) &&
      Math.max(...slopes) - Math.min(...slopes) <= 12
    );
  };
  let best = null;
  let size = 0;
  for (const a of level) for (const b of level) for (const c of upright) for (const d of upright) {
    const area = (b.middle - a.middle) * (d.middle - c.middle);
    if (b.middle > a.middle && d.middle > c.middle && area > size && meets(a, b, c, d)) {
      best = [a, b, c, d];
      size = area;
    }
  }
  if (!best) return none;
  const [a, b, c, d] = best;
  const [top, bottom, left, right] = best.map((line) => part(line.middle, 10));
  const chosen = [[a, b], [c, d]];
  const inner = crop(without(mask, drawnLines(mask, chosen)), left, top, right + 1, bottom + 1);
  const { width, height } = mask;
  const outer =
    Math.max(top, left, height - 1 - bottom, width - 1 - right) <= part(longer(mask), OUTER);
  const thickness = Math.max(...best.map((line) => line.thickness));
  const thinner = 10 * thickness <= 6 * penOf(inner);
  if (!(outer || thinner) || !isSomething(inner)) return none;
  if (thinner) return { chosen, box: { top, bottom, left, right } };
  if (isTied(mask, [a, b]) || isTied(transposed(mask), [c, d])) return none;
  return { chosen, box: { top, bottom, left, right } };
}

/** Width of strokes in pixels: ink over half its edge. */
function penOf({ width, height, data }) {
  let edge = 0;
  let area = 0;
  for (let y = 0, k = 0; y < height; y++) {
    for (let x = 0; x < width; x++, k++) {
      area += data[k];
      if (x && data[k] !== data[k - 1]) edge += 1;
      if (y && data[k] !== data[k - width]) edge += 1;
    }
  }
  return part(2 * area, Math.max(edge, 1));
}

// --- connected parts -------------------------------------------------------------------------

/** Parts that touch, be it at corners: their pixels, their area and their edges. */
function partsOf({ width, height, data }) {
  const seen = data.slice();
  const parts = [];
  for (let start = 0; start < seen.length; start++) {
    if (!seen[start]) continue;
    seen[start] = 0;
    const pixels = [start];
    const edges = { top: height, bottom: 0, left: width, right: 0 };
    for (const place of pixels) {
      const [y, x] = [part(place, width), place % width];
      edges.top = Math.min(edges.top, y);
      edges.bottom = Math.max(edges.bottom, y + 1);
      edges.left = Math.min(edges.left, x);
      edges.right = Math.max(edges.right, x + 1);
      for (let v = Math.max(y - 1, 0); v <= Math.min(y + 1, height - 1); v++) {
        for (let u = Math.max(x - 1, 0); u <= Math.min(x + 1, width - 1); u++) {
          if (!seen[v * width + u]) continue;
          seen[v * width + u] = 0;
          pixels.push(v * width + u);
        }
      }
    }
    const long = Math.max(edges.bottom - edges.top, edges.right - edges.left);
    parts.push({ pixels, area: pixels.length, long, ...edges });
  }
  return parts;
}

function drawnParts(parts, { width, height }) {
  const out = blank(width, height);
  for (const { pixels } of parts) for (const place of pixels) out.data[place] = 1;
  return out;
}

function mainParts(mask, box) {
  const parts = partsOf(mask);
  if (!parts.length) return mask;
  let kept = parts;
  if (box) {
    const out = part(Math.max(box.bottom - box.top, box.right - box.left), 10);
    kept = parts.filter((one) => {
      const [y, x] = [(one.top + one.bottom) >> 1, (one.left + one.right) >> 1];
      const inside = y > box.top - out && y < box.bottom + out;
      return inside && x > box.left - out && x < box.right + out;
    });
  }
  const most = Math.max(...parts.map((one) => one.long));
  const pen = penOf(drawnParts(parts.filter((one) => 3 * one.long >= most), mask));
  kept = withoutSpecks(kept, pen, longer(mask));
  kept = withoutNeighbours(kept, mask);
  if (!kept.length) return blank(mask.width, mask.height);
  const { height, width } = together(kept);
  if (Math.max(height, width) < Math.max(part(longer(mask), DOT), 3)) {
    return blank(mask.width, mask.height);
  }
  return drawnParts(kept, mask);
}

function together(parts) {
  const top = Math.min(...parts.map((one) => one.top));
  const left = Math.min(...parts.map((one) => one.left));
  const height = Math.max(...parts.map((one) => one.bottom)) - top;
  const width = Math.max(...parts.map((one) => one.right)) - left;
  return { top, left, height, width };
}

/** No parts smaller than a touch of the pen, nor such as are hardly larger and lie apart. */
function withoutSpecks(parts, pen, side) {
  const large = parts.filter((one) => 5 * one.long >= 4 * pen);
  const doubtful = (one) => 10 * one.long <= 13 * pen && SPECK * one.long <= side;
  const rest = large.filter((one) => !doubtful(one));
  if (!rest.length) return large.length ? large : parts;
  const { top, left, height, width } = together(rest);
  const apart = part(Math.max(height, width), 20);
  return large.filter((one) => {
    const level = one.top < top + height + apart && one.bottom > top - apart;
    const upright = one.left < left + width + apart && one.right > left - apart;
    return !doubtful(one) || (level && upright);
  });
}

/** No parts that reach in over an edge of the picture, where the rest is a character by itself. */
function withoutNeighbours(parts, { width, height }) {
  const edges = [
    (one) => one.top === 0,
    (one) => one.bottom === height,
    (one) => one.left === 0,
    (one) => one.right === width,
  ];
  const touches = (one) => edges.some((edge) => edge(one));
  const inner = parts.filter((one) => !touches(one));
  if (!inner.length || inner.length === parts.length) return parts;
  const { top, left, height: tall, width: wide } = together(inner);
  const touched = edges.filter((edge) => parts.some(edge)).length;
  const least = 3 * Math.max(height, width);
  const flat = touched <= 2 && 10 * Math.max(tall, wide) >= least;
  if (!(10 * Math.min(tall, wide) >= least || flat)) return parts;
  const area = inner.reduce((sum, one) => sum + one.area, 0);
  return parts.filter((one) => {
    if (!touches(one)) return true;
    const down = Math.min(one.bottom, top + tall) - Math.max(one.top, top);
    const along = Math.min(one.right, left + wide) - Math.max(one.left, left);
    const shared = Math.max(down, 0) * Math.max(along, 0);
    return 4 * shared > (one.bottom - one.top) * (one.right - one.left) || 2 * one.area > area;
  });
}
