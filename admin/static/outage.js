// The page that stands in for all others while the database is away.
(() => {
  "use strict";
  const EVERY_MS = 2000;
  document.getElementById("go-back")?.addEventListener("click", () => history.back());
  const trying = document.getElementById("trying");

  async function ask() {
    try {
      const response = await fetch(trying.dataset.live, { headers: { Accept: "application/json" } });
      if (response.status < 500) return location.reload();
    } catch {
      // the node itself does not answer: it may be restarting
    }
    setTimeout(ask, EVERY_MS);
  }
  if (trying) setTimeout(ask, EVERY_MS);
})();
