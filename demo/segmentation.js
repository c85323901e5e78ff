/**
 * stages/kakitori/reading/normalising/segmentation.py for a page, with the same whole numbers: the one character
 * in a picture, without shadows, rules, cells, borders and neighbours.
 */

import {
  averaged, blank, contrast, each, extent, fullEdges, fullInk, groundOf, inverted, isDark,
  leastContrast, longer, noiseOf, part, REACH, rowOf, sumOf, widened, without,
} from "./ground.js";
import { drawnParts, mainParts, partsOf, penOf, together } from "./parts.js";
import { crop, reduce } from "./pillow.js";
import { ruled, THIN } from "./rules.js";

const SIDE = 256;
const FAINT = 8;
const PALE = 3;
const ROUGH = 4;
const EVERY = 8;

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
  const least = leastContrast(smooth, noise);
  const ground = groundOf(smooth, least);
  const { kept, removed } = character(contrast(ground, smooth), least);
  const edges = extent(kept);
  if (!edges) return { ink: blank(2, 2), there: blank(2, 2), pixels: levels.data.length };
  const margin = Math.floor(Math.max(edges.bottom - edges.top, edges.right - edges.left) / 16) + 4;
  const top = Math.max(edges.top - margin, 0);
  const left = Math.max(edges.left - margin, 0);
  const bottom = Math.min(edges.bottom + margin, small.height);
  const right = Math.min(edges.right + margin, small.width);
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

function repeated(image, factor, { width, height }) {
  const out = blank(width, height);
  for (let y = 0, k = 0; y < height; y++) {
    const row = part(y, factor) * image.width;
    for (let x = 0; x < width; x++, k++) out.data[k] = image.data[row + part(x, factor)];
  }
  return out;
}

/** Masks of what is of the character and of what is something else. */
function character(ink, least) {
  let full = fullInk(ink, least);
  const rough = ROUGH * ink.data.slice().sort()[part(2 * ink.data.length, 5)];
  if (rough > least) {
    full = fullInk(ink, rough) || full;
    least = Math.min(rough, part(full, PALE));
  }
  const limit = Math.max(least, part(full, FAINT));
  const mask = each(ink, (v) => (full && v >= limit ? 1 : 0));
  const open = without(mask, borders(mask));
  const { pixels, box } = ruled(open);
  const kept = mainParts(without(open, pixels), box);
  return { kept, removed: without(mask, kept) };
}

// --- borders ---------------------------------------------------------------------------------

/** What lies along the picture's edges and is no character. */
function borders(mask) {
  const full = fullEdges(mask);
  if (!full.some(Boolean)) return blank(mask.width, mask.height);
  const outer = outerParts(mask, full);
  const strips = darkStrips(without(mask, outer));
  return each(outer, (v, k) => v | strips.data[k]);
}

/** The parts along the edges that are `full`, where the rest is a character by itself. */
function outerParts(mask, full) {
  const { width, height } = mask;
  const pieces = partsOf(mask);
  const at = [
    (piece) => piece.top === 0,
    (piece) => piece.bottom === height,
    (piece) => piece.left === 0,
    (piece) => piece.right === width,
  ];
  const shallow = [
    (piece) => 5 * piece.bottom <= height,
    (piece) => 5 * (height - piece.top) <= height,
    (piece) => 5 * piece.right <= width,
    (piece) => 5 * (width - piece.left) <= width,
  ];
  const around = full.every(Boolean);
  const isOuter = (piece) =>
    at.some((here, k) => here(piece) && (around || (full[k] && shallow[k](piece))));
  const inner = pieces.filter((piece) => !isOuter(piece));
  const nothing = blank(width, height);
  if (!inner.length) return nothing;
  const { width: wide, height: tall } = together(inner);
  if (EVERY * Math.max(wide, tall) < longer(mask)) return nothing;
  const opposite = [at[1], at[0], at[3], at[2]];
  if (full.some((isFull, k) => isFull && inner.some(opposite[k]))) return nothing;
  return drawnParts(pieces.filter(isOuter), mask);
}

/** A quarter turn to the left, as NumPy's rot90. */
function turned({ width, height, data }) {
  const out = blank(height, width);
  for (let y = 0; y < width; y++) {
    for (let x = 0; x < height; x++) out.data[y * height + x] = data[x * width + width - 1 - y];
  }
  return out;
}

const anyIn = (mask, y) => rowOf(mask, y).includes(1);

/** Dark strips along the picture's edges. */
function darkStrips(mask) {
  const nothing = blank(mask.width, mask.height);
  const depths = [];
  for (let turn = 0, side = mask; turn < 4; turn++, side = turned(side)) {
    let depth = 0;
    while (depth < side.height) {
      if (10 * sumOf(rowOf(side, depth)) < 9 * side.width) break;
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
  const pen = penOf(rest);
  let result = nothing;
  for (const [turn, depth] of depths.entries()) {
    const opposite = depths[(turn + 2) % 4];
    const goesOn = anyIn(rest, Math.min(depth, rest.height - 1));
    const reaches = anyIn(rest, rest.height - 1 - opposite) && (!opposite || goesOn);
    const tied = reaches || (goesOn && 2 * Math.abs(depth - pen) <= pen);
    if (depth && !tied) result.data.fill(1, 0, depth * result.width);
    [rest, result] = [turned(rest), turned(result)];
  }
  return each(result, (v, k) => v & mask.data[k]);
}

