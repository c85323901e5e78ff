/** stages/kakitori/reading/normalising/rules.py for a page, with the same whole numbers: rules and cells. */

import {
  blank, each, extent, longer, padded, part, rowOf, spread, sumOf, transposed, windows, without,
} from "./ground.js";
import { DOT, penOf } from "./parts.js";
import { crop } from "./pillow.js";

export const THIN = 40;
const LONG = 3;
const EDGE = 50;
const SEEN = 12;
const OUTER = 8;
const GAP = 2;

/** Rules from edge to edge, or else the box of a cell and what lies across it. */
export function ruled(mask) {
  const sides = [mask, transposed(mask)];
  const lines = sides.map(levelLines);
  let box = null;
  let chosen = sides.map((side, k) => {
    const near = Math.max(part(side.width, EDGE), 2);
    const across = lines[k].filter((a) => a.first <= near && a.last >= side.width - 1 - near);
    if (across.length !== 2) return across;
    return isTied(without(side, drawnLines(side, [across, []])), across) ? [] : across;
  });
  if (!chosen.some((rules) => rules.length)) ({ chosen, box } = boxOf(mask, lines));
  const drawn = drawnLines(mask, chosen);
  const pixels = each(drawn, (v, k) => v & mask.data[k]);
  const other = without(mask, pixels);
  if (!isSomething(other) && Math.max(...chosen.map((rules) => rules.length)) < 2) {
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
  let near = spread(mask, 2, true);
  near = spread(spread(near, GAP, false), GAP, false, Math.min, 1);
  const long = runsOf(near, least, false).data;
  thin = each(thin, (v, k) => v & long[k]);
  const counts = Array.from({ length: height }, (_, y) => sumOf(rowOf(thin, y)));
  const around = (y) => sumOf(counts.slice(Math.max(y - 2, 0), y + 3));
  const lines = [];
  let top = -1;
  for (let y = 0; y <= height; y++) {
    const seen = y < height && around(y) * SEEN >= width;
    if (seen && top < 0) top = y;
    if (!seen && top >= 0) {
      let bottom = y;
      while (top < bottom && !counts[top]) top += 1;
      while (top < bottom && !counts[bottom - 1]) bottom -= 1;
      const line = top < bottom && lineOf(thin, mask, top, bottom);
      if (line) lines.push(extended(line, mask));
      top = -1;
    }
  }
  return lines;
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

/** As far as there is ink where it would go on, be it of strokes that hide it. */
function extended(line, mask) {
  const { width, height } = mask;
  const half = (line.thickness >> 1) + 1;
  const there = (x) => {
    const at = part(heightAt(line, 6 * (x - line.first)), 10);
    for (let y = Math.max(at - half, 0); y <= Math.min(at + half, height - 1); y++) {
      if (mask.data[y * width + x]) return true;
    }
    return false;
  };
  const goesOn = (x, step) => {
    let last = x;
    while (x >= 0 && x < width && Math.abs(x - last) <= GAP) {
      x += step;
      if (x >= 0 && x < width && there(x)) last = x;
    }
    return last;
  };
  return between(line, goesOn(line.first, -1), goesOn(line.last, 1));
}

/** Where a line lies, in tenths of a row, at so many sixths of a column from `first` on. */
const heightAt = ({ left, right, length }, sixths) =>
  left + part((right - left) * (sixths - length), 4 * length);

/** The same line from one column to another. */
function between(line, first, last) {
  const [start, length] = [6 * (first - line.first), last + 1 - first];
  const [left, right] = [heightAt(line, start + length), heightAt(line, start + 5 * length)];
  const middle = line.middle + part(left + right - line.left - line.right, 2);
  return { ...line, first, last, length, left, middle, right };
}

/** First and last row of a line at the column `x` of it. */
function rowsAt(line, x) {
  const height = heightAt(line, 6 * x);
  const half = 5 * line.thickness + 4;
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
function endsOf(mask, line, away = 2) {
  const sides = [new Array(line.length), new Array(line.length)];
  for (let x = 0; x < line.length; x++) {
    const [top, bottom] = rowsAt(line, x);
    for (const [side, y] of [top - away, bottom + away].entries()) {
      const inside = y >= 0 && y < mask.height;
      sides[side][x] = inside && mask.data[y * mask.width + line.first + x] === 1;
    }
  }
  return sides;
}

/** Marks where a stroke lies on a line: it goes on on the other side, or is no rest of the line. */
function cross(other, line, crossing) {
  const [above, below] = endsOf(other, line);
  if (!above.includes(true) && !below.includes(true)) return;
  const [higher, lower] = endsOf(other, line, 3);
  const reach = part(line.thickness, 2) + 1;
  const near = (side, x) => side.slice(Math.max(x - reach, 0), x + reach + 1).includes(true);
  for (let x = 0; x < line.length; x++) {
    const thick = (above[x] && higher[x]) || (below[x] && lower[x]);
    if (!thick && !(near(above, x) && near(below, x))) continue;
    const [top, bottom] = rowsAt(line, x);
    for (let y = Math.max(top - 1, 0); y <= Math.min(bottom + 1, other.height - 1); y++) {
      crossing.data[y * other.width + line.first + x] = 1;
    }
  }
}

/** Whether strokes of the rest go from one line to another and end there, as in 工 and 日. */
function isTied(other, lines) {
  const [upper, lower] = [...lines].sort((a, b) => a.middle - b.middle);
  if (lower.middle - upper.middle < part(10 * other.height, 4)) return false;
  const [beyond, inside] = endsOf(other, upper);
  const [insideToo, beyondToo] = endsOf(other, lower);
  const any = (side) => side.includes(true);
  return any(inside) && any(insideToo) && !any(beyond) && !any(beyondToo);
}

/** Whether what is left is more than crumbs. */
function isSomething(mask) {
  const edges = extent(mask);
  if (!edges) return false;
  const least = Math.max(part(longer(mask), DOT), 2);
  return Math.max(edges.bottom - edges.top, edges.right - edges.left) - 1 >= least;
}

// --- cells -----------------------------------------------------------------------------------

/** The four lines of a cell around the rest of the ink, and thin ones from side to side of it. */
function boxOf(mask, lines) {
  const none = { chosen: [[], []], box: null };
  const near = Math.max(part(longer(mask), EDGE), 3);
  const straight = (a) => Math.abs(2 * a.middle - a.left - a.right) <= 15;
  const best = largest(lines.map((parallels) => parallels.filter(straight)), near);
  if (!best) return none;
  const [a, b, c, d] = best;
  const [top, bottom, left, right] = best.map((line) => part(line.middle, 10));
  const pairs = [[a, b], [c, d]];
  const other = without(mask, drawnLines(mask, pairs));
  const inner = crop(other, left, top, right + 1, bottom + 1);
  const pen = penOf(inner);
  const thinner = 10 * Math.max(...best.map((line) => line.thickness)) <= 6 * pen;
  if (!isSomething(inner)) return none;
  if (!thinner) {
    const { width, height } = mask;
    const margin = Math.max(top, left, height - 1 - bottom, width - 1 - right);
    const tied = isTied(other, [a, b]) || isTied(transposed(other), [c, d]);
    if (margin > part(longer(mask), OUTER) || tied || beyond(best) > near) return none;
  }
  const chosen = [[left, right], [top, bottom]].map(([first, last], k) => {
    const thin = lines[k].filter((x) => !pairs[k].includes(x) && 10 * x.thickness <= 6 * pen);
    return [...pairs[k], ...thin.filter((x) => x.first <= first + near && x.last >= last - near)];
  });
  return { chosen, box: { top, bottom, left, right } };
}

/** Upper, lower, left and right line of the largest box. */
function largest([level, upright], near) {
  let best = null;
  let size = 0;
  for (const a of level) for (const b of level) for (const c of upright) for (const d of upright) {
    const area = (b.middle - a.middle) * (d.middle - c.middle);
    if (b.middle > a.middle && area > size && meet(a, b, c, d, near)) {
      best = [a, b, c, d];
      size = area;
    }
  }
  return best;
}

/** First ends of four lines and where they ought to be, in pixels and tenths; and last ends. */
const cornersOf = (a, b, c, d) => [
  [[a.first, c.left], [b.first, c.right], [c.first, a.left], [d.first, a.right]],
  [[a.last, d.left], [b.last, d.right], [c.last, b.left], [d.last, b.right]],
];

/** Whether upper, lower, left and right line reach each other, at right angles. */
function meet(a, b, c, d, near) {
  const [first, last] = cornersOf(a, b, c, d);
  const slopes = [a, b].map((x) => part((x.right - x.left) * 100, x.length));
  slopes.push(...[c, d].map((x) => part((x.left - x.right) * 100, x.length)));
  return (
    Math.max(...slopes) - Math.min(...slopes) <= 12 &&
    first.every(([end, at]) => 10 * end - at <= 10 * near) &&
    last.every(([end, at]) => at - 10 * end <= 10 * near)
  );
}

/** By how many pixels at most a line of a box goes on past its corner. */
function beyond(box) {
  const [first, last] = cornersOf(...box);
  const ways = first.map(([end, at]) => part(at, 10) - end);
  return Math.max(...ways, ...last.map(([end, at]) => end - part(at, 10)));
}
