"""axe-core over every page, in both colours: nothing serious, nothing critical."""

from __future__ import annotations

from importlib.resources import files

import pytest

from tests.browser.person import Person

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
PAGES = (
    *("/", "/tasks/", "/tasks/new/", "/tasks/import/", "/runs/", "/calendars/", "/calendars/new/"),
    *("/groups/", "/groups/new/", "/pauses/", "/nodes/", "/users/", "/users/new/", "/settings/"),
    *("/audit/", "/profile/", "/password"),
)
RULES = {"light": [], "dark": ["color-contrast", "link-in-text-block"]}
"""All of them once, and again what depends on colours."""

LOOK = """
const done = arguments[arguments.length - 1];
const told = node => `${node.html.slice(0, 200)} ${node.any[0]?.message ?? ""}`;
const rules = arguments[0];
const runOnly = rules.length ? {runOnly: {type: "rule", values: rules}} : {};
axe.run(document, {resultTypes: ["violations"], ...runOnly}).then(found => done(
  found.violations
    .filter(one => ["serious", "critical"].includes(one.impact))
    .map(one => `${one.id}: ${one.nodes.slice(0, 3).map(told).join(" | ")}`)));
"""


def findings(person: Person, rules: list[str]) -> list[str]:
    person.browser.execute_script(AXE)
    found: list[str] = person.browser.execute_async_script(LOOK, rules)
    return found


def addresses(person: Person, name: str) -> list[str]:
    """Every page there is, with something on it."""
    person.create_task(name, "@yearly", "printf '<b>bold</b>\\n'; exit 3")
    person.click(f'{person.row(name)} button[title="Run now"]')
    person.see("#state", "failed")
    run = person.path
    person.click('.datagrid a[href*="/tasks/details/"]')
    person.see(".page-title", name)
    task = person.path + "?" + person.browser.current_url.partition("?")[2]
    tabs = [f"{task}&tab={tab}" for tab in ("history", "runs", "dependencies", "versions", "audit")]
    return [run, task, *tabs, task.replace("details", "edit"), *PAGES]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("colours", list(RULES))
def test_no_page_keeps_anybody_out(person: Person, colours: str) -> None:
    seen = addresses(person, f"looked at in {colours}")
    person.open("/")
    person.choose_theme(colours)
    problems = {}
    for address in seen:
        person.open(address)
        if found := findings(person, RULES[colours]):
            problems[address] = found
    assert problems == {}
