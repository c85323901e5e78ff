/**
 * What is wrong with a character that someone wrote: its pen strokes beside the reference's.
 *
 *     import { match } from "./matching.js";
 *     const found = match(drawn, reference, { ordered: true });
 *     if (found.missing.length) …
 *
 * The same method as stages/kakitori/matching.py, step by step, which explains it;
 * tests/cases/matching.json holds both to the same answers. Needs nothing else.
 *
 * @module
 */

const POINTS = 8;
const ROUNDS = 4;
const LEFT = 0.25;
const BACKWARDS = 0.03;
const MISPLACED = 0.03;
const STIFFNESS = 0.015;
const NARROWEST = 1 / 3;

/**
 * A stroke: its points [x, y] as the pen moves, y down, in any units. One point is a dot.
 * @typedef {number[][]} Stroke
 */

/**
 * How a drawing differs from its reference. Strokes are numbered from 1: those of the reference in
 * writing order, those drawn in the order in which they were drawn.
 *
 * @typedef {object} Match
 * @property {boolean} accepted whether nothing below is wrong
 * @property {boolean} ordered whether order and direction were judged
 * @property {number[]} missing reference strokes that were not drawn
 * @property {number[]} extra drawn strokes that belong to none of the reference
 * @property {number[][]} swapped pairs of reference strokes, each written when the other was due
 * @property {number[]} early further reference strokes that came too early
 * @property {number[]} late those that came too late
 * @property {number[]} reversed reference strokes that were written from their end
 * @property {(number|null)[]} drawn for each reference stroke the drawn one
 * @property {(number|null)[]} distances for each reference stroke the mean distance of the drawn
 *     one, in longer sides of the reference
 */

/**
 * Compare pen strokes with the strokes of the character that was meant.
 *
 * @param {Stroke[]} drawn in the order of drawing; may be empty
 * @param {Stroke[]} reference in writing order
 * @param {{ordered?: boolean}} [options] whether order and direction are judged; not where the
 *     reference's are unknown, as of strokes traced from a font
 * @returns {Match}
 */
export function match(drawn, reference, { ordered = true } = {}) {
  if (!drawn.length) {
    return judged({ pairs: [], distances: [], turned: [] }, 0, reference.length, ordered);
  }
  const [one, other] = [framed(drawn), framed(reference)];
  let best = search(one, other, ordered, freely);
  if (ordered) {
    const inDrawnOrder = search(one, other, ordered, inOrder);
    if (inDrawnOrder.cost <= best.cost) best = inDrawnOrder;
  }
  return judged(best, drawn.length, reference.length, ordered);
}

function search(drawn, reference, ordered, pairing) {
  let placed = drawn;
  let before = null;
  let costs, distances, pairs, turned;
  for (let round = 0; round < ROUNDS; round++) {
    turned = runAgainst(placed, reference);
    const facing = (i, j) => (turned[i][j] ? backwards(reference[j]) : reference[j]);
    distances = table(placed, reference, (a, _, i, j) => warpedDistance(a, facing(i, j)));
    costs = distances.map((row, i) =>
      row.map((d, j) => (ordered && turned[i][j] ? d + BACKWARDS : d)),
    );
    pairs = pairing(costs);
    const now = JSON.stringify(pairs.map(([i, j]) => [i, j, turned[i][j]]));
    if (now === before || !pairs.length) break;
    before = now;
    placed = moved(
      drawn,
      pairs.flatMap(([i]) => drawn[i]),
      pairs.flatMap(([i, j]) => facing(i, j)),
    );
  }
  const left = drawn.length + reference.length - 2 * pairs.length;
  let cost = sum(pairs.map(([i, j]) => costs[i][j])) + (LEFT / 2) * left;
  if (ordered) {
    const { swapped, early, late } = outOfOrder(pairs.map(([, j]) => j));
    cost += MISPLACED * (2 * swapped.length + early.length + late.length);
  }
  return { cost, pairs, distances, turned };
}

function judged({ pairs, distances, turned }, rows, columns, ordered) {
  const drawnAs = new Map(pairs.map(([i, j]) => [j, i]));
  const used = new Set(drawnAs.values());
  const all = range(columns);
  const order = ordered
    ? outOfOrder(pairs.map(([, j]) => j))
    : { swapped: [], early: [], late: [] };
  const next = (k) => k + 1;
  const wrong = {
    missing: all.filter((j) => !drawnAs.has(j)).map(next),
    extra: range(rows).filter((i) => !used.has(i)).map(next),
    swapped: order.swapped.map((pair) => pair.map(next)),
    early: order.early.map(next),
    late: order.late.map(next),
    reversed: all.filter((j) => ordered && drawnAs.has(j) && turned[drawnAs.get(j)][j]).map(next),
  };
  return {
    accepted: Object.values(wrong).every((found) => !found.length),
    ordered,
    ...wrong,
    drawn: all.map((j) => (drawnAs.has(j) ? drawnAs.get(j) + 1 : null)),
    distances: all.map((j) => (drawnAs.has(j) ? distances[drawnAs.get(j)][j] : null)),
  };
}

// ------------------------------------------------------------------------------------------------
// Shapes

function framed(strokes) {
  const resampled = strokes.map((stroke) => resample(stroke));
  const points = resampled.flat();
  const low = [0, 1].map((k) => Math.min(...points.map((p) => p[k])));
  const high = [0, 1].map((k) => Math.max(...points.map((p) => p[k])));
  const side = Math.max(high[0] - low[0], high[1] - low[1]) || 1; // a single dot
  return resampled.map((stroke) =>
    stroke.map((point) => point.map((value, k) => (value - (low[k] + high[k]) / 2) / side)),
  );
}

function resample(stroke) {
  const along = [0];
  for (let k = 1; k < stroke.length; k++) {
    const [x, y] = [stroke[k][0] - stroke[k - 1][0], stroke[k][1] - stroke[k - 1][1]];
    along.push(along[k - 1] + Math.sqrt(x * x + y * y));
  }
  const last = stroke.length - 1;
  let k = 0;
  return range(POINTS).map((n) => {
    const at = (along[last] * n) / (POINTS - 1);
    while (k < last && along[k + 1] <= at) k++;
    if (k === last) return stroke[last].slice();
    const part = at - along[k];
    return stroke[k].map((value, axis) => {
      const slope = (stroke[k + 1][axis] - value) / (along[k + 1] - along[k]);
      return slope * part + value;
    });
  });
}

/** Whether strokes run against others once they lie on each other's middles. */
function runAgainst(drawn, reference) {
  const [one, other] = [drawn.map(centred), reference.map(centred)];
  const dot = (a, b) => sum(a.map((p, k) => p[0] * b[k][0] + p[1] * b[k][1]));
  return table(one, other, (a, b) => dot(a, backwards(b)) > dot(a, b) + 1e-9);
}

function centred(stroke) {
  const middle = mean(stroke);
  return stroke.map(([x, y]) => [x - middle[0], y - middle[1]]);
}

/** Mean distance along the best warping path. */
function warpedDistance(one, other) {
  const count = one.length;
  let before = new Float64Array(count).fill(Infinity);
  for (let i = 0; i < count; i++) {
    const cells = new Float64Array(count);
    for (let j = 0; j < count; j++) {
      const [x, y] = [one[i][0] - other[j][0], one[i][1] - other[j][1]];
      const step = Math.sqrt(x * x + y * y);
      const diagonal = i && j ? before[j - 1] : i || j ? Infinity : 0;
      const straight = Math.min(before[j], j ? cells[j - 1] : Infinity);
      cells[j] = Math.min(straight + step, diagonal + 2 * step);
    }
    before = cells;
  }
  return before[count - 1] / (2 * count);
}

/** The drawing under the affine map that brings points nearest to targets. */
function moved(drawing, points, targets) {
  const [middle, goal] = [mean(points), mean(targets)];
  const ridge = STIFFNESS * points.length;
  const own = [ridge, 0, ridge]; // xx, xy and yy of a symmetric matrix
  const cross = [ridge, 0, 0, ridge];
  points.forEach(([px, py], k) => {
    const [x, y] = [px - middle[0], py - middle[1]];
    const [u, v] = [targets[k][0] - goal[0], targets[k][1] - goal[1]];
    own[0] += x * x;
    own[1] += x * y;
    own[2] += y * y;
    cross[0] += x * u;
    cross[1] += x * v;
    cross[2] += y * u;
    cross[3] += y * v;
  });
  const determinant = own[0] * own[2] - own[1] * own[1];
  let linear = [
    (own[2] * cross[0] - own[1] * cross[2]) / determinant,
    (own[2] * cross[1] - own[1] * cross[3]) / determinant,
    (own[0] * cross[2] - own[1] * cross[0]) / determinant,
    (own[0] * cross[3] - own[1] * cross[1]) / determinant,
  ];
  if (Math.min(linear[0], linear[3]) < NARROWEST) linear = [1, 0, 0, 1];
  return drawing.map((stroke) =>
    stroke.map(([px, py]) => {
      const [x, y] = [px - middle[0], py - middle[1]];
      return [x * linear[0] + y * linear[2] + goal[0], x * linear[1] + y * linear[3] + goal[1]];
    }),
  );
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
  const ofRows = Array(rows).fill(0);
  const ofColumns = Array(columns).fill(0);
  const takenBy = Array(columns).fill(-1);
  for (let row = 0; row < rows; row++) {
    const reach = Array(columns).fill(Infinity);
    const way = Array(columns).fill(-1);
    const visited = Array(columns).fill(false);
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
      visited[nearest] = true;
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

const backwards = (stroke) => [...stroke].reverse();
const range = (count) => [...Array(count).keys()];
const sum = (values) => values.reduce((total, value) => total + value, 0);
const mean = (points) => [0, 1].map((k) => sum(points.map((p) => p[k])) / points.length);
const table = (rows, columns, value) =>
  rows.map((a, i) => columns.map((b, j) => value(a, b, i, j)));
