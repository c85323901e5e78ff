/**
 * Strokes as points, and how far they are from each other.
 *
 * A stroke is a Float64Array of POINTS points, evenly spaced, and the two places where the parts of a
 * merged one meet: x and y in turn. The same as stages/kakitori/reading/matching/shapes.py.
 *
 * @module
 */

export const POINTS = 8;
export const SEAM = 2 * POINTS; // where the points of a stroke end
const STIFFNESS = 0.015;
const NARROWEST = 1 / 3;
const CLEARLY = 0.5;
export const ROUNDING = 1e-9;

/** Strokes as points, moved and scaled so that the longer side of their bounding box is 1 and its
 * middle 0. */
export function framed(strokes) {
  if (!strokes.length) return [];
  const points = strokes.map((line) => [...resampled(line), ...line.at(-1), ...line[0]]);
  const [low, high] = [[Infinity, Infinity], [-Infinity, -Infinity]];
  for (const stroke of points) {
    for (let k = 0; k < SEAM; k++) {
      low[k % 2] = Math.min(low[k % 2], stroke[k]);
      high[k % 2] = Math.max(high[k % 2], stroke[k]);
    }
  }
  const side = Math.max(high[0] - low[0], high[1] - low[1]) || 1; // a single dot
  const middle = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2];
  return points.map((stroke) => Float64Array.from(stroke, (value, k) => (value - middle[k % 2]) / side));
}

/** Two strokes as one, and where they meet. */
export function joined(first, second) {
  const line = [];
  for (const stroke of [first, second]) {
    for (let k = 0; k < SEAM; k += 2) line.push([stroke[k], stroke[k + 1]]);
  }
  return Float64Array.from([...resampled(line), ...first.slice(SEAM - 2, SEAM), ...second.slice(0, 2)]);
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
    const rest = at - along[k];
    for (const axis of [0, 1]) {
      const value = stroke[k][axis];
      points.push(((stroke[k + 1][axis] - value) / (along[k + 1] - along[k])) * rest + value);
    }
  }
  return points;
}

export function length(stroke) {
  let total = 0;
  for (let k = 2; k < SEAM; k += 2) {
    total += between(stroke[k - 2], stroke[k - 1], stroke[k], stroke[k + 1]);
  }
  return total;
}

export function backwards(stroke) {
  const back = stroke.slice();
  for (let k = 0; k < SEAM; k += 2) {
    back[k] = stroke[SEAM - 2 - k];
    back[k + 1] = stroke[SEAM - 1 - k];
  }
  return back;
}

export function centred(stroke) {
  const middle = [0, 0];
  for (let k = 0; k < SEAM; k++) middle[k % 2] += stroke[k] / POINTS;
  return stroke.map((value, k) => value - middle[k % 2]);
}

/** How two centred strokes run: 0 along each other, 1 rather against, 2 clearly against. */
export function runsAgainst(stroke, other) {
  let [along, against, own, its] = [0, 0, 0, 0];
  for (let k = 0; k < SEAM; k += 2) {
    const [x, y] = [stroke[k], stroke[k + 1]];
    along += x * other[k] + y * other[k + 1];
    against += x * other[SEAM - 2 - k] + y * other[SEAM - 1 - k];
    own += x * x + y * y;
    its += other[k] * other[k] + other[k + 1] * other[k + 1];
  }
  if (against <= along + ROUNDING) return 0; // a dot runs neither way
  return against - along > CLEARLY * Math.sqrt(own * its) ? 2 : 1;
}

const CELL = new Float64Array(POINTS); // of warpedDistance, which runs a thousand times a drawing

/** Mean distance along the best warping path. */
export function warpedDistance(stroke, other) {
  for (let i = 0; i < POINTS; i++) {
    const [x, y] = [stroke[2 * i], stroke[2 * i + 1]];
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

/** The drawing under the affine map that brings its strokes nearest to their counterparts, and the
 * map's matrix. */
export function moved(drawing, target, back, pairs, turned) {
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
  const placed = drawing.map((stroke) => {
    const there = new Float64Array(stroke.length);
    for (let k = 0; k < stroke.length; k += 2) {
      const [x, y] = [stroke[k] - middle[0], stroke[k + 1] - middle[1]];
      there[k] = x * linear[0] + y * linear[2] + goal[0];
      there[k + 1] = x * linear[1] + y * linear[3] + goal[1];
    }
    return there;
  });
  return { placed, linear };
}

/** Distance of a place from the nearest of a stroke's lines. */
export function offLine(x, y, stroke) {
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

export const between = (a, b, c, d) => Math.sqrt((a - c) * (a - c) + (b - d) * (b - d));
