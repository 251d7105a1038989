// The install wizard: shows what fits the engine, tries the database, changes the language without
// losing what was typed, and leads to the panel once the node is up.
(() => {
  "use strict";
  const READY_EVERY_MS = 500;
  const LATE_AFTER_MS = 60000;
  const form = () => document.querySelector("#install form");
  const field = (name) => form().elements[name];
  const part = (name) => form().querySelector(`[data-field="${name}"]`);

  // After the installation: the node says itself when it is ready.
  const starting = document.getElementById("starting");
  const since = Date.now();
  async function follow() {
    try {
      const answer = await fetch(starting.dataset.ready, { cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (answer.ok) return location.replace(starting.dataset.login);
    } catch {
      // between the wizard and the node nobody answers for a moment
    }
    if (Date.now() - since > LATE_AFTER_MS) starting.lastElementChild.textContent = starting.dataset.late;
    setTimeout(follow, READY_EVERY_MS);
  }
  if (starting) return void follow();

  // The console's address carries the token behind a #, which is sent to nobody.
  if (location.hash.length > 1) {
    field("token").value = decodeURIComponent(location.hash.slice(1));
    history.replaceState(null, "", location.pathname);
  }

  const engine = () => field("engine").value;

  function showEngine() {
    const kind = engine() === "sqlite" ? "sqlite" : "server";
    for (const some of form().querySelectorAll("[data-for]")) some.hidden = some.dataset.for !== kind;
    const ports = JSON.parse(form().dataset.ports);
    const port = field("port");
    if (kind === "server" && (!port.value || Object.values(ports).includes(port.value))) port.value = ports[engine()];
  }

  function askForAdministrator(wanted) {
    document.getElementById("administrator").hidden = !wanted;
    document.getElementById("users-there").hidden = wanted;
    for (const input of document.querySelectorAll("#administrator input")) input.disabled = !wanted;
  }

  function mark(name, words) {
    const own = part(name);
    if (!own) return false;
    own.querySelector("input").classList.toggle("is-invalid", Boolean(words));
    own.querySelector(".invalid-feedback").textContent = words;
    return true;
  }

  function say(words, kind, detail = "") {
    const tested = document.getElementById("tested");
    tested.textContent = words;
    tested.className = kind;
    if (detail) {
      const more = document.createElement("div");
      more.className = "detail";
      more.textContent = detail;
      tested.append(more);
    }
  }

  let latest = 0;
  async function test() {
    const own = ++latest;
    const data = new URLSearchParams(new FormData(form()));
    for (const name of ["new", "again"]) data.delete(name);
    for (const some of form().querySelectorAll("[data-field]")) mark(some.dataset.field, "");
    say(form().dataset.testing, "text-secondary");
    document.getElementById("test").disabled = true;
    try {
      const response = await fetch(form().dataset.test, { method: "POST", body: data, headers: { Accept: "application/json" } });
      const answer = await response.json();
      if (own === latest) show(answer);
    } catch {
      if (own === latest) say(form().dataset.noAnswer, "text-red");
    } finally {
      document.getElementById("test").disabled = false;
    }
  }

  function show(answer) {
    if (answer.ok) {
      say(answer.words, "text-green");
      return askForAdministrator(!answer.users);
    }
    for (const [name, mistakes] of Object.entries(answer.mistakes ?? {})) mark(name, mistakes.join(" "));
    const beside = answer.field && mark(answer.field, answer.words);
    say(beside && answer.field === "token" ? "" : answer.words, "text-red", answer.detail);
    form().querySelector(".is-invalid")?.focus();
  }

  async function speak(address) {
    const typed = [...form().elements].filter((element) => element.name);
    const values = typed.map((element) => [element.name, element.type === "radio" ? element.checked && element.value : element.value]);
    const hidden = document.getElementById("administrator").hidden;
    const response = await fetch(address);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    document.documentElement.lang = page.documentElement.lang;
    document.title = page.title;
    document.getElementById("install").replaceWith(page.getElementById("install"));
    for (const [name, value] of values) if (value !== false) field(name).value = value;
    showEngine();
    askForAdministrator(!hidden);
    document.querySelector(".install-head .active")?.focus();
  }

  document.addEventListener("change", ({ target }) => {
    if (target.name !== "engine") return;
    latest += 1; // an answer about another engine is of no interest any more
    say("", "");
    askForAdministrator(true);
    showEngine();
  });
  document.addEventListener("click", (event) => {
    const other = event.target.closest("[data-language]");
    if (other) {
      event.preventDefault();
      speak(other.href).catch(() => say(form().dataset.noAnswer, "text-red"));
    } else if (event.target.closest("#test")) test();
  });
  let sent = false;
  document.addEventListener("submit", (event) => {
    if (sent) return event.preventDefault();
    sent = true;
    const go = document.getElementById("go");
    go.setAttribute("aria-disabled", "true");
    go.querySelector("span").textContent = form().dataset.installing;
  });
  addEventListener("pageshow", () => (sent = false)); // back to a page that the browser has kept
  showEngine();
  form().querySelector(".is-invalid")?.focus();
})();
