// Shows the part of the form that fits the kind of task, and when a schedule would fire.
(() => {
  "use strict";
  const form = document.getElementById("task");
  const kind = form.elements.protocol;

  function showKind() {
    for (const part of form.querySelectorAll("[data-kind]")) {
      part.hidden = part.dataset.kind !== kind.value;
    }
  }
  kind.addEventListener("change", showKind);
  showKind();

  const preview = document.getElementById("preview");
  let latest = 0;
  let timer;

  function say(text, bad) {
    preview.textContent = text;
    preview.classList.toggle("text-danger", bad);
    preview.classList.toggle("text-secondary", !bad);
  }

  async function ask() {
    const own = ++latest;
    const spec = form.elements.spec.value.trim();
    const timezone = form.elements.timezone.value.trim();
    if (!spec) return say("", false);
    const address = `${form.dataset.preview}?${new URLSearchParams({ spec, timezone })}`;
    let answer;
    try {
      const response = await fetch(address, { headers: { Accept: "application/json" } });
      if (!response.ok) return;
      answer = await response.json();
    } catch {
      return; // the preview is a convenience: saving tells what is wrong as well
    }
    if (own !== latest) return;
    if (answer.problem) say(answer.problem, true);
    else if (answer.slots.length) say(["Next:", ...answer.slots].join("\n"), false);
    else say("This never fires again.", true);
  }

  for (const field of [form.elements.spec, form.elements.timezone]) {
    field.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(ask, 250);
    });
  }
  const wrong = form.querySelector(".is-invalid");
  wrong?.focus();
  if (wrong?.name !== "spec" && wrong?.name !== "timezone") ask(); // else it has been said already
})();
