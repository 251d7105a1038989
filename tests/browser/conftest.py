"""One node and one Chromium for the whole session; both are private to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium import webdriver

from tests.browser.chromium import NotInstalled, started
from tests.browser.person import Person
from tests.helpers.authenticator import KEY
from tests.helpers.cluster import Node

PASSWORD = "a browser's password"


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("browser")
    environment = {"GOCRON_DB_ENGINE": "sqlite", "GOCRON_SECRET_KEY": KEY}
    alone = Node(folder, environment, "node1", GOCRON_ADMIN_PASSWORD=PASSWORD)
    try:
        yield alone.start()
    finally:
        alone.end()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    try:
        with started(tmp_path_factory.mktemp("profile")) as browser:
            yield browser
    except NotInstalled as error:
        pytest.skip(str(error))


@pytest.fixture
def person(node: Node, chromium: webdriver.Chrome) -> Iterator[Person]:
    """An administrator who has just logged in. Afterwards: no request has left the node, and no
    script or policy has complained."""
    someone = Person(chromium, f"http://127.0.0.1:{node.port}")
    someone.forget_everything()
    someone.log_in("admin", PASSWORD)
    yield someone
    assert someone.complaints() == []
    assert someone.requests_elsewhere() == []
