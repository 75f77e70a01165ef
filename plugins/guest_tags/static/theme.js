// Runs before the first paint: light or dark as Airflow is now (the page stands in a frame of the same origin), else as the
// system is. Follows both when they change, and tells the charts by the event "themechange".
"use strict";
(() => {
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  function airflowRoot() {
    try {
      return window.parent === window ? null : window.parent.document.documentElement;
    } catch {
      return null; // framed by another origin
    }
  }

  function isDark(root) {
    if (root?.classList.contains("dark")) return true;
    if (root?.classList.contains("light")) return false;
    return system.matches;
  }

  const root = airflowRoot();
  function apply() {
    const theme = isDark(root) ? "dark" : "light";
    if (document.documentElement.dataset.theme === theme) return;
    document.documentElement.dataset.theme = theme;
    window.dispatchEvent(new Event("themechange"));
  }

  apply();
  system.addEventListener("change", apply);
  if (root) new MutationObserver(apply).observe(root, { attributes: true, attributeFilter: ["class"] });
})();
