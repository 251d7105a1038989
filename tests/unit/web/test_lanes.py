"""Requests find a thread of their own kind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from gocron.web.lanes import Lanes

PATIENT_S = 10.0


class Request:
    """Stands for waitress' channel with one request; is served until it is let go."""

    def __init__(self, path: str, go: threading.Event) -> None:
        self.requests = [SimpleNamespace(path=path)]
        self.begun = threading.Event()
        self._go = go

    def service(self) -> None:
        self.begun.set()
        assert self._go.wait(PATIENT_S)

    def cancel(self) -> None:
        """Called when the server ends first."""


@pytest.fixture
def go() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_a_probe_is_served_while_all_pages_wait(go, path):
    lanes = Lanes(page_threads=2)
    pages = [Request("/", go) for _ in range(2)]
    probe = Request(path, go)
    for request in (*pages, Request("/", go), probe):
        lanes.add_task(request)
    assert all(request.begun.wait(PATIENT_S) for request in (*pages, probe))
    go.set()
    lanes.shutdown()


def test_healthz_is_served_while_other_probes_wait_for_the_database(go):
    lanes = Lanes(page_threads=1)
    for _ in range(10):
        lanes.add_task(Request("/readyz", go))
    alive = Request("/healthz", go)
    lanes.add_task(alive)
    assert alive.begun.wait(PATIENT_S)
    go.set()
    lanes.shutdown()


def test_a_request_that_could_not_be_read_is_answered_like_a_page(go):
    lanes = Lanes(page_threads=1)
    broken = Request("/", go)
    broken.requests = [SimpleNamespace()]
    lanes.add_task(broken)
    assert broken.begun.wait(PATIENT_S)
    go.set()
    lanes.shutdown()
