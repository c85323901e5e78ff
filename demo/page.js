/** The page: its language, its two views, and what is wrong when something is. */

import { load, loadCharacters } from "./kakitori.js";
import { Practise } from "./practise.js";
import { Recognise } from "./recognise.js";
import { language, speak, text } from "./texts.js";

/** What the page remembers, where the browser lets it. */
const memory = {
  get(key) {
    try {
      return localStorage.getItem(`kakitori.${key}`);
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(`kakitori.${key}`, value);
    } catch {
      // It works without.
    }
  },
};

document.querySelector("#unserved").remove();
const alarm = document.querySelector("#alarm");
let wrong = null;

function tellAlarm() {
  alarm.hidden = !wrong;
  if (wrong) alarm.textContent = text(wrong.code, { reason: wrong.message });
}

/** A promise that is shown to have failed, so that whoever waits for it need not. */
function watched(promise) {
  promise.catch((error) => {
    wrong ??= error;
    tellAlarm();
  });
  return promise;
}

const kakitori = watched(load());
const characters = watched(loadCharacters());
const views = {
  recognise: new Recognise(document.querySelector("#recognise"), kakitori, memory),
  practise: new Practise(document.querySelector("#practise"), kakitori, characters, memory),
};

const tabs = [...document.querySelectorAll("[role=tab]")];

function open(name) {
  for (const tab of tabs) {
    const chosen = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
  }
  for (const key of Object.keys(views)) document.getElementById(key).hidden = key !== name;
  views[name].opened();
}

// No element is called so: a browser would scroll to it.
const current = () => (location.hash === "#/practise" ? "practise" : "recognise");
const show = (tab) => {
  history.replaceState(null, "", `#/${tab.getAttribute("aria-controls")}`);
  open(current());
};
tabs.forEach((tab, k) => {
  tab.addEventListener("click", () => show(tab));
  tab.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const next = tabs[(k + 1) % tabs.length];
    next.focus();
    show(next);
  });
});
addEventListener("hashchange", () => open(current()));

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    speak(button.dataset.language);
    memory.set("language", button.dataset.language);
  });
}
language.changed.addEventListener("change", tellAlarm);

document.addEventListener("keydown", (event) => {
  if (event.target.matches("select, input:not([type=checkbox], [type=file])")) return;
  const view = views[current()];
  const command = event.ctrlKey || event.metaKey;
  if (command && event.key === "z") view.pad.undo();
  else if (event.key === "Escape" && !event.isComposing) view.pad.clear();
  else if (command || event.altKey || !view.pressed?.(event.key)) return;
  event.preventDefault();
});
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files][0];
  if (file && current() === "recognise") views.recognise.file(file);
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault(); // or the browser would leave the page for the file
  const file = event.dataTransfer.files[0];
  if (file && current() === "recognise") views.recognise.file(file);
});

const known = ["ja", "en"];
const wanted = [memory.get("language"), navigator.language.slice(0, 2)];
speak(wanted.find((name) => known.includes(name)) ?? "en");
open(current());
