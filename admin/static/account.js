// Copies what is shown once; without HTTPS it is selected, for the keyboard to copy.
(() => {
  "use strict";
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const shown = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(shown.textContent);
        button.querySelector("span").textContent = button.dataset.done;
      } catch {
        getSelection().selectAllChildren(shown);
      }
    });
  }
})();
