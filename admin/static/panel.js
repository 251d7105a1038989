// What every page may need: the menu on narrow screens, "choose all" in lists, and
// forms that are sent once however often somebody clicks.
(() => {
  "use strict";
  const menuButton = document.getElementById("menu-button");
  const menu = document.getElementById("menu");
  menuButton?.addEventListener("click", () => {
    const open = menu.classList.toggle("show");
    menuButton.setAttribute("aria-expanded", String(open));
  });

  const all = document.getElementById("choose-all");
  const rows = () => document.querySelectorAll('input[name="rowid"][type="checkbox"]');
  all?.addEventListener("change", () => {
    for (const row of rows()) row.checked = all.checked;
  });

  for (const form of document.querySelectorAll("form[data-once]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.once === "sent") event.preventDefault();
      form.dataset.once = "sent";
    });
    // Back to a page that the browser has kept: it may be sent again.
    addEventListener("pageshow", () => (form.dataset.once = ""));
  }
})();
