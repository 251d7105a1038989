// Makes a part of the page look like another one by changing only what differs: what somebody has
// focused, opened, selected or scrolled to stays. Rows with the same data-row are the same row.
const morph = (() => {
  "use strict";

  function same(one, other) {
    if (one.nodeType !== other.nodeType || one.nodeName !== other.nodeName) return false;
    return one.nodeType !== Node.ELEMENT_NODE || (one.dataset?.row === other.dataset?.row && one.id === other.id);
  }

  function attributes(from, to) {
    for (const { name } of [...from.attributes]) {
      if (!to.hasAttribute(name) && name !== "open") from.removeAttribute(name);
    }
    for (const { name, value } of to.attributes) {
      if (name !== "open" && from.getAttribute(name) !== value) from.setAttribute(name, value);
    }
  }

  function children(from, to) {
    const rows = new Map();
    for (const child of from.children) if (child.dataset.row) rows.set(child.dataset.row, child);
    let here = from.firstChild;
    for (const wanted of [...to.childNodes]) {
      const known = wanted.dataset?.row && rows.get(wanted.dataset.row);
      if (known && known !== here) {
        // What stands before it is not wanted any more, unless it is a row that comes later.
        while (here && here !== known && !(here.dataset?.row && to.querySelector(`:scope > [data-row="${CSS.escape(here.dataset.row)}"]`))) {
          const gone = here;
          here = here.nextSibling;
          gone.remove();
        }
        if (known !== here) from.insertBefore(known, here);
      }
      const old = known || here;
      if (old && same(old, wanted)) {
        node(old, wanted);
        here = old.nextSibling;
      } else {
        from.insertBefore(document.importNode(wanted, true), here);
      }
    }
    while (here) {
      const gone = here;
      here = here.nextSibling;
      gone.remove();
    }
  }

  function node(from, to) {
    if (from.nodeType !== Node.ELEMENT_NODE) {
      if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
    } else if (!from.isEqualNode(to)) {
      attributes(from, to);
      children(from, to);
    }
  }

  /** Times that are said relatively are said anew before they are compared: nothing flickers. */
  return (from, to) => {
    gocron.refreshTimes(to);
    node(from, to);
  };
})();
