/** stages/kakitori/reading/normalising/parts.py for a page, with the same whole numbers: connected parts. */

import { blank, longer, part } from "./ground.js";

export const DOT = 40;
const SLICE = 5;
const SPECK = 40;

/** Width of strokes in pixels: ink over half its edge. */
export function penOf({ width, height, data }) {
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

/** Parts that touch, be it at corners: their pixels, their area and their edges. */
export function partsOf({ width, height, data }) {
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

export function drawnParts(parts, { width, height }) {
  const out = blank(width, height);
  for (const { pixels } of parts) for (const place of pixels) out.data[place] = 1;
  return out;
}

export function mainParts(mask, box) {
  const parts = partsOf(mask);
  if (!parts.length) return mask;
  let kept = parts;
  if (box) {
    const out = part(Math.max(box.bottom - box.top, box.right - box.left), 10);
    kept = parts.filter((piece) => {
      const [y, x] = [(piece.top + piece.bottom) >> 1, (piece.left + piece.right) >> 1];
      const inside = y > box.top - out && y < box.bottom + out;
      return inside && x > box.left - out && x < box.right + out;
    });
  }
  const most = Math.max(...parts.map((piece) => piece.long));
  const pen = penOf(drawnParts(parts.filter((piece) => 3 * piece.long >= most), mask));
  kept = withoutSpecks(kept, pen, longer(mask));
  kept = withoutNeighbours(kept, mask);
  if (!kept.length) return blank(mask.width, mask.height);
  const { height, width } = together(kept);
  if (Math.max(height, width) < Math.max(part(longer(mask), DOT), 3)) {
    return blank(mask.width, mask.height);
  }
  return drawnParts(kept, mask);
}

export function together(parts) {
  const top = Math.min(...parts.map((piece) => piece.top));
  const left = Math.min(...parts.map((piece) => piece.left));
  const height = Math.max(...parts.map((piece) => piece.bottom)) - top;
  const width = Math.max(...parts.map((piece) => piece.right)) - left;
  return { top, left, height, width };
}

/** No parts smaller than a touch of the pen, nor such as are hardly larger and lie apart. */
function withoutSpecks(parts, pen, side) {
  const large = parts.filter((piece) => 5 * piece.long >= 4 * pen);
  const doubtful = (piece) => 10 * piece.long <= 13 * pen && SPECK * piece.long <= side;
  const rest = large.filter((piece) => !doubtful(piece));
  if (!rest.length) return large.length ? large : parts;
  const { top, left, height, width } = together(rest);
  const apart = part(Math.max(height, width), 20);
  return large.filter((piece) => {
    const level = piece.top < top + height + apart && piece.bottom > top - apart;
    const upright = piece.left < left + width + apart && piece.right > left - apart;
    return !doubtful(piece) || (level && upright);
  });
}

/** No parts that reach in over an edge of the picture, where the rest is a character by itself. */
function withoutNeighbours(parts, { width, height }) {
  const edges = [
    (piece) => piece.top === 0,
    (piece) => piece.bottom === height,
    (piece) => piece.left === 0,
    (piece) => piece.right === width,
  ];
  const reach = [
    (piece) => SLICE * piece.bottom <= height,
    (piece) => SLICE * (height - piece.top) <= height,
    (piece) => SLICE * piece.right <= width,
    (piece) => SLICE * (width - piece.left) <= width,
  ];
  const touches = (piece) => edges.some((edge, k) => edge(piece) && reach[k](piece));
  const inner = parts.filter((piece) => !touches(piece));
  if (!inner.length || inner.length === parts.length) return parts;
  const { top, left, height: tall, width: wide } = together(inner);
  const touched = edges.filter((edge) => parts.some(edge)).length;
  const least = 3 * Math.max(height, width);
  const flat = touched <= 2 && 10 * Math.max(tall, wide) >= least;
  if (!(10 * Math.min(tall, wide) >= least || flat)) return parts;
  const area = inner.reduce((sum, piece) => sum + piece.area, 0);
  const belonging = parts.filter((piece) => {
    if (!touches(piece)) return true;
    const down = Math.min(piece.bottom, top + tall) - Math.max(piece.top, top);
    const along = Math.min(piece.right, left + wide) - Math.max(piece.left, left);
    const shared = Math.max(down, 0) * Math.max(along, 0);
    return (
      4 * shared > (piece.bottom - piece.top) * (piece.right - piece.left) ||
      2 * piece.area > area
    );
  });
  // What reaches three edges without the others is cut out closely, the others with it.
  return edges.filter((edge) => belonging.some(edge)).length >= 3 ? parts : belonging;
}
