/** stages/kakitori/reading/normalising/rendering.py for a page: the same operations in the same order. */

const SIDE = 128;
const ROOM = 104;
const PEN = SIDE / 24;

/**
 * Strokes as ink.
 *
 * @param {number[][][]} strokes polylines of [x, y] in any units, y down; one point is a dot
 * @returns {{width: number, height: number, data: Uint8Array}} 128 × 128, 255 = full ink
 */
export function draw(strokes) {
  const ink = new Float64Array(SIDE * SIDE);
  for (const points of fitted(strokes)) {
    for (let k = 0; k < Math.max(points.length - 1, 1); k++) {
      segment(ink, points[k], points[Math.min(k + 1, points.length - 1)]);
    }
  }
  const data = new Uint8Array(ink.length);
  for (let k = 0; k < ink.length; k++) data[k] = Math.floor(255 * ink[k] + 0.5);
  return { width: SIDE, height: SIDE, data };
}

function segment(ink, [x0, y0], [x1, y1]) {
  const [left, right] = pixels(Math.min(x0, x1), Math.max(x0, x1));
  const [top, bottom] = pixels(Math.min(y0, y1), Math.max(y0, y1));
  const dx = x1 - x0;
  const dy = y1 - y0;
  const length = dx * dx + dy * dy;
  for (let row = top; row < bottom; row++) {
    const y = row + 0.5 - y0;
    for (let column = left; column < right; column++) {
      const x = column + 0.5 - x0;
      const along = length ? Math.min(Math.max((x * dx + y * dy) / length, 0), 1) : 0;
      const awayX = x - along * dx;
      const awayY = y - along * dy;
      const distance = Math.sqrt(awayX * awayX + awayY * awayY);
      const covered = Math.min(Math.max(PEN / 2 + 0.5 - distance, 0), 1);
      const place = row * SIDE + column;
      if (covered > ink[place]) ink[place] = covered;
    }
  }
}

/** Whether there is more than dots, which a pen leaves where it only touches. */
export function hasLines(strokes) {
  return fitted(strokes).some((stroke) =>
    [0, 1].some((axis) => {
      const places = stroke.map((point) => point[axis]);
      return Math.max(...places) - Math.min(...places) >= PEN / 2;
    }),
  );
}

/** The longer side of strokes, and of the pen that draws them, in a writing area of this side; at
 * most the area's where they just fill it. */
export function extent(strokes, frame) {
  const points = strokes.flat();
  const sides = [0, 1].map((axis) => {
    let [low, high] = [Infinity, -Infinity];
    for (const point of points) {
      low = Math.min(low, point[axis]);
      high = Math.max(high, point[axis]);
    }
    return high - low;
  });
  const longer = Math.max(...sides);
  return Math.max(longer, Math.min(longer + (frame * PEN) / SIDE, frame));
}

/** Strokes in pixels of the picture: the longer side fills ROOM, centred. */
function fitted(strokes) {
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  for (const point of strokes.flat()) {
    for (const axis of [0, 1]) {
      low[axis] = Math.min(low[axis], point[axis]);
      high[axis] = Math.max(high[axis], point[axis]);
    }
  }
  const longer = Math.max(high[0] - low[0], high[1] - low[1]) || 1;
  const placed = (value, axis) =>
    ((value - (low[axis] + high[axis]) / 2) / longer) * ROOM + SIDE / 2;
  return strokes.map((stroke) => stroke.map(([x, y]) => [placed(x, 0), placed(y, 1)]));
}

/** First and last-plus-one line that a pen between two places may reach. */
function pixels(low, high) {
  return [Math.floor(low - PEN / 2 - 0.5), Math.ceil(high + PEN / 2 + 0.5)];
}
