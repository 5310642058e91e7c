// Lists: a box that chooses all rows, and a filter that works while one types.

import { make } from "./page.js";

const PAUSE = 250; // milliseconds without a key before the filter is used

export function startLists() {
  document.addEventListener("input", (event) => {
    if (event.target.matches?.("[data-filter][type=search]")) filterSoon(event.target);
  });
  // Who follows a link right after typing means the link.
  document.addEventListener("htmx:beforeRequest", () => clearTimeout(timer));
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("form.filter select")) event.target.form.requestSubmit();
    const table = event.target.closest?.("table.list");
    if (table && event.target.matches("[type=checkbox]")) choose(table, event.target);
  });
  return () => {
    catchUp();
    document.querySelectorAll("table.list:has(tbody [type=checkbox])").forEach(prepare);
  };
}

let timer = 0;
let typed = null;

function filterSoon(field) {
  typed = field.value;
  clearTimeout(timer);
  // By then the list may have been exchanged, and the field with it.
  timer = setTimeout(() => field.isConnected && field.form?.requestSubmit(), PAUSE);
}

/** A filter that was exchanged while somebody typed in it goes on with what was typed. */
function catchUp() {
  const field = document.activeElement;
  if (typed === null || !field?.matches("[data-filter][type=search]")) typed = null;
  else if (field.value !== typed) {
    field.value = typed;
    filterSoon(field);
  }
}

function prepare(table) {
  if (table.querySelector("[data-all]")) return;
  const head = table.querySelector("thead th");
  if (!head || head.querySelector("input")) return;
  head.replaceChildren(make("input", { type: "checkbox", "data-all": "", "aria-label": "Choose all rows of this page" }));
  choose(table, null);
}

function choose(table, changed) {
  const all = table.querySelector("[data-all]");
  const boxes = [...table.querySelectorAll("tbody [type=checkbox]")];
  if (changed === all && all) boxes.forEach((box) => (box.checked = all.checked));
  const chosen = boxes.filter((box) => box.checked).length;
  if (all) {
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  }
  const form = table.closest("form") ?? document.getElementById(boxes[0]?.getAttribute("form") ?? "");
  for (const said of form?.querySelectorAll("[data-chosen]") ?? []) said.textContent = String(chosen);
}
