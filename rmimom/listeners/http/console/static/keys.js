// The keyboard: `/` filters, `g` and a letter goes to a tab, `?` lists the keys.

import { closeDialog, dialogIsOpen, openDialog } from "./dialogs.js";
import { make } from "./page.js";
import { toggleTheme } from "./switch.js";

const PATIENCE = 1500; // milliseconds between `g` and the letter

let going = 0;

export function startKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const field = event.target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
    if (event.key === "Escape") {
      if (dialogIsOpen()) closeDialog();
      else field?.blur();
      document.querySelector("details.user[open]")?.removeAttribute("open");
      return;
    }
    if (field || dialogIsOpen()) return;
    if (act(event.key)) event.preventDefault();
  });
}

/** Do what the key says; whether it says anything. */
function act(key) {
  if (going && Date.now() - going < PATIENCE) {
    going = 0;
    return follow(`#tabs a[data-go="${CSS.escape(key)}"]`);
  }
  going = 0;
  switch (key) {
    case "g":
      going = Date.now();
      return true;
    case "/": {
      const filter = document.querySelector("#main [data-filter], #main input[type=search]");
      filter?.focus();
      filter?.select();
      return filter !== null;
    }
    case "?":
      openDialog(help());
      return true;
    case "]":
      return follow("#main a[rel=next]");
    case "[":
      return follow("#main a[rel=prev]");
    case "l":
      toggleTheme();
      return true;
  }
  return false;
}

function follow(selector) {
  const link = document.querySelector(selector);
  link?.click();
  return link !== null;
}

function help() {
  const list = make("dl", { class: "keys" });
  const add = (keys, text) => {
    const term = make("dt");
    keys.forEach((key, index) => term.append(index ? " " : "", make("kbd", {}, key)));
    list.append(term, make("dd", {}, text));
  };
  add(["/"], "Filter this list");
  add(["]"], "The next page");
  add(["["], "The page before");
  for (const link of document.querySelectorAll("#tabs a[data-go]")) add(["g", link.dataset.go], link.textContent);
  add(["l"], "Light or dark");
  add(["Esc"], "Close, or leave a field");
  add(["?"], "These keys");
  return make("section", { class: "help" }, make("h2", {}, "Keys"), list);
}
