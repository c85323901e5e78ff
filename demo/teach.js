/** What the page is told of a hand: the character that was meant, kept where the browser lets it. */

const KEY = "hand";

export class Teach {
  /**
   * @param {HTMLFormElement} form
   * @param {Promise<Kakitori>} kakitori
   * @param {{get: Function, set: Function}} memory of the page
   * @param {(key: string, values?: object) => void} changed called with what is to be said
   */
  constructor(form, kakitori, memory, changed) {
    this.form = form;
    this.memory = memory;
    this.changed = changed;
    this.input = null;
    this.character = form.querySelector("input");
    this.forgets = form.querySelector("[data-do=forget]");
    // Before anything is read, so that the first answer knows of it.
    this.ready = kakitori.then((loaded) => this.remember(loaded));
    this.ready.catch(() => {}); // whoever waits for it hears of it
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.learn(this.character.value.trim().normalize("NFC"));
    });
    this.forgets.addEventListener("click", () => this.forget());
    this.about(null);
  }

  /** The input that can be corrected: strokes or a file; null where there is none. */
  about(input) {
    this.input = input;
    this.form.querySelector("[type=submit]").disabled = !input;
  }

  async learn(character) {
    if (!character || !this.input) return;
    try {
      const kakitori = await this.ready;
      await kakitori.learn(this.input, character);
      this.character.value = "";
      await this.keep(kakitori);
      this.changed("learned", { character });
    } catch (error) {
      this.changed(error.code ?? "failed", { character, reason: error.message });
    }
  }

  async forget() {
    const kakitori = await this.ready;
    await kakitori.forget();
    await this.keep(kakitori);
    this.changed("forgotten");
  }

  async remember(kakitori) {
    const text = this.memory.get(KEY);
    if (text) {
      // What was kept for another model is of no use to this one.
      await kakitori.loadMemory(text).catch(() => this.memory.set(KEY, ""));
    }
    this.forgets.hidden = !this.memory.get(KEY);
    return kakitori;
  }

  async keep(kakitori) {
    const text = await kakitori.saveMemory();
    const some = JSON.parse(text).examples.length > 0;
    this.memory.set(KEY, some ? text : "");
    this.forgets.hidden = !some;
  }
}
