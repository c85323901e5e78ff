/**
 * What is wrong with a character that someone wrote: its pen strokes beside the reference's.
 *
 *     import { lookAlikes, match } from "./matching.js";
 *     const found = match(drawn, reference, { ways, alike: lookAlikes("末", table) });
 *     if (found.missing.length) …
 *
 * The same method as stages/kakitori/matching.py, step by step, which explains it;
 * tests/cases/matching.json holds both to the same answers. Needs nothing else.
 *
 * @module
 */

const POINTS = 8;
const SEAM = 2 * POINTS; // where the points of a stroke end
const ROUNDS = 4;
const LEFT = 0.25;
const BACKWARDS = 0.03;
const MISPLACED = 0.03;
const STIFFNESS = 0.015;
const NARROWEST = 1 / 3;
const JOINED = 0.03;
const JOINED_FAR = 0.12;
const MERGES = 3;
const MEETING = 0.1;
const SHORT = 0.25;
const SAME = 0.01;
const ALIKE = 8;
const CELLS = 6;
const TOUCHING = 0.05;
const ROUNDING = 1e-9;

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
 * @param {Stroke[][]} [options.ways] other right ways to write it
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
  const judging = STRICTNESS.filter((what) => judged.includes(what) && known(what));
  const wanted = new Set(judging);
  let best = null;
  for (const [way, strokes] of [reference, ...ways].entries()) {
    const found = compared(drawn, strokes, wanted, way);
    if (!best || rank(found) < rank(best)) best = found;
    if (found.match.accepted) break;
  }
  const { match: found } = best;
  if (found.accepted && wanted.has("shape")) {
    const taken = [reference, ...ways][found.way];
    const other = takenFor(best.fit, drawn, alike);
    if (other) {
      found.alike = other;
      found.accepted = false;
      found.differs = difference(best, taken, alike.get(other));
    }
  }
  return found;
}

const rank = ({ match: { accepted }, fit }) => (accepted ? 0 : 1e6) + fit.cost;

/**
 * The characters that look most like one: of as many strokes, by ink and then by `match`'s measure.
 *
 * @param {string} character
 * @param {Map<string, {strokes: Stroke[]}>} table
 * @param {string[]} [same] groups of characters that no shape tells apart
 * @returns {Map<string, Stroke[]>} nearest first
 */
export function lookAlikes(character, table, same = []) {
  const { strokes } = table.get(character);
  const excused = new Set([character, ...same.filter((group) => group.includes(character)).join("")]);
  const own = framed(strokes);
  const ink = inked(own);
  const others = [];
  for (const [name, other] of table) {
    if (other.strokes.length !== strokes.length || excused.has(name)) continue;
    others.push({ name, strokes: other.strokes, apart: apart(ink, inkOf(other)) });
  }
  others.sort((a, b) => a.apart - b.apart);
  const near = others.slice(0, 3 * ALIKE).map((one) => ({ ...one, ...residual(own, framed(one.strokes)) }));
  const kept = near.filter(({ error }) => error > SAME);
  kept.sort((a, b) => Math.min(a.error, LEFT) - Math.min(b.error, LEFT));
  return new Map(kept.slice(0, ALIKE).map((one) => [one.name, one.strokes]));
}

// ------------------------------------------------------------------------------------------------
// One way of writing

/** The drawing beside one way of writing: what is said of it, and how the two fit. */
function compared(drawn, reference, wanted, way) {
  const [order, direction] = [wanted.has("order"), wanted.has("direction")];
  let state = fitted(singly(drawn), singly(reference), order, direction);
  for (let merges = 0; merges < MERGES && state; merges++) {
    let better = null;
    for (const [rows, columns] of merged(state)) {
      const next = fitted(rows, columns, order, direction);
      next.cost += JOINED * (merges + 1);
      if (next.cost < (better ?? state).cost && wholly(next)) better = next;
    }
    if (!better) break;
    state = better;
  }
  return { fit: state, match: told(state, drawn.length, reference.length, wanted, way) };
}

/** Strokes, each as a part of its own: which strokes it is made of, and its polyline. */
const singly = (strokes) => strokes.map((line, k) => ({ from: [k], line }));

/** The ways to take a missing stroke, or one too many, as a part of another: of the one before or
 * after it, or of one that ends where it begins or begins where it ends. */
function merged({ rows, columns, pairs, drawn, target }) {
  if (!pairs.length) return [];
  const [i, j] = [new Set(pairs.map(([row]) => row)), new Set(pairs.map(([, column]) => column))];
  return [
    ...seams(target, j).map(([a, b]) => [rows, glued(columns, a, b)]),
    ...seams(drawn, i).map(([a, b]) => [glued(rows, a, b), columns]),
  ];
}

function seams(strokes, used) {
  const found = [];
  strokes.forEach((_, a) =>
    strokes.forEach((_, b) => {
      if (a === b || (used.has(a) && used.has(b))) return;
      const [end, start] = [strokes[a].slice(SEAM - 2, SEAM), strokes[b]];
      if (b === a + 1 || between(end[0], end[1], start[0], start[1]) < MEETING) found.push([a, b]);
    }),
  );
  return found;
}

/** Parts of which one is the next of another, in the place of the earlier. */
function glued(parts, a, b) {
  const [one, other] = [parts[a], parts[b]];
  const from = [...one.from, ...other.from];
  const both = { from, line: [...one.line, ...other.line], parts: [one.line, other.line] };
  const left = parts.map((part, k) => (k === Math.min(a, b) ? both : part));
  return left.filter((_, k) => k !== Math.max(a, b));
}

/** Whether each merged stroke is near its counterpart, and begins and ends where that does: nearer
 * to its ends than to those of the other part. */
function wholly({ rows, columns, pairs, placed, target, distances, turned }) {
  const near = (i, j, one, other) => {
    if (i === undefined || j === undefined) return false;
    if (turned[i][j] || distances[i][j] > JOINED_FAR) return false;
    const gap = (k, n) => between(one[k], one[k + 1], other[n], other[n + 1]);
    return gap(0, 0) < gap(0, SEAM + 2) && gap(SEAM - 2, SEAM - 2) < gap(SEAM - 2, SEAM);
  };
  const [ofRow, ofColumn] = [new Map(pairs), new Map(pairs.map(([i, j]) => [j, i]))];
  const single = ({ from }) => from.length === 1;
  return (
    columns.every(
      (part, j) => single(part) || near(ofColumn.get(j), j, placed[ofColumn.get(j)], target[j]),
    ) && rows.every((part, i) => single(part) || near(i, ofRow.get(i), target[ofRow.get(i)], placed[i]))
  );
}

/** Parts of a drawing paired with parts of the reference, in order or freely, whichever costs less. */
function fitted(rows, columns, order, direction) {
  if (!rows.length) return unfitted(rows, columns);
  const [drawn, target] = [framed(rows), framed(columns)];
  const inDrawnOrder = order && search(drawn, target, order, direction, inOrder);
  let best = inDrawnOrder;
  if (!best || !sameAsFree(best)) {
    const free = search(drawn, target, order, direction, freely);
    if (!best || free.cost < best.cost) best = free;
  }
  return { ...best, rows, columns, drawn, target };
}

const unfitted = (rows, columns) => ({
  ...{ rows, columns, drawn: [], target: [], placed: [], pairs: [], distances: [], turned: [] },
  cost: (LEFT / 2) * columns.length,
});

/** Whether all strokes are paired, and the cheapest pairs in any order are the same. */
function sameAsFree({ costs, pairs }) {
  if (pairs.length < Math.max(costs.length, costs[0].length)) return false;
  return freely(costs).every(([i, j], k) => pairs[k][0] === i && pairs[k][1] === j);
}

function search(drawn, target, order, direction, pairing) {
  const back = target.map(backwards);
  const middled = target.map(centred);
  const lengths = target.map(length);
  let placed = drawn;
  let before = null;
  let costs, distances, pairs, turned;
  for (let round = 0; round < ROUNDS; round++) {
    [costs, distances, turned] = [[], [], []];
    for (const stroke of placed) {
      const [own, long] = [centred(stroke), length(stroke)];
      const against = middled.map((other) => runsAgainst(own, other));
      const far = target.map((to, j) => warpedDistance(stroke, against[j] ? back[j] : to));
      turned.push(against);
      distances.push(far);
      costs.push(
        far.map((d, j) => {
          if (lengths[j] > SHORT && long < SHORT * lengths[j]) return 2 * LEFT; // a dot is no stroke
          return direction && against[j] ? d + BACKWARDS : d;
        }),
      );
    }
    pairs = pairing(costs);
    const now = pairs.map(([i, j]) => `${i} ${j} ${turned[i][j]}`).join();
    if (now === before || !pairs.length) break;
    before = now;
    placed = moved(drawn, target, back, pairs, turned);
  }
  const left = drawn.length + target.length - 2 * pairs.length;
  let cost = (LEFT / 2) * left;
  for (const [i, j] of pairs) cost += costs[i][j];
  if (order) {
    const { swapped, early, late } = outOfOrder(pairs.map(([, j]) => j));
    cost += MISPLACED * (2 * swapped.length + early.length + late.length);
  }
  return { cost, costs, pairs, distances, turned, placed };
}

/** What a fit says of the strokes, by their numbers. */
function told({ rows, columns, pairs, distances, turned }, drawnCount, count, wanted, way) {
  const [drawnAs, far, back] = [Array(count).fill(null), Array(count).fill(null), new Set()];
  const used = new Set();
  for (const [i, j] of pairs) {
    for (const k of columns[j].from) {
      drawnAs[k] = rows[i].from[0] + 1;
      far[k] = distances[i][j];
      if (turned[i][j] && wanted.has("direction")) back.add(k);
    }
    for (const k of rows[i].from) used.add(k);
  }
  const none = { swapped: [], early: [], late: [] };
  const order = wanted.has("order") ? outOfOrder(pairs.map(([, j]) => j)) : none;
  const named = (j) => columns[j].from[0] + 1;
  const next = (k) => k + 1;
  const several = (parts) => parts.filter(({ from }) => from.length > 1).map(({ from }) => from.map(next));
  const numbers = range(count);
  const wrong = {
    missing: numbers.filter((k) => drawnAs[k] === null).map(next),
    extra: range(drawnCount).filter((k) => !used.has(k)).map(next),
    joined: several(columns),
    split: several(rows),
    swapped: order.swapped.map((pair) => pair.map(named)),
    early: order.early.map(named),
    late: order.late.map(named),
    reversed: numbers.filter((k) => back.has(k)).map(next),
  };
  const counts = (kind) => wanted.has("count") || (kind !== "joined" && kind !== "split");
  return {
    accepted: Object.entries(wrong).every(([kind, found]) => !found.length || !counts(kind)),
    judged: STRICTNESS.filter((what) => wanted.has(what)),
    way,
    ...wrong,
    alike: null,
    differs: null,
    drawn: drawnAs,
    distances: far,
  };
}

// ------------------------------------------------------------------------------------------------
// Look-alikes

/** The look-alike that a drawing is nearer to than to what was meant, if any. */
function takenFor(fit, drawn, alike) {
  let [nearest, name] = [residual(fit.drawn, fit.target).error, null];
  const singly = framed(drawn); // what was taken as joined may be strokes of another
  for (const [other, strokes] of alike) {
    if (strokes.length !== drawn.length) continue;
    const { error } = residual(singly, framed(strokes));
    if (error < nearest - ROUNDING) [nearest, name] = [error, other];
  }
  return name;
}

/** What tells a character from its look-alike and was drawn as in that: the clearest of who is longer
 * than whom, whose end lies on whom, and which stroke has another shape. */
function difference({ fit }, reference, other) {
  const model = framed(reference);
  const theirs = counterparts(model, framed(other));
  const drawn = counterparts(model, fit.drawn);
  if (!theirs || !drawn) return { what: "shape", strokes: [] };
  const lengths = [model, theirs, drawn].map((strokes) => strokes.map(length));
  let best = { clear: 0, what: "shape", strokes: [] };
  const offer = (clear, what, strokes) => {
    if (clear > best.clear) best = { clear, what, strokes: strokes.map((k) => k + 1) };
  };
  for (let j = 0; j < model.length; j++) {
    offer(0.5 * gapOf(model[j], theirs[j]), "shape", [j]);
    for (let k = 0; k < model.length; k++) {
      if (j === k) continue;
      const [own, its, here] = lengths.map((long) => long[j] - long[k]);
      // Longer in the one, shorter in the other, and drawn as in the other.
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

/** Mean distance of the points of two strokes. */
function gapOf(one, other) {
  let total = 0;
  for (let k = 0; k < SEAM; k += 2) total += between(one[k], one[k + 1], other[k], other[k + 1]);
  return total / POINTS;
}

/** Distance of a place from the nearest of a stroke's lines. */
function offLine(x, y, stroke) {
  let least = Infinity;
  for (let k = 2; k < SEAM; k += 2) {
    const [a, b] = [stroke[k - 2], stroke[k - 1]];
    const [u, v] = [stroke[k] - a, stroke[k + 1] - b];
    const squared = u * u + v * v;
    const along = squared ? ((x - a) * u + (y - b) * v) / squared : 0;
    const bounded = Math.min(Math.max(along, 0), 1);
    least = Math.min(least, between(x, y, a + bounded * u, b + bounded * v));
  }
  return least;
}

/** How far a drawing is from a reference when each is laid onto the other as well as can be: the
 * square root of the mean square of the distances of all points; Infinity where a stroke is left. */
function residual(drawn, target) {
  const fit = search(drawn, target, false, false, freely);
  const back = target.map(backwards);
  if (fit.pairs.length < Math.max(drawn.length, target.length)) return { error: Infinity, ...fit };
  const placed = moved(drawn, target, back, fit.pairs, fit.turned);
  let total = 0;
  for (const [i, j] of fit.pairs) {
    const to = fit.turned[i][j] ? back[j] : target[j];
    for (let k = 0; k < SEAM; k++) total += (placed[i][k] - to[k]) * (placed[i][k] - to[k]);
  }
  return { ...fit, placed, error: Math.sqrt(total / (drawn.length * POINTS)) };
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

const INK = new WeakMap(); // of characters in a table, since each is asked for again and again

function inkOf(entry) {
  if (!INK.has(entry)) INK.set(entry, inked(framed(entry.strokes)));
  return INK.get(entry);
}

function apart(one, other) {
  let total = 0;
  for (let k = 0; k < one.length; k++) total += (one[k] - other[k]) * (one[k] - other[k]);
  return total;
}

// ------------------------------------------------------------------------------------------------
// Shapes: a stroke is POINTS points and the two where its parts meet, x and y in turn

/** Strokes, or merged ones with their parts, evenly spaced, moved and scaled so that the longer side
 * of their bounding box is 1 and its middle 0. */
function framed(strokes) {
  const flat = strokes.map((stroke) => {
    const [line, [a, b]] = stroke.line
      ? [stroke.line, stroke.parts ?? [stroke.line, stroke.line]]
      : [stroke, [stroke, stroke]];
    return Float64Array.from([...resampled(line), ...a.at(-1), ...b[0]]);
  });
  const [low, high] = [[Infinity, Infinity], [-Infinity, -Infinity]];
  for (const s of flat) {
    for (let k = 0; k < SEAM; k++) {
      low[k % 2] = Math.min(low[k % 2], s[k]);
      high[k % 2] = Math.max(high[k % 2], s[k]);
    }
  }
  const side = Math.max(high[0] - low[0], high[1] - low[1]) || 1; // a single dot
  const middle = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2];
  return flat.map((s) => s.map((value, k) => (value - middle[k % 2]) / side));
}

function resampled(stroke) {
  const along = [0];
  for (let k = 1; k < stroke.length; k++) {
    const [[a, b], [c, d]] = [stroke[k - 1], stroke[k]];
    along.push(along[k - 1] + between(a, b, c, d));
  }
  const last = stroke.length - 1;
  const points = [];
  let k = 0;
  for (let n = 0; n < POINTS; n++) {
    const at = (along[last] * n) / (POINTS - 1);
    while (k < last && along[k + 1] <= at) k++;
    if (k === last) {
      points.push(...stroke[last]);
      continue;
    }
    const part = at - along[k];
    for (const axis of [0, 1]) {
      const value = stroke[k][axis];
      points.push(((stroke[k + 1][axis] - value) / (along[k + 1] - along[k])) * part + value);
    }
  }
  return points;
}

function length(stroke) {
  let total = 0;
  for (let k = 2; k < SEAM; k += 2) {
    total += between(stroke[k - 2], stroke[k - 1], stroke[k], stroke[k + 1]);
  }
  return total;
}

function backwards(stroke) {
  const back = stroke.slice();
  for (let k = 0; k < SEAM; k += 2) {
    back[k] = stroke[SEAM - 2 - k];
    back[k + 1] = stroke[SEAM - 1 - k];
  }
  return back;
}

function centred(stroke) {
  const middle = [0, 0];
  for (let k = 0; k < SEAM; k++) middle[k % 2] += stroke[k] / POINTS;
  return stroke.map((value, k) => value - middle[k % 2]);
}

/** Whether strokes run against each other once they lie on each other's middles. */
function runsAgainst(one, other) {
  let [along, against] = [0, 0];
  for (let k = 0; k < SEAM; k += 2) {
    const [x, y] = [one[k], one[k + 1]];
    along += x * other[k] + y * other[k + 1];
    against += x * other[SEAM - 2 - k] + y * other[SEAM - 1 - k];
  }
  return against > along + ROUNDING;
}

const CELL = new Float64Array(POINTS); // of warpedDistance, which runs a thousand times a drawing

/** Mean distance along the best warping path. */
function warpedDistance(one, other) {
  for (let i = 0; i < POINTS; i++) {
    const [x, y] = [one[2 * i], one[2 * i + 1]];
    let [left, diagonal] = [Infinity, i ? Infinity : 0];
    for (let j = 0; j < POINTS; j++) {
      const [u, v] = [x - other[2 * j], y - other[2 * j + 1]];
      const step = Math.sqrt(u * u + v * v);
      const above = i ? CELL[j] : Infinity;
      const cell = Math.min(Math.min(above, left) + step, diagonal + 2 * step);
      diagonal = above;
      CELL[j] = left = cell;
    }
  }
  return CELL[POINTS - 1] / (2 * POINTS);
}

/** The drawing under the affine map that brings its strokes nearest to their counterparts. */
function moved(drawing, target, back, pairs, turned) {
  const facing = (i, j) => (turned[i][j] ? back[j] : target[j]);
  const count = pairs.length * POINTS;
  const [middle, goal] = [[0, 0], [0, 0]];
  for (const [i, j] of pairs) {
    const to = facing(i, j);
    for (let k = 0; k < SEAM; k++) {
      middle[k % 2] += drawing[i][k] / count;
      goal[k % 2] += to[k] / count;
    }
  }
  const ridge = STIFFNESS * count;
  const own = [ridge, 0, ridge]; // xx, xy and yy of a symmetric matrix
  const cross = [ridge, 0, 0, ridge];
  for (const [i, j] of pairs) {
    const [from, to] = [drawing[i], facing(i, j)];
    for (let k = 0; k < SEAM; k += 2) {
      const [x, y] = [from[k] - middle[0], from[k + 1] - middle[1]];
      const [u, v] = [to[k] - goal[0], to[k + 1] - goal[1]];
      own[0] += x * x;
      own[1] += x * y;
      own[2] += y * y;
      cross[0] += x * u;
      cross[1] += x * v;
      cross[2] += y * u;
      cross[3] += y * v;
    }
  }
  const determinant = own[0] * own[2] - own[1] * own[1];
  let linear = [
    (own[2] * cross[0] - own[1] * cross[2]) / determinant,
    (own[2] * cross[1] - own[1] * cross[3]) / determinant,
    (own[0] * cross[2] - own[1] * cross[0]) / determinant,
    (own[0] * cross[3] - own[1] * cross[1]) / determinant,
  ];
  if (Math.min(linear[0], linear[3]) < NARROWEST) linear = [1, 0, 0, 1];
  return drawing.map((stroke) => {
    const there = new Float64Array(stroke.length);
    for (let k = 0; k < stroke.length; k += 2) {
      const [x, y] = [stroke[k] - middle[0], stroke[k + 1] - middle[1]];
      there[k] = x * linear[0] + y * linear[2] + goal[0];
      there[k + 1] = x * linear[1] + y * linear[3] + goal[1];
    }
    return there;
  });
}

// ------------------------------------------------------------------------------------------------
// Pairs

/** The cheapest pairs [row, column] that keep the order of both. */
function inOrder(costs) {
  const [rows, columns] = [costs.length, costs[0].length];
  const total = range(rows + 1).map((i) => range(columns + 1).map((j) => (LEFT / 2) * (i + j)));
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const left = Math.min(total[i][j + 1], total[i + 1][j]) + LEFT / 2;
      total[i + 1][j + 1] = Math.min(total[i][j] + costs[i][j], left);
    }
  }
  const pairs = [];
  let [i, j] = [rows, columns];
  while (i && j) {
    if (total[i][j] === total[i - 1][j - 1] + costs[i - 1][j - 1]) pairs.push([--i, --j]);
    else if (total[i - 1][j] <= total[i][j - 1]) i--;
    else j--;
  }
  return pairs.reverse();
}

/** The cheapest pairs [row, column] in any order. */
function freely(costs) {
  const [rows, columns] = [costs.length, costs[0].length];
  const whole = costs.map((row) => [...row, ...Array(rows).fill(LEFT)]);
  return [...assignment(whole).entries()].filter(([, j]) => j < columns);
}

/** A column for each row, all different, with the least sum of costs: the Hungarian method. */
function assignment(costs) {
  const [rows, columns] = [costs.length, costs[0].length];
  const ofRows = new Float64Array(rows);
  const ofColumns = new Float64Array(columns);
  const takenBy = new Int32Array(columns).fill(-1);
  for (let row = 0; row < rows; row++) {
    const reach = new Float64Array(columns).fill(Infinity);
    const way = new Int32Array(columns).fill(-1);
    const visited = new Uint8Array(columns);
    let [i, j] = [row, -1];
    while (i >= 0) {
      let nearest = -1;
      for (let k = 0; k < columns; k++) {
        if (visited[k]) continue;
        const length = costs[i][k] - ofRows[i] - ofColumns[k];
        if (length < reach[k]) [reach[k], way[k]] = [length, j];
        if (nearest < 0 || reach[k] < reach[nearest]) nearest = k;
      }
      const step = reach[nearest];
      ofRows[row] += step;
      for (let k = 0; k < columns; k++) {
        if (visited[k]) {
          ofRows[takenBy[k]] += step;
          ofColumns[k] -= step;
        } else reach[k] -= step;
      }
      visited[nearest] = 1;
      j = nearest;
      i = takenBy[j];
    }
    while (j >= 0) {
      const before = way[j];
      takenBy[j] = before >= 0 ? takenBy[before] : row;
      j = before;
    }
  }
  return range(rows).map((row) => takenBy.indexOf(row));
}

/** Which of different numbers are out of place: swapped pairs, and what came early and late. */
function outOfOrder(sequence) {
  const ranks = [...sequence].sort((a, b) => a - b);
  const places = sequence.map((number) => ranks.indexOf(number));
  const swapped = [...places.entries()].filter(([a, b]) => a < b && places[b] === a);
  const rest = [...places.entries()].filter(([k, place]) => place === k || places[place] !== k);
  const length = rest.map(() => 1);
  const before = rest.map(() => -1);
  for (let k = 0; k < rest.length; k++) {
    for (let earlier = 0; earlier < k; earlier++) {
      if (rest[earlier][1] < rest[k][1] && length[earlier] >= length[k]) {
        [length[k], before[k]] = [length[earlier] + 1, earlier];
      }
    }
  }
  const kept = new Set();
  for (let k = length.indexOf(Math.max(...length)); k >= 0; k = before[k]) kept.add(k);
  const astray = rest.filter((_, k) => !kept.has(k));
  const named = (chosen) => chosen.map(([, place]) => ranks[place]).sort((a, b) => a - b);
  return {
    swapped: swapped.map((pair) => pair.map((k) => ranks[k])),
    early: named(astray.filter(([k, place]) => place > k)),
    late: named(astray.filter(([k, place]) => place <= k)),
  };
}

// ------------------------------------------------------------------------------------------------

const range = (count) => [...Array(count).keys()];
const between = (a, b, c, d) => Math.sqrt((a - c) * (a - c) + (b - d) * (b - d));
