// What every page may need: the menu on narrow screens, "choose all" in lists.
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
})();
