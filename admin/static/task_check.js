// Says what is wrong next to each field that somebody has left, as the server would when saving.
(() => {
  "use strict";
  const form = document.getElementById("task");
  const preview = document.getElementById("preview");
  const touched = new Set(); // somebody has typed there
  const left = new Set(); // and has gone on
  let latest = 0;
  let timer;

  const boxOf = (name) => form.querySelector(`[data-field="${CSS.escape(name)}"]`);
  const inputOf = (box) => box.querySelector(".checklist, input, select, textarea");

  function show(box, messages) {
    for (const old of box.querySelectorAll(".invalid-feedback")) old.remove();
    const input = inputOf(box);
    input.classList.toggle("is-invalid", messages.length > 0);
    input.setAttribute("aria-invalid", String(messages.length > 0));
    const said = box.contains(preview) && preview.classList.contains("text-danger");
    for (const message of said ? [] : messages) {
      const line = document.createElement("div");
      line.className = "invalid-feedback d-block";
      line.setAttribute("role", "alert");
      line.textContent = message;
      const hint = box.querySelector(".form-hint");
      if (hint) hint.before(line);
      else box.append(line);
    }
  }

  function markNavigation() {
    for (const link of document.querySelectorAll(".editor-nav a")) {
      const part = document.getElementById(link.hash.slice(1));
      link.classList.toggle("wrong", part.querySelector(".is-invalid") !== null);
    }
  }

  function sent() {
    const fields = new URLSearchParams(new FormData(form));
    for (const name of [...fields.keys()]) {
      if (name === "over" || name === "try" || name.startsWith("take-")) fields.delete(name);
    }
    return fields;
  }

  // What is being clicked must not move away beneath the pointer.
  let pointer = Promise.resolve();
  addEventListener("pointerdown", () => {
    pointer = new Promise((up) => {
      for (const end of ["pointerup", "pointercancel"]) addEventListener(end, up, { once: true });
    });
  });
  const pointerIsUp = () => pointer;

  async function ask() {
    const own = ++latest;
    let answer;
    try {
      const response = await fetch(form.dataset.check, { method: "POST", body: sent(), headers: { Accept: "application/json" } });
      if (!response.ok) return;
      answer = await response.json();
    } catch {
      return; // a convenience: saving tells what is wrong as well
    }
    await pointerIsUp();
    if (own !== latest) return;
    for (const name of left) {
      const box = boxOf(name);
      // Who is typing there again is not interrupted.
      const busy = box?.contains(document.activeElement) && !box.querySelector(".is-invalid");
      if (box && !busy) show(box, answer.mistakes[name] ?? []);
    }
    markNavigation();
  }

  function soon(delay) {
    clearTimeout(timer);
    timer = setTimeout(ask, delay);
  }

  for (const wrong of form.querySelectorAll("[data-field]:has(.is-invalid)")) left.add(wrong.dataset.field);
  form.addEventListener("focusout", ({ target }) => {
    const name = target.closest("[data-field]")?.dataset.field;
    if (!touched.has(name)) return;
    left.add(name);
    soon(300);
  });
  form.addEventListener("input", ({ target }) => {
    touched.add(target.closest("[data-field]")?.dataset.field);
    if (left.size) soon(600);
  });
  form.addEventListener("change", ({ target }) => {
    touched.add(target.closest("[data-field]")?.dataset.field);
    if (left.size) soon(300);
  });
})();
