// Lists: a box that chooses all rows, a filter that works while one types, relative times.

import { make } from "./page.js";

const PAUSE = 250; // milliseconds without a key before the filter is used

export function startLists() {
  let timer = 0;
  document.addEventListener("input", (event) => {
    if (!event.target.matches?.("[data-filter]")) return;
    clearTimeout(timer);
    timer = setTimeout(() => event.target.form?.requestSubmit(), PAUSE);
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("form.filter select")) event.target.form.requestSubmit();
    const table = event.target.closest?.("table.list");
    if (table && event.target.matches("[type=checkbox]")) choose(table, event.target);
  });
  return () => document.querySelectorAll("table.list:has(tbody [type=checkbox])").forEach(prepare);
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
