// The button that changes between light and dark.

import { make, remember } from "./page.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

export const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";

export function startTheme() {
  const button = make("button", { type: "button", class: "quiet", id: "theme", onclick: toggleTheme });
  document.getElementById("tools").prepend(button);
  dark.addEventListener("change", show);
  show();

  function show() {
    button.replaceChildren(isDark() ? "☀" : "☾", make("span", { class: "name" }, isDark() ? "Light" : "Dark"));
    button.setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
    document.dispatchEvent(new CustomEvent("theme"));
  }

  document.addEventListener("theme-chosen", show);
}

export function toggleTheme() {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  remember("theme", theme);
  document.dispatchEvent(new CustomEvent("theme-chosen"));
}
