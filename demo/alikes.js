/**
 * Look-alikes: what else a drawing may be, and what tells two characters apart. The same as
 * stages/kakitori/reading/matching/alikes.py.
 *
 * @module
 */

import { search } from "./fitting.js";
import { freely } from "./pairing.js";
import { backwards, between, framed, length, moved, offLine } from "./shapes.js";
import { POINTS, ROUNDING, SEAM, warpedDistance } from "./shapes.js";

const SAME = 0.01;
const ALIKE = 8;
const CELLS = 6;
const TOUCHING = 0.05;
const STRETCHING = 0.02;

/**
 * The characters that look most like one, of as many strokes: those that people confuse with it, and
 * in turns the nearest stroke by stroke and the nearest by ink.
 *
 * @param {string} character
 * @param {Map<string, {strokes: Stroke[]}>} table
 * @param {string[]} [same] groups of characters that no shape tells apart
 * @param {string[]} [confused] groups of characters that people confuse
 * @returns {Map<string, Stroke[]>}
 */
export function lookAlikes(character, table, same = [], confused = []) {
  const of = (groups) => new Set(groups.filter((group) => group.includes(character)).join(""));
  const [excused, confusables] = [of(same), of(confused)];
  const { shape: own, ink } = looksOf(table.get(character).strokes);
  const others = [];
  for (const [name, { strokes }] of table) {
    if (strokes.length !== own.length || name === character || excused.has(name)) continue;
    const looks = looksOf(strokes);
    others.push({ name, strokes, far: inTurn(looks.shape, own), apart: apart(looks.ink, ink) });
  }
  const byInk = [...others].sort((a, b) => a.apart - b.apart);
  const byStroke = [...others].sort((a, b) => a.far - b.far);
  const kept = new Set(others.filter(({ name }) => confusables.has(name)));
  for (const candidate of byStroke.flatMap((near, k) => [near, byInk[k]])) {
    if (kept.size >= ALIKE) break;
    if (!kept.has(candidate) && residual(own, looksOf(candidate.strokes).shape).error > SAME) {
      kept.add(candidate);
    }
  }
  return new Map([...kept].map(({ name, strokes }) => [name, strokes]));
}

/** Mean distance of strokes, the first from the first and so on, where the drawing lies best. */
function inTurn(drawing, target) {
  const pairs = target.map((_, k) => [k, k]);
  const { placed } = moved(drawing, target, target, pairs, target.map(() => []));
  let far = 0;
  placed.forEach((stroke, k) => (far += warpedDistance(stroke, target[k])));
  return far / target.length;
}

/** The look-alike that a drawing is nearer to than to what was meant, if any. */
export function takenFor(fit, drawing, alike) {
  let [nearest, name] = [residual(fit.drawn, fit.target).error, null];
  for (const [other, strokes] of alike) {
    if (strokes.length !== drawing.length) continue;
    const { error } = residual(drawing, looksOf(strokes).shape); // not what was taken as joined
    if (error < nearest - ROUNDING) [nearest, name] = [error, other];
  }
  return name;
}

/** What tells a character from its look-alike and was drawn as in that, by the columns of the fit: the
 * clearest of who is longer than whom, whose end lies on whom, and which stroke has another shape. */
export function difference(fit, other) {
  const model = fit.target;
  const theirs = counterparts(model, framed(other));
  const drawn = counterparts(model, fit.drawn);
  if (!theirs || !drawn) return { what: "shape", strokes: [] };
  const lengths = [model, theirs, drawn].map((strokes) => strokes.map(length));
  let best = { clear: 0, what: "shape", strokes: [] };
  const offer = (clear, what, strokes) => {
    if (clear > best.clear) best = { clear, what, strokes };
  };
  for (let j = 0; j < model.length; j++) {
    offer(0.5 * apartOf(model[j], theirs[j]), "shape", [j]);
    for (let k = 0; k < model.length; k++) {
      if (j === k) continue;
      const [own, its, here] = lengths.map((long) => long[j] - long[k]);
      if (own > 0 && its < 0 && here < (own + its) / 2) offer(own - its, "longer", [j, k]);
      for (const [at, end] of [[0, "begin"], [SEAM - 2, "end"]]) {
        const away = [model, theirs, drawn].map((s) => offLine(s[j][at], s[j][at + 1], s[k]));
        const [mine, its, here] = away;
        if (Math.min(mine, its) > TOUCHING) continue;
        if (mine < its && here > (mine + its) / 2) offer(its - mine, `${end}-on`, [j, k]);
        if (its < mine && here < (mine + its) / 2) offer(mine - its, `${end}-off`, [j, k]);
      }
    }
  }
  return { what: best.what, strokes: best.strokes };
}

/** For each stroke of a model the one of a drawing that is laid onto it, or null where one is left. */
function counterparts(model, drawing) {
  const { error, pairs, placed, turned } = residual(drawing, model);
  if (error === Infinity) return null;
  const strokes = [];
  for (const [i, j] of pairs) strokes[j] = turned[i][j] ? backwards(placed[i]) : placed[i];
  return strokes;
}

/** How far a drawing is from a reference when each stroke is laid onto its own as well as can be: the
 * square root of the mean square of the distances of all points and of what it takes to stretch the
 * drawing; Infinity where a stroke is left. */
function residual(drawn, target) {
  const fit = search(drawn, target, freely);
  const back = target.map(backwards);
  if (fit.pairs.length < Math.max(drawn.length, target.length)) return { error: Infinity, ...fit };
  const { placed, linear } = moved(drawn, target, back, fit.pairs, fit.turned);
  let total = 0;
  for (const [i, j] of fit.pairs) {
    const to = fit.turned[i][j] ? back[j] : target[j];
    for (let k = 0; k < SEAM; k++) total += (placed[i][k] - to[k]) * (placed[i][k] - to[k]);
  }
  let stretch = 0;
  [1, 0, 0, 1].forEach((value, k) => (stretch += (linear[k] - value) * (linear[k] - value)));
  const error = Math.sqrt(total / (target.length * POINTS) + STRETCHING * stretch);
  return { ...fit, placed, error };
}

/** Ink by place and direction, which knows no strokes: a cell holds length that runs across, down,
 * and along either diagonal. */
function inked(strokes) {
  const ink = new Float64Array(CELLS * CELLS * 4);
  for (const s of strokes) {
    for (let k = 2; k < SEAM; k += 2) {
      const [x, y] = [s[k] - s[k - 2], s[k + 1] - s[k - 1]];
      const long = Math.sqrt(x * x + y * y);
      if (!long) continue;
      // Twice the angle, so that a stroke and its reverse are the same; both spread over neighbours.
      const [c, d] = [(x * x - y * y) / long, (2 * x * y) / long];
      const [u, v] = [place(s[k] + s[k - 2]), place(s[k + 1] + s[k - 1])];
      for (const [a, p] of u) {
        for (const [b, q] of v) {
          const at = 4 * (a * CELLS + b);
          ink[at] += p * q * Math.max(c, 0);
          ink[at + 1] += p * q * Math.max(-c, 0);
          ink[at + 2] += p * q * Math.max(d, 0);
          ink[at + 3] += p * q * Math.max(-d, 0);
        }
      }
    }
  }
  return ink;
}

/** The cells that share a coordinate between -1/2 and 1/2, given twice, and their shares. */
function place(twice) {
  const at = Math.min(Math.max((twice / 2 + 0.5) * (CELLS - 1), 0), CELLS - 1);
  const low = Math.min(Math.floor(at), CELLS - 2);
  return [
    [low, low + 1 - at],
    [low + 1, at - low],
  ];
}
const LOOKS = new WeakMap(); // by a character's strokes, which are asked for again and again

function looksOf(strokes) {
  if (!LOOKS.has(strokes)) {
    const shape = framed(strokes);
    LOOKS.set(strokes, { shape, ink: inked(shape) });
  }
  return LOOKS.get(strokes);
}

function apart(ink, other) {
  let total = 0;
  for (let k = 0; k < ink.length; k++) total += (ink[k] - other[k]) * (ink[k] - other[k]);
  return total;
}

/** Mean distance of the points of two strokes. */
function apartOf(stroke, other) {
  let total = 0;
  for (let k = 0; k < SEAM; k += 2) total += between(stroke[k], stroke[k + 1], other[k], other[k + 1]);
  return total / POINTS;
}
