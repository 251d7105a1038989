// The list of tasks: a switch changes its row without loading the page again, a link is copied, and
// "all that are listed" goes together with the ticks.
(() => {
  "use strict";
  const SHOWN_MS = 5000;
  const list = document.getElementById("tasks");
  const said = document.getElementById("said");
  let hide;

  function tell(text, kind) {
    const alert = document.createElement("div");
    alert.className = `alert alert-${kind}`;
    alert.textContent = text;
    said.replaceChildren(alert);
    said.hidden = false;
    clearTimeout(hide);
    hide = setTimeout(() => (said.hidden = true), SHOWN_MS);
  }

  /** What the server answered, "form" if a page has to say it, or null if there was no answer. */
  async function ask(form, button) {
    const body = new URLSearchParams(new FormData(form, button));
    try {
      // Not form.action: that is the button, because it is called so.
      const response = await fetch(form.getAttribute("action"), { method: "POST", body, headers: { Accept: "application/json" } });
      const isAnswer = response.headers.get("Content-Type")?.startsWith("application/json");
      return isAnswer && (response.ok || response.status === 409) ? await response.json() : "form";
    } catch {
      return null;
    }
  }

  function show(form, button, answer) {
    button.setAttribute("aria-checked", String(answer.enabled));
    button.value = answer.enabled ? "disable" : "enable";
    const next = form.closest("tr").querySelector("[data-next]");
    // Made and escaped by the same template as the rest of the row.
    next.innerHTML = answer.next;
    gocron.refreshTimes(next);
    tell(answer.said, answer.failed ? "danger" : "success");
  }

  list?.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-toggle-task]");
    if (!form || form.dataset.toggleTask === "by form") return;
    event.preventDefault();
    const button = event.submitter ?? form.querySelector("button");
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    const answer = await ask(form, button);
    button.removeAttribute("aria-busy");
    if (answer === null) return tell(list.dataset.noAnswer, "danger");
    if (answer !== "form") return show(form, button, answer);
    form.dataset.toggleTask = "by form";
    form.requestSubmit(button);
  });

  // The tags in use are asked for when somebody is about to choose one.
  const tags = document.getElementById("tags");
  document.querySelector('input[list="tags"]')?.addEventListener("focus", async () => {
    try {
      const response = await fetch(tags.dataset.url, { headers: { Accept: "application/json" } });
      if (!response.ok) return;
      tags.replaceChildren(...(await response.json()).map((tag) => new Option(tag, tag)));
    } catch {
      return; // a tag can be typed as well
    }
  }, { once: true });

  const link = document.getElementById("copy-link");
  link?.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(link.dataset.url);
    } catch {
      location.href = link.dataset.url; // without HTTPS: the address bar has it then
      return;
    }
    tell(link.dataset.done, "success");
    link.closest("details").open = false;
  });

  // Somebody who takes a tick away does not mean all of them any more.
  const all = document.getElementById("all-that-fit");
  const ticks = () => [...document.querySelectorAll('input[name="rowid"][type="checkbox"]')];
  all?.addEventListener("change", () => {
    const chooseAll = document.getElementById("choose-all");
    chooseAll.checked = all.checked;
    for (const tick of ticks()) tick.checked = all.checked;
  });
  list?.addEventListener("change", () => {
    if (all && !ticks().every((tick) => tick.checked)) all.checked = false;
  });
})();
