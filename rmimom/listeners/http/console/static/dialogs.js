// What asks before it acts does so in a dialog; and the dialog with the keys.

import { ask, make } from "./page.js";

let dialog = null;

/** Show an element in the one dialog that there is. */
export function openDialog(...content) {
  closeDialog();
  const close = make("button", { type: "button", class: "quiet close", "aria-label": "Close", onclick: closeDialog }, "✕");
  dialog = make("dialog", {}, ...content, close);
  dialog.addEventListener("close", () => dialog?.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && closeDialog());
  document.body.append(dialog);
  dialog.showModal();
}

export function closeDialog() {
  const open = dialog;
  dialog = null;
  open?.close();
  open?.remove();
}

export const dialogIsOpen = () => dialog !== null && dialog.open;

export function startDialogs() {
  document.addEventListener(
    "click",
    (event) => {
      const link = event.target.closest?.("a[data-confirm], dialog a[data-cancel]");
      if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (link.matches("[data-cancel]")) closeDialog();
      else confirm(link);
    },
    true,
  );
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "main") closeDialog();
  });
}

/** The page that asks, in a dialog.  Its form is sent as it would be from the page. */
async function confirm(link) {
  let page;
  try {
    const response = await ask(link.href);
    page = new DOMParser().parseFromString(await response.text(), "text/html");
  } catch {
    return; // the server is away, as the mark of the live connection says
  }
  const asked = page.querySelector("#main > section");
  if (!asked) return;
  const body = make("main", { class: "asked" }, document.adoptNode(asked));
  openDialog(body);
  htmx.process(body);
  body.querySelector("button[type=submit], a")?.focus();
}
