"""Pictures of every page for the documentation: two nodes on a private PostgreSQL, sample data,
Chromium; light, dark, and as wide as a phone.

    .venv/bin/python -m scripts.screenshots            writes docs/img/*.png

Needs what the tests need: PostgreSQL, chromium and chromedriver.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from gocron.db.engine import Database
from scripts.sample_data import fill
from tests.browser.chromium import started
from tests.browser.person import Person
from tests.helpers.cluster import cluster_of
from tests.helpers.databases import settings_for
from tests.helpers.servers import PrivatePostgres
from tests.helpers.wizard import BlankNode

PICTURES = Path(__file__).parent.parent / "docs" / "img"
PASSWORD = "for these pictures only"  # noqa: S105
SETTINGS = {"GOCRON_ADMIN_PASSWORD": PASSWORD, "GOCRON_TIMEZONE": "Europe/Berlin"}
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}

PAGES = {
    "overview": "/",
    "tasks": "/tasks/",
    "task": "/tasks/details/?id=1",
    "editor": "/tasks/edit/?id=1",
    "import": "/tasks/import/",
    "bulk": "/tasks/bulk/?action=disable&rowid=1&rowid=2&rowid=3&rowid=4",
    "runs": "/runs/",
    "calendars": "/calendars/",
    "groups": "/groups/",
    "pauses": "/pauses/",
    "cluster": "/nodes/",
    "users": "/users/",
    "settings": "/settings/",
    "audit": "/audit/",
    "profile": "/profile/",
}

FILE = """tasks:
  - name: rotate-logs
    tag: system
    spec: "@daily"
    command: logrotate /etc/l.conf
  - name: warm-sessions
    spec: 0 */10 * * * *
    command: curl --fail https://shop.example/warm
"""


def main() -> None:
    """Start, fill, look, stop."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(PrivatePostgres())
        environment = server.environment(server.create_database())
        cluster = stack.enter_context(cluster_of(2, folder, environment, **SETTINGS))
        database = Database(settings_for(environment, folder))
        with closing(database):
            fill(database)
        browser = stack.enter_context(started(folder / "profile"))
        person = Person(browser, f"http://127.0.0.1:{cluster.nodes[0].port}")
        person.forget_everything()
        person.open("/login")
        take(person, "login")
        person.log_in("admin", PASSWORD)
        take_all(person, PAGES | {"run": a_run(person)})
        difference(person, folder)
        blank = BlankNode(folder, "blank")
        stack.callback(blank.end)
        blank.start(ready=False)
        newcomer = Person(browser, f"http://127.0.0.1:{blank.port}")
        newcomer.forget_everything()
        wizard(newcomer, f"/install#{blank.token()}")


def difference(person: Person, folder: Path) -> None:
    """What a file would change."""
    file = folder / "tasks.yaml"
    file.write_text(FILE, encoding="utf-8")
    person.open("/tasks/import/")
    person.browser.find_element("id", "file").send_keys(str(file))
    person.submit("#look")
    person.see("#changed")
    take(person, "import-difference")


def wizard(person: Person, path: str) -> None:
    """Which has no menu to choose colours in: it has those of the system."""
    for name, colours in (("install", "light"), ("install-dark", "dark")):
        wanted = {"features": [{"name": "prefers-color-scheme", "value": colours}]}
        person.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)
        person.open("/login")
        person.open(path)
        take(person, name)
    person.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    with narrow(person):
        person.open("/login")
        person.open(path)
        take(person, "install-phone")


def a_run(person: Person) -> str:
    """Start one, and watch it until there is something to see."""
    person.open("/tasks/details/?id=1")
    person.submit('main button[title="Run now"], .page-header button[title="Run now"]')
    person.see("#output", "invoices")
    return person.path


def take_all(person: Person, pages: dict[str, str]) -> None:
    """Light, dark, narrow."""
    for name, path in pages.items():
        for colours, addition in (("light", ""), ("dark", "-dark")):
            person.open(path)
            person.choose_theme(colours)
            person.open(path)
            take(person, name + addition)
    person.choose_theme("light")
    with narrow(person):
        for name, path in pages.items():
            person.open(path)
            take(person, f"{name}-phone")


@contextmanager
def narrow(person: Person) -> Iterator[None]:
    """As on a phone."""
    person.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    yield
    person.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def take(person: Person, name: str) -> None:
    """One picture of what is seen, when charts have been drawn."""
    person.browser.execute_async_script("setTimeout(arguments[0], 700)")
    person.browser.save_screenshot(str(PICTURES / f"{name}.png"))


if __name__ == "__main__":
    main()
