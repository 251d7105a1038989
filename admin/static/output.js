// The output of a run as somebody reads it: wrapping, finding, copying, following its end. What was
// printed is only ever put into text nodes; classes come from the node's own list.
const runOutput = (() => {
  "use strict";
  const MOST_CHARS = 2_000_000; // kept on the page; the rest is behind the download
  const MOST_MATCHES = 2000;
  const output = document.getElementById("output");
  const words = JSON.parse(output.dataset.words);
  const button = (id) => document.getElementById(id);
  let size = output.textContent.length;
  let following = "live" in output.dataset;
  let matches = [];
  let current = -1;

  function say(key, values = {}) {
    return words[key].replace(/%\((\w+)\)s/g, (_all, name) => values[name] ?? "");
  }

  const atEnd = () => output.scrollHeight - output.scrollTop - output.clientHeight < 24;
  const toEnd = () => (output.scrollTop = output.scrollHeight);

  function follow(on) {
    following = on;
    button("follow")?.setAttribute("aria-pressed", String(on));
    if (on) toEnd();
  }

  function drop() {
    while (size > MOST_CHARS && output.firstChild !== output.lastChild) {
      size -= output.firstChild.textContent.length;
      output.firstChild.remove();
      button("cut").hidden = false;
    }
  }

  /** Parts are [text, classes]. */
  function append(parts) {
    if (!parts.length) return;
    const fragment = document.createDocumentFragment();
    for (const [text, classes] of parts) {
      const node = document.createTextNode(text);
      size += text.length;
      if (!classes) fragment.append(node);
      else {
        const span = document.createElement("span");
        span.className = classes;
        span.append(node);
        fragment.append(span);
      }
    }
    output.append(fragment);
    drop();
    if (following) toEnd();
    if (button("find").value) find(false);
  }

  // Scrolling up stops it, arriving at the end starts it again.
  output.addEventListener("scroll", () => {
    if ("live" in output.dataset && following !== atEnd()) follow(atEnd());
  });
  button("follow")?.addEventListener("click", () => follow(!following));

  button("wrap")?.addEventListener("click", ({ currentTarget }) => {
    const on = currentTarget.getAttribute("aria-pressed") !== "true";
    currentTarget.setAttribute("aria-pressed", String(on));
    output.classList.toggle("unwrapped", !on);
  });
  button("to-top")?.addEventListener("click", () => (output.scrollTop = 0));
  button("to-end")?.addEventListener("click", toEnd);
  button("copy")?.addEventListener("click", async ({ currentTarget }) => {
    try {
      await navigator.clipboard.writeText(output.textContent);
    } catch { // not over plain HTTP: let the browser copy what is selected
      getSelection().selectAllChildren(output);
      document.execCommand("copy");
    }
    const before = currentTarget.title;
    currentTarget.title = say("copied");
    currentTarget.classList.add("done");
    setTimeout(() => {
      currentTarget.title = before;
      currentTarget.classList.remove("done");
    }, 1500);
  });

  // Finding: ranges over the text nodes, drawn by the browser; the text itself is not touched.
  const draws = "highlights" in CSS;

  function ranges(wanted) {
    const nodes = [];
    const walker = document.createTreeWalker(output, NodeFilter.SHOW_TEXT);
    let text = "";
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      nodes.push([text.length, node]);
      text += node.data;
    }
    const found = [];
    const pattern = new RegExp(wanted.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "giu");
    let place = 0;
    for (const match of text.matchAll(pattern)) {
      const range = document.createRange();
      const end = match.index + match[0].length;
      while (place + 1 < nodes.length && nodes[place + 1][0] <= match.index) place++;
      let last = place;
      while (last + 1 < nodes.length && nodes[last + 1][0] < end) last++;
      range.setStart(nodes[place][1], match.index - nodes[place][0]);
      range.setEnd(nodes[last][1], end - nodes[last][0]);
      found.push(range);
      if (found.length === MOST_MATCHES) break;
    }
    return found;
  }

  function show() {
    if (!draws) return;
    CSS.highlights.set("found", new Highlight(...matches));
    CSS.highlights.set("found-now", new Highlight(...matches.slice(current, current + 1)));
  }

  function count() {
    const all = matches.length === MOST_MATCHES ? say("many", { count: MOST_MATCHES }) : matches.length;
    if (!button("find").value) return "";
    return matches.length ? say("of", { n: current + 1, count: all }) : say("none");
  }

  function find(jump) {
    const wanted = button("find").value;
    matches = wanted ? ranges(wanted) : [];
    current = matches.length ? Math.min(Math.max(current, 0), matches.length - 1) : -1;
    button("found").textContent = count();
    show();
    if (jump) reveal();
  }

  function reveal() {
    if (current < 0) return;
    if ("live" in output.dataset) follow(false);
    const there = matches[current].getBoundingClientRect();
    const frame = output.getBoundingClientRect();
    output.scrollTop += there.top - frame.top - output.clientHeight / 3;
    output.scrollLeft += there.left > frame.right || there.left < frame.left ? there.left - frame.left - 40 : 0;
    if (!draws) {
      getSelection().removeAllRanges();
      getSelection().addRange(matches[current]);
    }
  }

  function step(by) {
    if (!matches.length) return;
    current = (current + by + matches.length) % matches.length;
    button("found").textContent = count();
    show();
    reveal();
  }

  button("find")?.addEventListener("input", () => {
    current = 0;
    find(true);
  });
  button("find")?.addEventListener("keydown", (event) => {
    if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
    if (event.key === "Escape") event.target.blur();
  });
  button("find-next")?.addEventListener("click", () => step(1));
  button("find-previous")?.addEventListener("click", () => step(-1));

  if (following) toEnd();
  return { append, say };
})();
