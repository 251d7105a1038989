// What a run prints while somebody watches: asks for what came since, every second. When nobody
// answers, what is shown stays, the page says so, and it goes on by itself, asking less and less
// often. Of a run that has ended and has more output than the page: asks when somebody wants more.
(() => {
  "use strict";
  const EVERY_MS = 1000;
  const SLOWEST_MS = 10_000;
  const output = document.getElementById("output");
  const live = document.getElementById("live");
  const reason = document.getElementById("reason");
  const away = document.getElementById("away");
  const more = document.getElementById("more");
  const firstState = document.getElementById("state").dataset.state;
  const watching = "live" in output.dataset;
  let last = output.dataset.last;
  let carry = JSON.parse(output.dataset.carry);
  let wait = EVERY_MS;

  async function ask() {
    const query = new URLSearchParams({ after: last, carry });
    const response = await fetch(`${output.dataset.tail}?${query}`, {
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(10_000),
    });
    if (response.status === 401) throw "logged_out";
    if (response.status === 503) throw "no_database";
    if (response.status === 404) throw "gone";
    if (!response.ok) throw "no_answer";
    const answer = await response.json();
    runOutput.append(answer.parts);
    ({ last, carry } = answer);
    return answer;
  }

  function trouble(key) {
    away.textContent = key ? runOutput.say(key) : "";
    away.hidden = !key;
    if (live) live.hidden = Boolean(key);
  }

  async function poll() {
    try {
      const answer = await ask();
      trouble("");
      wait = EVERY_MS;
      reason.textContent = answer.reason; // while it waits: for what
      // The page is drawn anew with all facts when the run begins, and when it has ended.
      if (answer.ended || (answer.state !== firstState && answer.state === "running")) return location.reload();
    } catch (problem) {
      const key = typeof problem === "string" ? problem : "no_answer";
      trouble(key);
      if (key === "gone") return;
      wait = Math.min(wait * 1.5, SLOWEST_MS);
    }
    setTimeout(poll, wait);
  }

  if (watching) setTimeout(poll, EVERY_MS);
  // The bar on top has noticed that everything answers again: no need to wait any longer.
  document.addEventListener("gocron:back", () => (wait = EVERY_MS));

  more?.addEventListener("click", async () => {
    try {
      if ((await ask()).ended) document.getElementById("rest").remove();
      trouble("");
    } catch (problem) {
      trouble(typeof problem === "string" ? problem : "no_answer");
    }
  });
})();
