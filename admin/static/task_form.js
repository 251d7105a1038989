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
  const watched = ["spec", "timezone", "name", "starts_at", "ends_at", "depends_on"];
  const lists = ["exclude_calendars", "require_calendars"];
  let latest = 0;
  let timer;

  function say(text, bad) {
    preview.textContent = text;
    preview.classList.toggle("text-danger", bad);
    preview.classList.toggle("text-secondary", !bad);
  }

  function show({ words, slots }) {
    say(`${words}.`, false);
    if (!slots.length) return preview.append(" This never fires again.");
    const list = document.createElement("ol");
    for (const { local, utc, remark } of slots) {
      const item = document.createElement("li");
      item.append(local);
      item.title = utc;
      if (remark) {
        const note = document.createElement("span");
        note.className = "remark text-yellow";
        note.append(remark);
        item.append(note);
      }
      list.append(item);
    }
    preview.append(list);
  }

  function question() {
    const asked = new URLSearchParams();
    for (const name of watched) {
      if (name !== "depends_on") asked.set(name, form.elements[name].value.trim());
    }
    for (const name of lists) {
      for (const box of form.querySelectorAll(`input[name="${name}"]:checked`)) asked.append(name, box.value);
    }
    return asked;
  }

  async function ask() {
    const own = ++latest;
    if (!form.elements.spec.value.trim()) {
      const follows = form.elements.depends_on.value.trim();
      return say(follows ? "Runs when the tasks that it depends on have ended." : "", false);
    }
    let answer;
    try {
      const response = await fetch(`${form.dataset.preview}?${question()}`, { headers: { Accept: "application/json" } });
      if (!response.ok) return;
      answer = await response.json();
    } catch {
      return; // the preview is a convenience: saving tells what is wrong as well
    }
    if (own !== latest) return;
    if (answer.problem) say(answer.problem, true);
    else show(answer);
  }

  form.addEventListener("input", ({ target }) => {
    if (!watched.includes(target.name) && !lists.includes(target.name)) return;
    clearTimeout(timer);
    timer = setTimeout(ask, 250);
  });
  const wrong = form.querySelector(".is-invalid");
  (wrong?.querySelector("input") ?? wrong)?.focus();
  if (wrong?.name !== "spec" && wrong?.name !== "timezone") ask(); // else it has been said already
})();
