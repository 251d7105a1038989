"""The install wizard as people use it: from an empty home to the first run of a task."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.browser.person import Person
from tests.helpers.wizard import PASSWORD, BlankNode, typed

PHONE = {"width": 375, "height": 812, "deviceScaleFactor": 1, "mobile": True}

AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"]}).then((found) => done(found.violations
  .filter((one) => ["serious", "critical"].includes(one.impact))
  .map((one) => one.id + ": " + one.nodes.map((node) => node.html).join(" "))));
"""


@pytest.fixture
def blank(tmp_path: Path) -> Iterator[BlankNode]:
    node = BlankNode(tmp_path, "node1")
    del node.environment["GOCRON_NODE_NAME"]
    try:
        node.start(ready=False)
        yield node
    finally:
        node.end()


@pytest.fixture
def visitor(blank: BlankNode, chromium: webdriver.Chrome) -> Iterator[Person]:
    """Somebody who followed the address on the console."""
    someone = Person(chromium, f"http://127.0.0.1:{blank.port}")
    someone.forget_everything()
    someone.open(f"/install#{blank.token()}")
    yield someone
    assert [text for text in someone.complaints() if "Policy" in text or "Uncaught" in text] == []
    assert someone.requests_elsewhere() == []


def choose_engine(visitor: Person, engine: str) -> None:
    visitor.click(f"#engine-{engine}")


def name_administrator(visitor: Person) -> None:
    visitor.type("username", "ada")
    visitor.type("new", PASSWORD)
    visitor.type("again", PASSWORD)


def value(visitor: Person, field: str) -> str:
    return str(visitor.browser.find_element(By.ID, field).get_attribute("value"))


def test_from_the_wizard_to_the_first_run_of_a_task(
    visitor: Person, server_env: dict[str, str]
) -> None:
    fields = typed(server_env)
    assert "#" not in visitor.browser.current_url  # the token does not stay in the address
    choose_engine(visitor, fields["engine"])
    assert value(visitor, "port") == ("5432" if fields["engine"] == "postgres" else "3306")
    for name in ("host", "port", "user", "database"):
        visitor.type(name, fields[name])
    visitor.type("password", "swordfish")
    visitor.click("#test")
    visitor.see('[data-field="password"] .invalid-feedback', "refuses this user and password")
    visitor.type("password", fields["password"])
    visitor.click("#test")
    visitor.see("#tested.text-green", "a new installation")
    name_administrator(visitor)
    visitor.submit("#go")
    visitor.see("#installed")
    visitor.see("#username")  # comes by itself, as soon as the node is up
    assert visitor.path == "/login"
    visitor.log_in("ada", PASSWORD)
    visitor.create_task("first", "* * * * * *", "echo it runs")

    def has_run() -> bool:
        visitor.open("/tasks/")
        return visitor.sees(f"{visitor.row('first')} .bg-green-lt")

    visitor.wait(has_run, "it has run")


def test_sqlite_needs_a_password_and_nothing_else(visitor: Person, blank: BlankNode) -> None:
    assert not visitor.sees("#host")
    visitor.type("new", PASSWORD)
    visitor.type("again", PASSWORD + " ")
    visitor.submit("#go")
    visitor.see('[data-field="again"] .invalid-feedback', "not the same")
    assert value(visitor, "token") == blank.token()
    visitor.type("new", PASSWORD)
    visitor.type("again", PASSWORD)
    visitor.submit("#go")
    visitor.see("#installed", "installed")
    visitor.wait(lambda: visitor.path == "/login", "it goes on by itself")
    visitor.log_in("admin", PASSWORD)


def test_the_language_changes_at_once_and_nothing_typed_is_lost(
    visitor: Person, blank: BlankNode
) -> None:
    choose_engine(visitor, "mysql")
    visitor.type("host", "db.example.org")
    visitor.type("password", "hush hush")
    name_administrator(visitor)
    visitor.click('[data-language="zh-CN"]')
    visitor.see('[data-language="zh-CN"].active')
    assert visitor.browser.execute_script("return document.documentElement.lang") == "zh-CN"
    assert visitor.see("#host").get_attribute("value") == "db.example.org"
    kept = {name: value(visitor, name) for name in ("port", "password", "username", "new", "again")}
    assert kept == {
        "port": "3306",
        "password": "hush hush",
        "username": "ada",
        "new": PASSWORD,
        "again": PASSWORD,
    }
    choose_engine(visitor, "sqlite")
    visitor.submit("#go")
    visitor.wait(lambda: visitor.path == "/login", "it goes on by itself")
    assert visitor.browser.execute_script("return document.documentElement.lang") == "zh-CN"
    assert "app.lang = zh-CN" in (blank.home / "conf" / "app.ini").read_text()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_everybody_can_use_the_wizard(visitor: Person, colours: str) -> None:
    visitor.browser.execute_script("localStorage.setItem('gocron-theme', arguments[0])", colours)
    visitor.browser.refresh()
    choose_engine(visitor, "postgres")
    visitor.type("prefix", "9")
    visitor.click("#test")
    visitor.see("#tested.text-red")
    source = files("axe_playwright_python").joinpath("axe.min.js").read_text()
    visitor.browser.execute_script(source)
    assert visitor.browser.execute_async_script(AXE) == []


def test_the_wizard_fits_a_phone(visitor: Person) -> None:
    emulate = visitor.browser.execute_cdp_cmd
    emulate("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        for engine in ("postgres", "sqlite"):
            choose_engine(visitor, engine)
            width = visitor.browser.execute_script("return document.documentElement.scrollWidth")
            assert width <= 375, engine
    finally:
        emulate("Emulation.clearDeviceMetricsOverride", {})
