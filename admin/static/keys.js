// The keyboard: "/" finds, "g" and a letter go to a page, "j" and "k" walk through a list, "?" tells.
(() => {
  "use strict";
  const PATIENCE_MS = 1500;
  const help = document.getElementById("keys");
  const search = document.getElementById("search");
  let waitingUntil = 0;

  document.getElementById("help").addEventListener("click", () => help.showModal());
  help.addEventListener("click", (event) => {
    if (event.target === help) help.close();
  });

  function typing(target) {
    return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
  }

  function walk(step) {
    const rows = [...document.querySelectorAll("main tbody tr")].filter((row) => row.querySelector("a[href]"));
    if (!rows.length) return;
    const now = rows.findIndex((row) => row.contains(document.activeElement));
    const next = rows[Math.max(0, Math.min(rows.length - 1, now < 0 ? 0 : now + step))];
    next.querySelector("a[href]").focus();
    next.scrollIntoView({ block: "nearest" });
  }

  function pressed(key) {
    if (Date.now() < waitingUntil) {
      waitingUntil = 0;
      document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.click();
      return true;
    }
    switch (key) {
      case "/": search.focus(); search.select(); return true;
      case "?": help.showModal(); return true;
      case "g": waitingUntil = Date.now() + PATIENCE_MS; return true;
      case "n": {
        const address = document.getElementById("new-task-address")?.dataset.url;
        if (address) location.href = address;
        return Boolean(address);
      }
      case "j": walk(1); return true;
      case "k": walk(-1); return true;
      default: return false;
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape" && event.target === search) return search.blur();
    if (typing(event.target) || document.querySelector("dialog[open]")) return;
    if (pressed(event.key)) event.preventDefault();
  });
})();
