// Shows the part of the form that fits the kind of task, and goes to the first mistake.
(() => {
  "use strict";
  const form = document.getElementById("task");
  const kind = form.elements.protocol;

  function showKind() {
    for (const part of document.querySelectorAll("[data-kind]")) {
      part.hidden = part.dataset.kind !== kind.value;
    }
  }
  kind.addEventListener("change", showKind);
  showKind();

  // Whose values are to be saved after a conflict, for all fields at once.
  for (const button of form.querySelectorAll("[data-choose]")) {
    button.addEventListener("click", () => {
      for (const choice of form.querySelectorAll(`#conflict input[value="${button.dataset.choose}"]`)) choice.checked = true;
    });
  }

  // A link to a part that is folded opens it.
  function open() {
    const part = location.hash && document.getElementById(location.hash.slice(1));
    const folded = part && part.querySelector("details");
    if (folded) folded.open = true;
  }
  addEventListener("hashchange", open);
  open();

  const wrong = form.querySelector(".is-invalid");
  (wrong?.querySelector("input") ?? wrong)?.focus();
})();
