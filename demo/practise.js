/** The view that shows how a character is written and says what was written otherwise. */

import { lookAlikes, match, STRICTNESS, strokesOf, USUAL } from "./kakitori.js";
import { Pad } from "./pad.js";
import { language, percent, text } from "./texts.js";

const RECENT = 12;
const SPEED = 140; // milliseconds for a tenth of the frame
const PAUSE = 180; // milliseconds between strokes

export class Practise {
  /**
   * @param {Promise<Kakitori>} kakitori
   * @param {Promise<Map>} characters of loadCharacters
   * @param {{get: Function, set: Function}} memory
   */
  constructor(section, kakitori, characters, memory) {
    this.find = (selector) => section.querySelector(selector);
    this.kakitori = kakitori;
    this.characters = characters;
    this.memory = memory;
    this.table = null;
    this.character = null;
    this.recent = [...(memory.get("recent") ?? "")];
    this.remarks = [];
    this.checked = 0;
    this.pad = new Pad(this.find(".pad"), () => this.changed());
    const doing = {
      undo: () => this.pad.undo(),
      clear: () => this.pad.clear(),
      check: () => this.check(),
      random: () => this.random(),
      show: () => this.animate(),
    };
    for (const [name, run] of Object.entries(doing)) {
      this.find(`[data-do=${name}]`).addEventListener("click", run);
    }
    this.find("#trace").addEventListener("change", () => this.trace());
    const judged = memory.get("judged")?.split(" ") ?? USUAL;
    for (const what of STRICTNESS) {
      const box = this.find(`#judge-${what}`);
      box.checked = judged.includes(what);
      box.addEventListener("change", () => this.judge());
    }
    const input = this.find("#character");
    input.addEventListener("input", (event) => {
      if (!event.isComposing) this.choose([...input.value.trim()].at(-1));
    });
    input.addEventListener("compositionend", () => this.choose([...input.value.trim()].at(-1)));
    input.addEventListener("focus", () => input.select());
    language.changed.addEventListener("change", () => this.tell());
  }

  async opened() {
    this.pad.paint();
    if (this.table) return;
    this.table = await this.characters.catch(() => null);
    if (!this.table) return;
    const remembered = this.recent.find((character) => this.table.has(character));
    if (remembered) this.choose(remembered);
    else this.random();
  }

  /** Any character with so many strokes as the range says, not the same again. */
  random() {
    if (!this.table) return;
    const [fewest, most] = ["#fewest", "#most"].map((name) => Number(this.find(name).value));
    const fitting = [...this.table].filter(
      ([, { strokes }]) => strokes.length >= fewest && strokes.length <= most,
    );
    if (!fitting.length) {
      this.say([{ key: "none", values: { fewest, most }, kind: "fault" }]);
      return;
    }
    const others = fitting.filter(([character]) => character !== this.character);
    const choice = others.length ? others : fitting;
    this.choose(choice[Math.floor(Math.random() * choice.length)][0]);
  }

  choose(character) {
    if (!character || !this.table) return;
    if (!this.table.has(character)) {
      this.say([{ key: "unknown", values: { character }, kind: "fault" }]);
      return;
    }
    this.character = character;
    this.find("#character").value = character;
    this.pad.clear();
    this.trace();
    this.tell();
    this.animate();
  }

  get reference() {
    return this.table.get(this.character);
  }

  trace() {
    if (!this.character) return;
    this.pad.pattern = this.find("#trace").checked ? this.reference.strokes : [];
    this.pad.paint();
  }

  get judged() {
    return STRICTNESS.filter((what) => this.find(`#judge-${what}`).checked);
  }

  /** Another strictness: what was written is looked at again. */
  judge() {
    this.memory.set("judged", this.judged.join(" "));
    if (this.remarks.length) this.check();
  }

  /** As many strokes as the model has: time to look. */
  changed() {
    const canvas = this.pad.canvas;
    const count = this.pad.strokes.length;
    canvas.dataset.count = count;
    canvas.setAttribute("aria-label", text("pad", { count }));
    this.say([]);
    if (this.character && count && count >= this.reference.strokes.length) this.check();
  }

  async check() {
    if (!this.character) return;
    const { strokes: drawn } = this.pad;
    if (!drawn.length) {
      this.say([{ key: "nothing" }]);
      return;
    }
    this.remember();
    const judgement = match(drawn, this.reference.strokes, {
      ...{ ordered: this.reference.ordered, ways: this.reference.ways, judged: this.judged },
      alike: this.alike,
    });
    this.mark(judgement);
    const verdict = this.verdict(judgement);
    this.say(verdict);
    const number = this.checked;
    const read = await this.reading(drawn);
    if (number === this.checked && read) this.say([...verdict, read]);
  }

  /** Colours what is wrong, and shows what is missing or should be otherwise where it would be. */
  mark(judgement) {
    const strokes = this.taken(judgement);
    const out = [
      ...judgement.swapped.flat(),
      ...judgement.early, ...judgement.late, ...judgement.reversed,
    ];
    const apart = judgement.differs?.strokes.slice(0, 1) ?? [];
    const counted = judgement.judged.includes("count") ? [...judgement.joined.flat()] : [];
    const wrong = [...out, ...apart, ...counted].map((number) => judgement.drawn[number - 1]);
    const parts = judgement.judged.includes("count") ? judgement.split.flat() : [];
    const numbers = [...wrong, ...parts, ...judgement.extra];
    const marks = new Map(numbers.map((number) => [number - 1, "accent"]));
    const there = strokes.filter((_, k) => judgement.drawn[k] !== null);
    const drawn = [...new Set(judgement.drawn)].filter(Boolean).map((k) => this.pad.strokes[k - 1]);
    const shown = [...judgement.missing, ...apart, ...judgement.reversed];
    const ghosts = there.length ? shown.map((number) => strokes[number - 1]) : [];
    const turned = judgement.reversed.map((number) => shown.indexOf(number));
    const place = moved(ghosts, there, drawn);
    this.pad.mark(marks, place, there.length ? turned.map((k) => place[k]) : []);
  }

  /** The strokes of the way of writing that a drawing is nearest to. */
  taken({ way }) {
    return strokesOf(this.reference.strokes, this.reference.ways, way);
  }

  get alike() {
    const { reference } = this;
    reference.alike ??= lookAlikes(
      ...[this.character, this.table, this.table.same, this.table.confused],
    );
    return reference.alike;
  }

  /** What is right and wrong, in the order in which one would mend it. */
  verdict(judgement) {
    const count = this.taken(judgement).length;
    const counted = judgement.judged.includes("count") ? "fault" : "";
    const notes = [
      ...judgement.joined.map((numbers) => ({ key: "joined", strokes: numbers, kind: counted })),
      ...judgement.split.map((numbers) => ({ key: "split", strokes: numbers, kind: counted })),
    ];
    if (judgement.accepted) {
      const key = ["order", "direction"].every((k) => judgement.judged.includes(k))
        ? "goodOrder"
        : "good";
      const ways = this.reference.ways.slice(0, judgement.way);
      const other = ways.every(([first]) => typeof first === "number") ? "order" : "way";
      const way = judgement.way ? [{ key: other, values: { count } }] : [];
      return [{ key, values: { count }, kind: "good" }, ...way, ...notes];
    }
    if (judgement.alike) {
      const { what, strokes: numbers } = judgement.differs;
      const [first, second] = numbers.map((number) => text("stroke", { number }));
      const should = numbers.length ? [{ key: what, values: { first, second }, kind: "fault" }] : [];
      return [
        { key: "alike", values: { character: judgement.alike }, kind: "fault" },
        ...should,
        ...notes,
      ];
    }
    if (judgement.missing.length > count / 2) return [{ key: "other", kind: "fault" }];
    const faults = [
      ["missing", judgement.missing],
      ["extra", judgement.extra],
      ...judgement.swapped.map((pair) => ["swapped", pair]),
      ["early", judgement.early],
      ["late", judgement.late],
      ["reversed", judgement.reversed],
    ];
    const wrong = faults
      .filter(([, numbers]) => numbers.length)
      .map(([key, numbers]) => ({ key, strokes: numbers, kind: "fault" }));
    return [...wrong, ...notes];
  }

  /** What the recogniser makes of it; nothing where there is no recogniser. */
  async reading(drawn) {
    const meant = this.character;
    try {
      const answer = await (await this.kakitori).recognise(drawn, { top: 1, meant });
      if (!answer.meant) return { key: "untaught", values: { character: meant } };
      const [best] = answer.candidates;
      const share = percent(answer.meant.probability);
      if (answer.meant.rank === 1) {
        return { key: "certain", values: { character: meant, percent: share } };
      }
      const read = { best: best.character, percent: percent(best.probability) };
      return { key: "read", values: { ...read, character: meant, meant: share } };
    } catch {
      return null;
    }
  }

  say(remarks) {
    this.checked += 1;
    this.remarks = remarks;
    this.tell();
  }

  tell() {
    const list = this.find("#verdict");
    list.replaceChildren(
      ...this.remarks.map(({ key, values, strokes, kind = "" }) => {
        const item = document.createElement("li");
        item.className = kind;
        item.textContent = text(key, { ...values, strokes: strokes && named(strokes) });
        return item;
      }),
    );
    if (!this.character) return;
    const { strokes, ordered, credit } = this.reference;
    const values = { character: this.character, count: strokes.length };
    this.find("#about").textContent = text(ordered ? "ordered" : "unordered", values);
    this.find("#model").setAttribute("aria-label", text("model", values));
    document.querySelector("#credit").textContent = text("credit", { credits: credit });
    this.listRecent();
  }

  remember() {
    const others = this.recent.filter((character) => character !== this.character);
    this.recent = [this.character, ...others].slice(0, RECENT);
    this.memory.set("recent", this.recent.join(""));
  }

  listRecent() {
    const known = this.recent.filter((character) => this.table.has(character));
    this.find(".recent").hidden = !known.length;
    this.find("#recent").replaceChildren(
      ...known.map((character) => {
        const button = document.createElement("button");
        button.type = "button";
        button.lang = "ja";
        button.textContent = character;
        button.addEventListener("click", () => this.choose(character));
        const item = document.createElement("li");
        item.append(button);
        return item;
      }),
    );
  }

  /** The model, stroke after stroke with its number; at once for those who want no motion. */
  animate() {
    if (!this.character) return;
    const { strokes } = this.reference;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const model = this.find("#model");
    model.replaceChildren(
      drawn("path", { d: "M50 3V97M3 50H97", class: "guide" }),
      ...strokes.map((stroke) => drawn("path", { d: course(stroke), class: "ghost" })),
    );
    let start = 300;
    strokes.forEach((stroke, k) => {
      const path = drawn("path", { d: course(stroke) });
      const number = drawn("text", numberPlace(stroke));
      number.textContent = k + 1;
      model.append(path, number);
      if (still) return;
      const length = path.getTotalLength();
      const duration = 120 + (length / 10) * SPEED;
      path.style.strokeDasharray = `${length} ${length + 10}`;
      const timing = { duration, delay: start, fill: "backwards", easing: "ease-in-out" };
      const [hidden, whole] = [{ strokeDashoffset: length, opacity: 0 }, { strokeDashoffset: 0 }];
      path.animate([hidden, { opacity: 1, offset: 0.01 }, whole], timing);
      number.animate([{ opacity: 0 }, { opacity: 1 }], { ...timing, duration: 80 });
      start += duration + PAUSE;
    });
  }
}

/** "stroke 2 and stroke 5". */
function named(numbers) {
  const words = numbers.map((number) => text("stroke", { number }));
  const last = words.pop();
  return words.length ? words.join(language.now === "ja" ? "、" : ", ") + text("and") + last : last;
}

/** Strokes of the model moved and scaled as the strokes `from` are to those that were drawn. */
function moved(strokes, from, to) {
  const [fromBox, toBox] = [box(from), box(to)];
  const scale = fromBox.side ? toBox.side / fromBox.side : 1;
  const place = ([x, y]) => [toBox.x + scale * (x - fromBox.x), toBox.y + scale * (y - fromBox.y)];
  return strokes.map((stroke) => stroke.map(place));
}

/** Middle and longer side of what strokes cover. */
function box(strokes) {
  const [xs, ys] = [0, 1].map((axis) => strokes.flat().map((point) => point[axis]));
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  const side = Math.max(right - left, bottom - top);
  return { x: (left + right) / 2, y: (top + bottom) / 2, side };
}

function drawn(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

const course = (stroke) => `M${stroke.map(([x, y]) => `${100 * x} ${100 * y}`).join("L")}`;

/** Beside where a stroke begins, away from where it goes. */
function numberPlace(stroke) {
  const [x, y] = stroke[0];
  const [u, v] = stroke[Math.min(stroke.length - 1, 2)];
  const length = Math.hypot(u - x, v - y) || 1;
  return {
    x: Math.min(Math.max(100 * x - (5 * (u - x)) / length - 2, 1), 94),
    y: Math.min(Math.max(100 * y - (5 * (v - y)) / length + 2, 6), 98),
  };
}
