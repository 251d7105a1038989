// What every page may need: words, the menu on narrow screens, menus that close, "choose all" in
// lists, forms that are sent once however often somebody clicks, times that stay true.
const gocron = (() => {
  "use strict";
  const words = JSON.parse(document.body.dataset.words);

  /** The words of the page's language; %(name)s is replaced by values.name. */
  function say(key, values = {}) {
    return words[key].replace(/%\((\w+)\)s/g, (_all, name) => values[name] ?? "");
  }

  const menuButton = document.getElementById("menu-button");
  const menu = document.getElementById("menu");
  menuButton?.addEventListener("click", () => {
    const open = menu.classList.toggle("show");
    menuButton.setAttribute("aria-expanded", String(open));
  });

  // A menu closes when somebody clicks elsewhere, or presses Escape.
  const openMenus = () => document.querySelectorAll("details.menu[open]");
  document.addEventListener("click", ({ target }) => {
    for (const open of openMenus()) if (!open.contains(target)) open.open = false;
  });
  document.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    for (const open of openMenus()) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  });

  const all = document.getElementById("choose-all");
  const rows = () => document.querySelectorAll('input[name="rowid"][type="checkbox"]');
  all?.addEventListener("change", () => {
    for (const row of rows()) row.checked = all.checked;
  });

  for (const form of document.querySelectorAll("form[data-once]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.once === "sent") event.preventDefault();
      else if (!event.defaultPrevented) form.dataset.once = "sent";
    });
    // Back to a page that the browser has kept: it may be sent again.
    addEventListener("pageshow", () => (form.dataset.once = ""));
  }

  // "in 5 minutes", "2 hours ago": said anew as time goes by, and by the clock of this browser.
  const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always", style: "short" });

  function distance(iso) {
    const seconds = (Date.parse(iso) - Date.now()) / 1000;
    const [unit, size] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? STEPS.at(-1);
    return relative.format(Math.trunc(seconds / size), unit);
  }

  function refreshTimes(root = document) {
    for (const time of root.querySelectorAll("time[data-relative]")) {
      const text = distance(time.dateTime);
      if (time.textContent !== text) time.textContent = text;
    }
  }
  refreshTimes();
  setInterval(() => document.hidden || refreshTimes(), 1000);

  return { say, refreshTimes };
})();
