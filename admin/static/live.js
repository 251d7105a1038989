// Asks every few seconds who leads and whether there is a pause, and says so when this node or the
// database does not answer, or when the session is over. Guards forms: what cannot be sent just now
// is not sent, so nothing that was typed is lost.
(() => {
  "use strict";
  const EVERY_MS = 3000;
  const page = document.querySelector(".page");
  const pill = document.getElementById("leader");
  const trouble = document.getElementById("trouble");
  const noLeader = document.getElementById("no-leader");
  const paused = document.getElementById("paused");
  let inTrouble = false;

  /** What /live says, or {problem} with the key of the words for it. */
  async function look() {
    let response;
    try {
      response = await fetch(page.dataset.live, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(10_000) });
    } catch {
      return { problem: "no_answer" };
    }
    if (response.status === 401) return { problem: "logged_out" };
    if (response.status === 503) return { problem: "no_database" };
    if (!response.ok) return { problem: "no_answer" };
    return response.json();
  }

  function write(id, text) {
    const element = document.getElementById(id);
    if (element && element.textContent !== text) element.textContent = text;
  }

  function tell(problem, addition = "") {
    trouble.textContent = `${gocron.say(problem)} ${addition}`;
    trouble.dataset.kind = problem;
    if (problem === "logged_out") {
      const link = document.createElement("a");
      link.href = page.dataset.login;
      link.target = "_blank";
      link.textContent = gocron.say("log_in");
      trouble.append(link);
    }
    trouble.hidden = false;
    inTrouble = true;
  }

  function recovered() {
    trouble.textContent = gocron.say("back");
    trouble.dataset.kind = "back";
    inTrouble = false;
    setTimeout(() => inTrouble || (trouble.hidden = true), 4000);
    document.dispatchEvent(new Event("gocron:back"));
  }

  function show(now) {
    if (now.problem) {
      pill.dataset.state = "unknown";
      return tell(now.problem);
    }
    if (inTrouble) recovered();
    pill.dataset.state = now.leader ? "leads" : "nobody";
    pill.querySelector(".cluster-who").textContent = now.leader ? gocron.say("leads", { node: now.leader }) : gocron.say("no_leader");
    pill.querySelector(".cluster-more").hidden = !now.leader;
    write("term", gocron.say("term", { term: now.term }));
    write("lease", gocron.say("lease", { age: now.lease_age_s?.toFixed(1) }));
    noLeader.hidden = Boolean(now.leader);
    paused.hidden = now.pause === null;
    if (now.pause !== null) write("paused-why", gocron.say("paused", { reason: now.pause }));
    for (const token of document.querySelectorAll('input[name="csrf_token"]')) token.value = now.csrf_token;
    document.dispatchEvent(new CustomEvent("gocron:live", { detail: now }));
  }

  async function poll() {
    if (!document.hidden) show(await look());
    setTimeout(poll, EVERY_MS);
  }
  setTimeout(poll, EVERY_MS);

  // A form that somebody has worked on is only sent when it will be received.
  for (const form of document.querySelectorAll("form[data-guard]")) {
    form.addEventListener("submit", async (event) => {
      if (event.defaultPrevented || form.dataset.guard === "checked") return;
      event.preventDefault();
      const now = await look();
      form.dataset.once = "";
      if (now.problem) return tell(now.problem, gocron.say("not_sent"));
      show(now);
      form.dataset.guard = "checked";
      form.requestSubmit(event.submitter);
    });
    addEventListener("pageshow", () => (form.dataset.guard = ""));
  }
})();
