// Output of a run that is going: asks every second for what came since, until it has ended.
(() => {
  "use strict";
  const EVERY_MS = 1000;
  const output = document.getElementById("output");
  const live = document.getElementById("live");
  const reason = document.getElementById("reason");
  const firstState = document.getElementById("state").textContent.trim();
  let last = output.dataset.last;

  function append(text) {
    if (!text) return;
    const atEnd = output.scrollHeight - output.scrollTop - output.clientHeight < 40;
    output.append(text); // a text node: nothing of it is ever markup
    if (atEnd) output.scrollTop = output.scrollHeight;
  }

  async function ask() {
    const response = await fetch(`${output.dataset.tail}?after=${last}`, {
      headers: { Accept: "application/json" },
    });
    if (response.status === 401 || response.status === 404) return location.reload();
    if (!response.ok) throw new Error(response.status);
    const answer = await response.json();
    append(answer.text);
    last = answer.last;
    live.textContent = "live";
    reason.textContent = answer.reason; // while it waits: for what
    // The page is drawn anew with all facts when the run begins, and when it has ended.
    if (answer.ended || answer.state !== firstState) return location.reload();
    setTimeout(poll, EVERY_MS);
  }

  function poll() {
    ask().catch(() => {
      live.textContent = "no answer, trying again";
      setTimeout(poll, EVERY_MS);
    });
  }

  output.scrollTop = output.scrollHeight;
  setTimeout(poll, EVERY_MS);
})();
