"""What a page costs when it is opened for the first time, and whether it stands still meanwhile."""

from __future__ import annotations

import pytest

from tests.browser.person import Person

MOST_BYTES = 400_000
MOST_SHIFT = 0.02

SHIFT = """
const done = arguments[arguments.length - 1];
let sum = 0;
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
}).observe({type: "layout-shift", buffered: true});
setTimeout(() => done(sum), 500);
"""
BYTES = """
const all = ["navigation", "resource"].flatMap(kind => performance.getEntriesByType(kind));
return all.reduce((sum, entry) => sum + entry.encodedBodySize, 0);
"""


@pytest.mark.parametrize("path", ["/", "/tasks/", "/runs/", "/tasks/new/"])
def test_a_page_is_light_and_does_not_jump(person: Person, path: str) -> None:
    person.create_task(f"on the list of {path}", "@yearly", "true")
    person.browser.execute_cdp_cmd("Network.clearBrowserCache", {})
    person.open(path)
    person.see("#leader")
    assert person.browser.execute_async_script(SHIFT) < MOST_SHIFT
    assert 10_000 < person.browser.execute_script(BYTES) < MOST_BYTES
