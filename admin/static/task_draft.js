// What is typed into the form of a task survives an expired session, a crash, and a closed page: it
// is kept in this tab until it was saved. Whoever leaves with changes is asked.
(() => {
  "use strict";
  const PREFIX = "gocron-draft:";
  const form = document.getElementById("task");
  const restored = document.getElementById("restored");
  const here = new URLSearchParams(location.search);
  const key = `${PREFIX}${location.pathname}?${here.get("id") ?? ""}&${here.get("like") ?? ""}`;
  const fresh = "fresh" in form.dataset;
  const own = (name) => ["csrf_token", "url", "form_id", "revision"].includes(name) || name.startsWith("take-");
  let leaving = false;
  let timer;

  function storage(what) {
    try {
      return what(sessionStorage);
    } catch {
      return null; // forbidden, or full: then there is no draft
    }
  }

  const read = (name) => storage((kept) => JSON.parse(kept.getItem(name)));
  const drop = (name) => storage((kept) => kept.removeItem(name));
  const values = () => [...new FormData(form)].filter(([name]) => !own(name));
  const text = () => JSON.stringify(values());
  const first = text();
  const dirty = () => !fresh || text() !== first;

  function keep(more = {}) {
    if (!dirty()) return drop(key);
    const draft = { form: form.elements.form_id.value, user: form.dataset.user, revision: form.elements.revision.value, values: values(), ...more };
    return storage((kept) => kept.setItem(key, JSON.stringify(draft)));
  }

  function dropSaved() {
    const saved = form.dataset.saved.split(" ");
    const names = storage((kept) => Object.keys(kept)) ?? [];
    for (const name of names) {
      if (name.startsWith(PREFIX) && saved.includes(read(name)?.form)) drop(name);
    }
  }

  function fill(draft) {
    const given = new Map();
    for (const [name, value] of draft.values) given.set(name, [...(given.get(name) ?? []), value]);
    for (const input of form.elements) {
      if (!input.name || own(input.name) || input.tagName === "BUTTON") continue;
      const found = given.get(input.name) ?? [];
      const before = input.type === "checkbox" ? input.checked : input.value;
      if (input.type === "checkbox") input.checked = found.includes(input.value);
      else if (found.length) input.value = found[0];
      const after = input.type === "checkbox" ? input.checked : input.value;
      const folded = input.closest("details");
      if (before !== after && folded) folded.open = true;
    }
    form.elements.revision.value = draft.revision;
    form.elements.protocol.dispatchEvent(new Event("change", { bubbles: true }));
    form.elements.spec.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function restore() {
    const draft = read(key);
    if (!draft) return;
    const saved = draft.sent && draft.revision !== form.elements.revision.value;
    if (draft.user !== form.dataset.user || saved) return drop(key);
    form.elements.form_id.value = draft.form;
    fill(draft);
    restored.hidden = !dirty();
  }

  dropSaved();
  if (fresh) restore();
  else keep();

  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(keep, 300);
  });
  form.addEventListener("change", () => keep());
  addEventListener("pagehide", () => leaving || keep());
  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return; // asked first whether it will be received
    keep({ sent: true });
    leaving = true;
  });
  addEventListener("pageshow", () => (leaving = false));
  for (const id of ["cancel", "drop-mine"]) {
    document.getElementById(id)?.addEventListener("click", () => {
      leaving = true;
      drop(key);
    });
  }
  document.getElementById("drop-draft").addEventListener("click", () => {
    leaving = true;
    drop(key);
    location.reload();
  });
  addEventListener("beforeunload", (event) => {
    if (!leaving && dirty()) event.preventDefault();
  });
})();
