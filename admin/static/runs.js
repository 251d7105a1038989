// The list of runs, kept up to date: asks for the same page every few seconds and takes over what
// has changed. Only the first page, only while it is seen, and only while the switch is on.
(() => {
  "use strict";
  const EVERY_MS = 5000;
  const KEY = "gocron-runs-live";
  const list = document.getElementById("runs");
  const wanted = document.getElementById("refresh");
  if (!list || !wanted || !("refresh" in list.dataset)) return;

  try {
    wanted.checked = localStorage.getItem(KEY) !== "off";
  } catch { /* storage may be forbidden */ }
  wanted.addEventListener("change", () => {
    try {
      localStorage.setItem(KEY, wanted.checked ? "on" : "off");
    } catch { /* then it holds for this page */ }
    if (wanted.checked) refresh();
  });

  async function refresh() {
    const response = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error", signal: AbortSignal.timeout(10_000) });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.getElementById("runs");
    if (fresh && wanted.checked) morph(list, fresh);
  }

  // Of troubles tells the bar on top; the list stays as it is and goes on by itself.
  function poll() {
    const turn = wanted.checked && !document.hidden ? refresh().catch(() => {}) : Promise.resolve();
    turn.then(() => setTimeout(poll, EVERY_MS));
  }
  setTimeout(poll, EVERY_MS);
})();
