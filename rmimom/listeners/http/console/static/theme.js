// The chosen theme, before the first paint: read at once, not as a module.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("rmimom-theme");
  } catch {
    // Storage may be forbidden; then the system's preference is the theme.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
