// Colours: light, dark, or like the system. Loaded before the page is drawn, so nothing flashes.
(() => {
  "use strict";
  const KEY = "gocron-theme";
  const system = matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return localStorage.getItem(KEY) || "auto";
    } catch {
      return "auto"; // storage may be forbidden
    }
  }

  function apply() {
    const choice = chosen();
    const dark = choice === "dark" || (choice === "auto" && system.matches);
    document.documentElement.dataset.bsTheme = dark ? "dark" : "light";
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      const pressed = button.dataset.themeChoice === choice;
      button.setAttribute("aria-pressed", String(pressed));
      button.classList.toggle("active", pressed);
    }
  }

  apply();
  system.addEventListener("change", apply);
  addEventListener("storage", apply); // another tab
  document.addEventListener("DOMContentLoaded", () => {
    apply();
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-theme-choice]");
      if (!button) return;
      try {
        localStorage.setItem(KEY, button.dataset.themeChoice);
      } catch {
        return;
      }
      apply();
    });
  });
})();
