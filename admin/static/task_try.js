// What a task that is being tried prints, until it has ended.
(() => {
  "use strict";
  const EVERY_MS = 1000;
  const output = document.getElementById("try-output");
  const state = document.getElementById("try-state");
  const live = document.getElementById("try-live");
  let last = -1;

  function show(answer) {
    const atEnd = output.scrollHeight - output.scrollTop - output.clientHeight < 40;
    if (answer.text) output.append(answer.text); // a text node: nothing of it is ever markup
    if (atEnd) output.scrollTop = output.scrollHeight;
    last = answer.last;
    state.textContent = answer.state;
    state.className = `badge ${answer.colour}`;
    document.getElementById("try-reason").textContent = answer.reason;
    document.getElementById("try-took").textContent = answer.took;
  }

  async function ask() {
    const response = await fetch(`${output.dataset.tail}&after=${last}`, { headers: { Accept: "application/json" } });
    if (response.status === 404) return location.reload();
    if (!response.ok) throw new Error(response.status);
    const answer = await response.json();
    show(answer);
    live.textContent = gocron.say("live");
    if (!answer.ended) return setTimeout(poll, EVERY_MS);
    live.hidden = true;
    document.getElementById("try-silent").hidden = output.textContent !== "";
  }

  function poll() {
    ask().catch(() => {
      live.textContent = gocron.say("trying");
      setTimeout(poll, EVERY_MS);
    });
  }
  poll();
})();
