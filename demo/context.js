/**
 * What a caller knows before a character is read: which it may be, and what text is made of; as in
 * stages/kakitori/reading/context.py.
 */

/**
 * Which classes may be answered, an array of booleans; all where `candidates` is empty.
 *
 * @param {string} candidates names of alphabets, characters, or both, joined by +
 * @param {string[]} classes
 * @param {Object<string, string>} alphabets characters by name
 * @throws {Error} with the code `no-candidates`
 */
export function allowed(candidates, classes, alphabets) {
  const given = candidates.replace(/[\u3041-\u30ff][\u3099\u309a]/g, (kana) => kana.normalize("NFC"));
  if (!given) return classes.map(() => true);
  // A part of nothing is a + that stands for itself.
  const parts = given.split("+").map((part) => part || "+");
  const named = (part) => Object.hasOwn(alphabets, part);
  // Two small letters or more are a name: a misspelt one is no list of Latin letters.
  const wrong = parts.find((part) => /^[a-z][a-z0-9_]+$/.test(part) && !named(part));
  if (wrong) {
    const names = Object.keys(alphabets).join(", ");
    throw coded(`expected characters or names among ${names}, joined by +, found "${wrong}"`);
  }
  const characters = new Set(parts.filter((part) => !named(part)).flatMap((part) => [...part]));
  const strange = [...characters].filter((character) => !classes.includes(character)).join("");
  if (strange) {
    throw coded(`expected them among the model's ${classes.length} classes, found ${strange}`);
  }
  for (const part of parts.filter(named)) {
    for (const character of alphabets[part]) characters.add(character);
  }
  const chosen = classes.map((character) => characters.has(character));
  if (!chosen.includes(true)) {
    throw coded(`expected some of the model's ${classes.length} classes in ${given}, found none`);
  }
  return chosen;
}

/**
 * By how much a prior changes the chance of each class.
 *
 * @param {string} prior "" or one of `known`
 * @param {Object<string, number[]>} known by name
 * @returns {?number[]} null where it changes nothing
 * @throws {Error} with the code `no-prior`
 */
export function weights(prior, known) {
  if (!prior) return null;
  if (Object.hasOwn(known, prior)) return known[prior];
  const message = `expected ${Object.keys(known).join(", ")} or none, found "${prior}"`;
  throw Object.assign(new Error(`prior: ${message}`), { code: "no-prior" });
}

/** A number for each class, the same for those that look alike; what may not be answered stands
 * beside nothing. */
export function grouped(alike, chosen) {
  return alike.map((group, k) => (chosen[k] ? group : alike.length + k));
}

/** The classes that may be answered, likeliest first, with look-alikes together: groups by what
 * their members have in all, members by what they have. */
export function ranked(chances, groups, chosen) {
  const total = totals(chances, groups);
  return Array.from(chances.keys())
    .filter((k) => chosen[k])
    .sort((a, b) => total[b] - total[a] || groups[a] - groups[b] || chances[b] - chances[a]);
}

/** The shape tells the group, the size within the frame the member. */
export function parted(shape, framed, groups) {
  const [ofShape, ofFramed] = [totals(shape, groups), totals(framed, groups)];
  return shape.map((chance, k) =>
    ofFramed[k] > 0 ? ofShape[k] * (framed[k] / ofFramed[k]) : chance,
  );
}

/** What the group of each class has in all. */
function totals(chances, groups) {
  const sums = new Float64Array(2 * chances.length);
  chances.forEach((chance, k) => {
    sums[groups[k]] += chance;
  });
  return chances.map((_, k) => sums[groups[k]]);
}

function coded(message) {
  return Object.assign(new Error(`candidates: ${message}`), { code: "no-candidates" });
}
