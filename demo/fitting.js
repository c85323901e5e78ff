/**
 * A drawing laid onto one form of a character: which stroke is which, and what that costs. The same as
 * stages/kakitori/reading/matching/fitting.py, which explains it.
 *
 * A fit has the strokes of the drawing (rows) and of the target (columns) and the numbers of those
 * that each is made of, `pairs`, where the drawing lies (`placed`), what that costs, and `faults`.
 *
 * @module
 */

import { freely, inOrder, LEFT, outOfOrder } from "./pairing.js";
import { backwards, between, centred, joined, length, moved } from "./shapes.js";
import { ROUNDING, runsAgainst, SEAM, warpedDistance } from "./shapes.js";

const ROUNDS = 4;
const BACKWARDS = 0.03;
const MISPLACED = 0.03;
const OTHER = 0.04;
const JOINED = 0.03;
const JOINED_FAR = 0.12;
const NEARER = 0.01;
const LONGER = 1.2;
const MERGES = 3;
const TRIED = 2;
const MEETING = 0.1;
const SHORT = 0.25;

/** The drawing beside one form, with strokes that are left over tried as parts of others. */
export function fitted(drawn, target, orders, wanted) {
  const [rows, columns] = [drawn, target].map((strokes) => strokes.map((_, k) => [k]));
  let best = paired({ drawn, target, rows, columns }, orders, wanted);
  for (let merges = 1; merges <= MERGES; merges++) {
    let next = null;
    for (const merge of mergesOf(best, wanted).slice(0, TRIED)) {
      const tried = paired(merged(best, merge), orders, wanted);
      tried.cost += JOINED * merges;
      if (tried.cost < (next ?? best).cost - ROUNDING && wholly(best, tried, merge)) next = tried;
    }
    if (!next) break;
    best = next;
  }
  return best;
}

// ------------------------------------------------------------------------------------------------
// Strokes as parts of others

/** The ways to take strokes as parts of one where some are left over, the cheapest first as far as
 * that can be told from where the drawing lies. */
function mergesOf(fit, wanted) {
  const pairing = wanted.has("order") ? inOrder : freely;
  const candidates = [];
  for (const ofColumns of [true, false]) {
    const [strokes, others] = ofColumns ? [fit.target, fit.placed] : [fit.placed, fit.target];
    if (fit.pairs.length === strokes.length || !others.length) continue;
    const used = new Set(fit.pairs.map((pair) => pair[ofColumns ? 1 : 0]));
    for (const [a, b] of seams(strokes, used)) {
      const whole = joined(strokes[a], strokes[b]);
      const far = others.map((other) => warpedDistance(whole, other));
      const costs = ofColumns
        ? fit.costs.map((row, i) => glued(row, a, b, far[i]))
        : glued(fit.costs, a, b, far);
      candidates.push({ a, b, ofColumns, price: priceOf(costs, pairing) });
    }
  }
  return candidates.sort((candidate, other) => candidate.price - other.price);
}

function priceOf(costs, pairing) {
  const pairs = pairing(costs);
  let paid = 0;
  for (const [i, j] of pairs) paid += costs[i][j];
  return paid + (LEFT / 2) * (costs.length + costs[0].length - 2 * pairs.length);
}

/** Pairs of strokes that may be one: neighbours in time, and of those left over what begins where
 * another ends. */
function seams(strokes, used) {
  const pairs = [];
  strokes.forEach((stroke, a) =>
    strokes.forEach((other, b) => {
      const meet = () => between(stroke[SEAM - 2], stroke[SEAM - 1], other[0], other[1]) < MEETING;
      if (b === a + 1 || (a !== b && !(used.has(a) && used.has(b)) && meet())) pairs.push([a, b]);
    }),
  );
  return pairs;
}

/** The strokes of a fit, and their numbers, with two of them as one. */
function merged({ drawn, target, rows, columns }, { a, b, ofColumns }) {
  const of = (strokes) => glued(strokes, a, b, joined(strokes[a], strokes[b]));
  const numbers = (list) => glued(list, a, b, [...list[a], ...list[b]]);
  return ofColumns
    ? { drawn, target: of(target), rows, columns: numbers(columns) }
    : { drawn: of(drawn), target, rows: numbers(rows), columns };
}

/** A list in which one stands for two, in the place of the earlier. */
function glued(list, a, b, both) {
  const left = list.map((entry, k) => (k === Math.min(a, b) ? both : entry));
  return left.filter((_, k) => k !== Math.max(a, b));
}

/** Whether a merged stroke is its counterpart: near it, and beginning and ending where that does and
 * nearer to its length than to its parts'; where one of the three fails, the strokes must lie no worse
 * than before. */
function wholly(before, fit, { a, b, ofColumns }) {
  const pair = fit.pairs.find((p) => p[ofColumns ? 1 : 0] === Math.min(a, b));
  if (!pair) return false;
  const [i, j] = pair;
  if (fit.turned[i][j] || fit.distances[i][j] > JOINED_FAR) return false;
  const [counterpart, whole] = ofColumns
    ? [fit.placed[i], fit.target[j]]
    : [fit.target[j], fit.placed[i]];
  const parts = ofColumns ? before.target : before.placed;
  const longest = Math.max(length(parts[a]), length(parts[b]));
  const gap = (k, n) => between(counterpart[k], counterpart[k + 1], whole[n], whole[n + 1]);
  const begins = gap(0, 0) < gap(0, SEAM + 2);
  const ends = gap(SEAM - 2, SEAM - 2) < gap(SEAM - 2, SEAM);
  const long = length(counterpart) > Math.min(LONGER * longest, Math.sqrt(longest * length(whole)));
  const agreeing = begins + ends + long;
  return agreeing === 3 || (agreeing === 2 && fit.far < before.far + NEARER);
}

// ------------------------------------------------------------------------------------------------
// Which stroke is which

/** Strokes paired in order or freely, whichever costs less. */
function paired(given, orders, wanted) {
  const { drawn, target } = given;
  if (!drawn.length) {
    const none = { ...given, placed: [], costs: [], distances: [], turned: [], pairs: [], far: 0 };
    return { ...none, faults: faultsOf(none, orders, wanted), cost: (LEFT / 2) * target.length };
  }
  const price = wanted.has("direction") ? BACKWARDS : 0;
  const priced = (pairing, start) => {
    const fit = { ...given, ...search(drawn, target, pairing, price, start) };
    fit.faults = faultsOf(fit, orders, wanted);
    fit.cost = fit.left + fit.far + fit.faults.price;
    return fit;
  };
  let best = null;
  if (wanted.has("order")) {
    best = priced(inOrder);
    if (Math.abs(drawn.length - target.length) === 1) {
      best = cheaper(best, priced(inOrder, withoutOne(drawn, target)));
    }
    if (sameAsFree(best)) return best;
  }
  return cheaper(best, priced(freely));
}

const cheaper = (fit, other) => (!fit || other.cost < fit.cost - ROUNDING ? other : fit);

/** Whether all strokes are paired, and the cheapest pairs in any order are the same. */
function sameAsFree({ costs, pairs, drawn, target }) {
  if (pairs.length < Math.max(drawn.length, target.length)) return false;
  return freely(costs).every(([i, j], k) => pairs[k][0] === i && pairs[k][1] === j);
}

/** Pair strokes and move the drawing in turns, until the pairs stay as they are. */
export function search(drawn, target, pairing, price = 0, start = drawn) {
  const [back, middled, lengths, boxes] = [backwards, centred, length, box].map((of) => target.map(of));
  let [placed, linear, before] = [start, [1, 0, 0, 1], null];
  let costs, distances, pairs, turned;
  for (let round = 0; round < ROUNDS; round++) {
    [costs, distances, turned] = [[], [], []];
    for (const stroke of placed) {
      const [own, long, here] = [centred(stroke), length(stroke), box(stroke)];
      const against = middled.map((other) => runsAgainst(own, other));
      const far = target.map((to, j) => {
        if (gapOf(here, boxes[j]) >= LEFT) return LEFT;
        return warpedDistance(stroke, against[j] ? back[j] : to);
      });
      turned.push(against);
      distances.push(far);
      costs.push(
        far.map((d, j) => {
          if (lengths[j] > SHORT && long < SHORT * lengths[j]) return 2 * LEFT; // a dot is no stroke
          return against[j] === 2 ? d + price : d;
        }),
      );
    }
    pairs = pairing(costs);
    const now = pairs.map(([i, j]) => `${i} ${j} ${turned[i][j] > 0}`).join();
    if (now === before || !pairs.length) break;
    before = now;
    ({ placed, linear } = moved(drawn, target, back, pairs, turned));
  }
  const left = (LEFT / 2) * (drawn.length + target.length - 2 * pairs.length);
  let far = 0;
  for (const [i, j] of pairs) far += distances[i][j];
  return { drawn, target, placed, linear, costs, distances, turned, pairs, far, left };
}

/** What a stroke covers: least and most of x and of y. */
function box(stroke) {
  const sides = [Infinity, -Infinity, Infinity, -Infinity];
  for (let k = 0; k < SEAM; k++) {
    const least = 2 * (k % 2);
    sides[least] = Math.min(sides[least], stroke[k]);
    sides[least + 1] = Math.max(sides[least + 1], stroke[k]);
  }
  return sides;
}

const gapOf = (a, b) => Math.max(a[0] - b[1], b[0] - a[1], a[2] - b[3], b[2] - a[3]);

/** Where a drawing of one stroke more or fewer than the target lies when all but one are paired in
 * order: the place of the least distance. */
function withoutOne(drawn, target) {
  const more = drawn.length > target.length;
  const count = Math.max(drawn.length, target.length);
  const [back, turned] = [target.map(backwards), drawn.map(() => [])];
  if (count === 1) return drawn;
  let [best, least] = [drawn, Infinity];
  for (let without = 0; without < count; without++) {
    const pairs = [];
    for (let k = 0; k < count - 1; k++) {
      const many = k < without ? k : k + 1;
      pairs.push(more ? [many, k] : [k, many]);
    }
    const { placed } = moved(drawn, target, back, pairs, turned);
    let far = 0;
    for (const [i, j] of pairs) far += warpedDistance(placed[i], target[j]);
    if (far < least - ROUNDING) [best, least] = [placed, far];
  }
  return best;
}

/** The order that explains pairs with the fewest faults, and these. A merged stroke was written when
 * either of its parts was. */
function faultsOf({ rows, columns, pairs, turned }, orders, wanted) {
  let best = null;
  const several = [...rows, ...columns].some((numbers) => numbers.length > 1);
  const moments = wanted.has("order") ? (several ? [0, -1] : [0]) : [null];
  for (const order of orders) {
    const back = [];
    for (const [i, j] of wanted.has("direction") ? pairs : []) {
      const [stroke, ...others] = columns[j];
      const flipped = order.flipped[stroke] && !others.length;
      if (flipped ? turned[i][j] === 0 : turned[i][j] === 2) back.push(j);
    }
    for (const at of moments) {
      let wrong = { swapped: [], early: [], late: [] };
      if (at !== null) {
        const timely = [...pairs].sort(([a], [b]) => rows[a].at(at) - rows[b].at(at));
        wrong = outOfOrder(timely.map(([, j]) => order.places[columns[j].at(at)]));
      }
      const { swapped, early, late } = wrong;
      let price = MISPLACED * (2 * swapped.length + early.length + late.length);
      price += BACKWARDS * back.length;
      if (price && order.way) price += OTHER;
      if (!best || price < best.price - ROUNDING) {
        best = { order, price, swapped, early, late, backwards: back };
      }
    }
    if (!best.price) break;
  }
  return best;
}
