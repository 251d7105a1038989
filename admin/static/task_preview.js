// When a schedule that is being typed would fire: as a sentence, and as its next slots.
(() => {
  "use strict";
  const form = document.getElementById("task");
  const preview = document.getElementById("preview");
  const watched = ["spec", "timezone", "name", "starts_at", "ends_at", "depends_on"];
  const lists = ["exclude_calendars", "require_calendars"];
  let latest = 0;
  let timer;

  function say(text, bad) {
    preview.textContent = text;
    preview.classList.toggle("text-danger", bad);
  }

  function part(name, className, text) {
    const element = document.createElement(name);
    element.className = className;
    element.append(text);
    return element;
  }

  function line({ weekday, local, utc, iso, remark }) {
    const item = document.createElement("li");
    const time = part("time", "text-secondary", "");
    time.dateTime = iso;
    time.dataset.relative = "";
    time.title = utc;
    item.append(part("span", "weekday", weekday), " ", part("span", "slot-time", local), " ", time);
    if (remark) item.append(part("span", "remark text-yellow", remark));
    return item;
  }

  function show({ words, slots }) {
    say("", false);
    preview.append(part("p", "preview-words", `${words}.`));
    if (!slots.length) return preview.append(part("p", "mb-0", form.dataset.never));
    const list = part("ol", "slots", "");
    list.append(...slots.map(line));
    preview.append(list);
    gocron.refreshTimes(list);
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
      return say(follows ? form.dataset.follows : "", false);
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
  form.addEventListener("click", ({ target }) => {
    const example = target.closest("[data-example]");
    if (!example) return;
    const { spec } = form.elements;
    spec.value = example.dataset.example;
    spec.dispatchEvent(new Event("input", { bubbles: true }));
    spec.focus();
  });
  const wrong = form.querySelector('[data-field="spec"] .is-invalid, [data-field="timezone"] .is-invalid');
  if (!wrong) ask(); // else it has been said already
})();
