/**
 * What is wrong with a character that someone wrote: its pen strokes beside the reference's.
 *
 *     import { lookAlikes, match } from "./matching.js";
 *     const judgement = match(drawn, reference, { ways, alike: lookAlikes("末", table) });
 *     if (judgement.missing.length) …
 *
 * The same method as stages/kakitori/reading/matching/judging.py, which explains it, with fitting.js, alikes.js,
 * pairing.js and shapes.js; tests/cases/matching.json holds both to the same answers.
 *
 * @module
 */

import { difference, takenFor } from "./alikes.js";
import { fitted } from "./fitting.js";
import { range } from "./pairing.js";
import { framed, ROUNDING } from "./shapes.js";

export { lookAlikes } from "./alikes.js";

/** What can be judged, and what is unless someone chooses otherwise. */
export const STRICTNESS = ["shape", "count", "order", "direction"];
export const USUAL = ["shape", "order", "direction"];

/**
 * A stroke: its points [x, y] as the pen moves, y down, in any units. One point is a dot.
 * @typedef {number[][]} Stroke
 */

/**
 * How a drawing differs from its reference. Strokes are numbered from 1: those of the way of writing
 * that was taken in writing order, those drawn in the order in which they were drawn.
 *
 * @typedef {object} Match
 * @property {boolean} accepted whether nothing that is judged is wrong
 * @property {string[]} judged what was judged, of `STRICTNESS`
 * @property {number} way which way of writing it is nearest to: 0 the reference, 1 the first of `ways`
 * @property {number[]} missing reference strokes that were not drawn
 * @property {number[]} extra drawn strokes that belong to none of the reference
 * @property {number[][]} joined reference strokes that were written as one
 * @property {number[][]} split drawn strokes that are one of the reference
 * @property {number[][]} swapped pairs of reference strokes, each written when the other was due
 * @property {number[]} early further reference strokes that came too early
 * @property {number[]} late those that came too late
 * @property {number[]} reversed reference strokes that were written from their end
 * @property {string|null} alike the look-alike that was written instead
 * @property {{what: string, strokes: number[]}|null} differs what tells the two apart: of two strokes
 *     the first should be `longer`, `begin-on` or `end-on` the second, or clear of it (`begin-off`,
 *     `end-off`); or one stroke should have another `shape`
 * @property {(number|null)[]} drawn for each reference stroke the drawn one
 * @property {(number|null)[]} distances for each reference stroke the mean distance of the drawn
 *     one, in longer sides of the reference
 */

/**
 * Compare pen strokes with the strokes of the character that was meant.
 *
 * @param {Stroke[]} drawn in the order of drawing; may be empty
 * @param {Stroke[]} reference in writing order
 * @param {object} [options]
 * @param {boolean} [options.ordered] whether the order and direction of the reference are known; not
 *     of strokes traced from a font
 * @param {(Stroke[]|number[])[]} [options.ways] other right ways to write it: strokes, or another
 *     order of those of the form before, as numbers from 0, `~k` for one that runs from its end
 * @param {Map<string, Stroke[]>} [options.alike] the characters that look most like it
 * @param {string[]} [options.judged] of `STRICTNESS`
 * @returns {Match}
 */
export function match(
  drawn,
  reference,
  { ordered = true, ways = [], alike = new Map(), judged = USUAL } = {},
) {
  const known = (what) => ordered || (what !== "order" && what !== "direction");
  const wanted = new Set(STRICTNESS.filter((what) => judged.includes(what) && known(what)));
  const drawing = framed(drawn);
  let best = null;
  for (const { target, orders } of forms(reference, ways)) {
    const fit = fitted(drawing, target, orders, wanted);
    const candidate = { fit, match: told(fit, drawn.length, target.length, wanted) };
    if (!best || better(candidate, best)) best = candidate;
    if (candidate.match.accepted) break;
  }
  const { fit, match: judgement } = best;
  if (!judgement.accepted || !wanted.has("shape")) return judgement;
  const other = takenFor(fit, drawing, alike);
  if (!other) return judgement;
  const { what, strokes } = difference(fit, alike.get(other));
  const numbers = strokes.map((j) => fit.faults.order.places[fit.columns[j][0]] + 1);
  return { ...judgement, accepted: false, alike: other, differs: { what, strokes: numbers } };
}

function better(candidate, other) {
  if (candidate.match.accepted !== other.match.accepted) return candidate.match.accepted;
  return candidate.fit.cost < other.fit.cost - ROUNDING;
}

/**
 * The strokes of one of the ways to write a character.
 *
 * @param {Stroke[]} reference
 * @param {(Stroke[]|number[])[]} ways as `match` takes them
 * @param {number} way as `match` gives it
 * @returns {Stroke[]}
 */
export function strokesOf(reference, ways, way) {
  let [form, strokes] = [reference, reference];
  for (const given of ways.slice(0, way)) {
    if (typeof given[0] === "number") {
      strokes = given.map((k) => (k < 0 ? [...form[~k]].reverse() : form[k]));
    } else form = strokes = given;
  }
  return strokes;
}

/** The shapes that a character may have, each with the orders in which its strokes may come. */
function forms(reference, ways) {
  const shapes = [];
  for (const [way, given] of [reference, ...ways].entries()) {
    const isOrder = typeof given[0] === "number";
    if (!isOrder) shapes.push({ target: framed(given), orders: [] });
    shapes.at(-1).orders.push(orderOf(way, isOrder ? given : range(given.length)));
  }
  return shapes;
}

/** The place of each stroke in an order, and whether it runs from its end there. */
function orderOf(way, order) {
  const [places, flipped] = [[], []];
  order.forEach((k, place) => {
    const stroke = k < 0 ? ~k : k;
    [places[stroke], flipped[stroke]] = [place, k < 0];
  });
  return { way, places, flipped };
}

/** What a fit says of the strokes, by their numbers. */
function told({ rows, columns, pairs, distances, faults }, drawnCount, count, wanted) {
  const { places, way } = faults.order;
  const [drawnAs, far] = [Array(count).fill(null), Array(count).fill(null)];
  const used = new Set();
  for (const [i, j] of pairs) {
    for (const k of columns[j]) {
      drawnAs[places[k]] = rows[i][0] + 1;
      far[places[k]] = distances[i][j];
    }
    for (const k of rows[i]) used.add(k);
  }
  const [next, place] = [(k) => k + 1, (k) => places[k] + 1];
  const several = (parts) => parts.filter((numbers) => numbers.length > 1);
  const wrong = {
    missing: range(count).filter((k) => drawnAs[k] === null).map(next),
    extra: range(drawnCount).filter((k) => !used.has(k)).map(next),
    joined: several(columns).map((numbers) => numbers.map(place)),
    split: several(rows).map((numbers) => numbers.map(next)),
    swapped: faults.swapped.map((pair) => pair.map(next)),
    early: faults.early.map(next),
    late: faults.late.map(next),
    reversed: faults.backwards.flatMap((j) => columns[j].map(place)).sort((a, b) => a - b),
  };
  const counts = (kind) => wanted.has("count") || (kind !== "joined" && kind !== "split");
  return {
    accepted: Object.entries(wrong).every(([kind, numbers]) => !numbers.length || !counts(kind)),
    judged: STRICTNESS.filter((what) => wanted.has(what)),
    way,
    ...wrong,
    alike: null,
    differs: null,
    drawn: drawnAs,
    distances: far,
  };
}
