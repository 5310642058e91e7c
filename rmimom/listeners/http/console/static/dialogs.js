// What asks before it acts does so in a dialog; and the dialog with the keys.

import { ask, make, noticesOf } from "./page.js";

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
  document.addEventListener("click", intercept, true);
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "main") closeDialog();
  });
}

/** Before htmx sees a click: what asks first, and what leads away or is to be saved. */
function intercept(event) {
  const element = event.target.closest?.("a, button");
  if (!element || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (element.matches("a[download]") || (element.href && element.origin !== location.origin)) {
    event.stopImmediatePropagation(); // the browser does that best
    return;
  }
  if (element.matches("dialog [data-cancel]")) closeDialog();
  else if (element.matches("a[data-confirm]")) show(() => ask(element.href));
  else if (element.matches("button[data-confirm]")) {
    const form = element.form;
    if (!form.reportValidity()) return;
    const body = new URLSearchParams(new FormData(form, element));
    show(() => ask(form.getAttribute("action"), { method: "POST", body }));
  } else return;
  event.preventDefault();
  event.stopImmediatePropagation();
}

/** The page that asks, in a dialog.  Its form is sent as it would be from the page. */
async function show(read) {
  let page;
  try {
    page = new DOMParser().parseFromString(await (await read()).text(), "text/html");
  } catch {
    return; // the server is away, as the mark of the live connection says
  }
  const asked = page.querySelector("#main > section.confirm, #main > section.error");
  const shown = asked ? [asked] : noticesOf(page);
  if (asked) document.getElementById("notices")?.append(...noticesOf(page));
  if (!shown.length) return;
  const body = make("main", { class: "asked" }, ...shown.map((one) => document.adoptNode(one)));
  openDialog(body);
  htmx.process(body);
  body.querySelector("button[type=submit], a")?.focus();
}
