/** The view that says what was written. */

import { extent } from "./drawing.js";
import { Pad } from "./pad.js";
import { Teach } from "./teach.js";
import { language, percent, text } from "./texts.js";

const TOP = 10;
const PLAIN = 0.9; // the probability from which on it is said without "perhaps"

export class Recognise {
  /**
   * @param {Promise<Kakitori>} kakitori
   * @param {{get: Function, set: Function}} memory of the page
   */
  constructor(section, kakitori, memory) {
    this.section = section;
    this.teach = new Teach(section.querySelector("form"), kakitori, memory, (key, values) => {
      this.again().then(() => this.say(key, values));
    });
    this.kakitori = this.teach.ready;
    this.asked = 0; // how often; an answer to an earlier question comes too late
    this.answer = null;
    this.status = { key: "loading" };
    this.pad = new Pad(section.querySelector(".pad"), () => this.changed());
    for (const what of ["undo", "clear"]) {
      section.querySelector(`[data-do=${what}]`).addEventListener("click", () => this.pad[what]());
    }
    const input = section.querySelector("[type=file]");
    input.addEventListener("change", () => {
      if (input.files.length) this.file(input.files[0]);
      input.value = ""; // the same file once more is a change as well
    });
    const frame = section.querySelector(".frame");
    for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
      frame.addEventListener(name, () => frame.classList.toggle("over", over));
    }
    this.alphabet = section.querySelector("#alphabet");
    this.prior = section.querySelector("#prior");
    for (const control of [this.alphabet, this.prior]) {
      control.addEventListener("change", () => this.again());
    }
    kakitori.then(
      ({ alphabets }) => this.offer(alphabets),
      () => {},
    );
    this.tiles = Array.from({ length: TOP }, (_, k) => this.tile(k));
    this.list = section.querySelector(".tiles");
    this.list.append(...this.tiles.map((tile) => tile.parentElement));
    language.changed.addEventListener("change", () => this.tell());
    kakitori.then(() => this.status.key === "loading" && this.say(null), () => this.say(null));
  }

  opened() {
    this.pad.paint();
  }

  /** What was drawn has changed. */
  async changed() {
    const { strokes } = this.pad;
    const canvas = this.pad.canvas;
    canvas.dataset.count = strokes.length;
    canvas.setAttribute("aria-label", text("pad", { count: strokes.length }));
    // The pad is the frame; a hand that slipped over its edge used more.
    if (strokes.length) await this.ask(strokes, Math.max(1, extent(strokes, 0)));
    else this.nothing();
  }

  /** A picture from the disk, the clipboard or dropped. */
  async file(file) {
    this.nothing();
    this.pad.show(null);
    const answered = this.ask(file);
    // Small at once: the whole of a photo is of no use here.
    const small = await createImageBitmap(file, { resizeWidth: 800 }).catch(() => null);
    if (small && !this.pad.strokes.length) this.pad.show(small);
    await answered;
  }

  /** What is known before anything is read, as the controls say. */
  known() {
    return { candidates: this.alphabet.value, prior: this.prior.checked ? "text" : "" };
  }

  /** Leaves those alphabets to choose from of which the model knows a character. */
  offer(alphabets) {
    for (const option of [...this.alphabet.options]) {
      const known = option.value.split("+").some((name) => alphabets[name]);
      if (option.value && !known) option.remove();
    }
  }

  /** The same again, with what is known now. */
  async again() {
    if (this.pad.strokes.length) await this.changed();
    else if (this.last) await this.ask(this.last);
  }

  async ask(input, frame) {
    const number = (this.asked += 1);
    this.last = input;
    this.teach.about(input);
    this.list.setAttribute("aria-busy", "true");
    try {
      const kakitori = await this.kakitori;
      if (number !== this.asked) return;
      const answer = await kakitori.recognise(input, { top: TOP, frame, ...this.known() });
      if (number !== this.asked) return;
      this.answer = answer;
      const { character, probability } = answer.candidates[0];
      const key = !answer.sure ? "unsure" : probability < PLAIN ? "perhaps" : "reads";
      this.say(key, { character, percent: percent(probability) });
    } catch (error) {
      if (number !== this.asked || error.code === "no-simd" || error.code === "not-loaded") return;
      this.answer = null;
      this.say(error.code ?? "failed", { reason: error.message });
    } finally {
      if (number === this.asked) this.list.setAttribute("aria-busy", "false");
    }
  }

  nothing() {
    this.asked += 1;
    this.last = null;
    this.teach.about(null);
    this.list.setAttribute("aria-busy", "false");
    this.answer = null;
    this.say(null);
  }

  say(key, values) {
    this.status = { key, values };
    this.tell();
  }

  tell() {
    const { key, values } = this.status;
    this.section.querySelector(".said").textContent = key ? text(key, values) : "";
    const unsure = ["perhaps", "unsure"].includes(key);
    this.section.classList.toggle("unsure", unsure);
    this.tiles.forEach((tile, k) => {
      const candidate = this.answer?.candidates[k];
      const [glyph, share] = tile.children;
      tile.disabled = !candidate;
      glyph.textContent = candidate?.character ?? "";
      share.textContent = candidate ? percent(candidate.probability) : "";
      const label = candidate && { character: glyph.textContent, percent: share.textContent };
      if (label) tile.setAttribute("aria-label", text("tile", label));
      else tile.removeAttribute("aria-label");
    });
  }

  /** A digit copies the candidate of its place, 0 the tenth. */
  pressed(key) {
    const tile = /^[0-9]$/.test(key) && this.tiles[(Number(key) + 9) % 10];
    if (!tile || tile.disabled) return false;
    tile.click();
    return true;
  }

  tile(k) {
    const tile = document.createElement("button");
    tile.type = "button";
    tile.disabled = true;
    const glyph = document.createElement("b");
    glyph.lang = "ja";
    tile.append(glyph, document.createElement("small"));
    tile.addEventListener("click", () => this.copy(this.answer.candidates[k].character));
    document.createElement("li").append(tile);
    return tile;
  }

  async copy(character) {
    const copied = await written(character);
    this.say(copied ? "copied" : "notCopied", { character });
  }
}

/** Whether a text came into the clipboard. */
async function written(content) {
  try {
    await navigator.clipboard.writeText(content);
    return true;
  } catch {
    // Pages without HTTPS have no clipboard; a selected field has.
    const focused = document.activeElement;
    const field = document.createElement("textarea");
    field.value = content;
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    focused?.focus();
    return copied;
  }
}
