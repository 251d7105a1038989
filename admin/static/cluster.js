// Keeps the page of the cluster as it is: what the nodes do every few seconds, the history when
// another node leads.
(() => {
  "use strict";
  const now = document.getElementById("cluster-now");
  const past = document.getElementById("cluster-past");
  let busy = false;

  /** Put what the server says in place of what is there, unless somebody is just using it. */
  async function refresh(part) {
    const response = await fetch(part.dataset.part, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(10_000) });
    if (!response.ok || response.redirected) return false;
    const text = await response.text();
    if (part.contains(document.activeElement)) return false;
    part.innerHTML = text;
    return true;
  }

  document.addEventListener("gocron:live", async ({ detail }) => {
    if (busy) return;
    busy = true;
    try {
      await refresh(now);
      const leader = detail.leader ? String(detail.term) : "";
      if (past.dataset.leader !== leader && (await refresh(past))) past.dataset.leader = leader;
    } catch {
      // The bar on top says that this node does not answer; the next time all is shown anew.
    } finally {
      busy = false;
    }
  });
})();
