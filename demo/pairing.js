/**
 * Rows and columns of costs paired, and numbers out of order. The same as
 * stages/kakitori/reading/matching/pairing.py.
 *
 * @module
 */

export const LEFT = 0.25;

/** The cheapest pairs [row, column] that keep the order of both. */
export function inOrder(costs) {
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
export function freely(costs) {
  const [rows, columns] = [costs.length, costs[0].length];
  // Mostly each row's own nearest column is no other's.
  const nearest = costs.map((row) => row.indexOf(Math.min(...row)));
  const chosen = [...nearest.entries()].filter(([i, j]) => costs[i][j] < LEFT);
  if (new Set(chosen.map(([, j]) => j)).size === chosen.length) return chosen;
  const whole = costs.map((row) => [...row, ...Array(rows).fill(LEFT)]);
  return [...assignment(whole).entries()].filter(([, j]) => j < columns);
}

/** A column for each row, all different, with the least sum of costs: the Hungarian method. */
export function assignment(costs) {
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
export function outOfOrder(sequence) {
  if (sequence.every((number, k) => !k || sequence[k - 1] < number)) {
    return { swapped: [], early: [], late: [] };
  }
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

export const range = (count) => [...Array(count).keys()];
