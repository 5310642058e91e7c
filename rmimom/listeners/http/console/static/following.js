// Of links that are followed and forms that are sent one after the other, the last one says which page is shown.
//
// htmx swaps in what comes first, and what comes later finds that its place is gone.  An earlier request is not ended, as
// it may have done something already: its page is left out, but what the server had to say on it is not.

import { noticesOf } from "./page.js";

let latest = null;
let unsaid = [];

export function startFollowing() {
  document.addEventListener("htmx:beforeRequest", (event) => {
    latest = event.detail.xhr;
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr === latest) return;
    event.detail.shouldSwap = false;
    unsaid.push(...noticesOf(new DOMParser().parseFromString(event.detail.serverResponse, "text/html")));
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.xhr === latest) latest = null;
    if (latest) return;
    document.getElementById("notices")?.append(...unsaid);
    unsaid = [];
  });
}
