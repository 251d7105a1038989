"""Threads for pages and threads for probes, apart.

A page that waits for the database must not keep a probe waiting: whoever probes the node would
take it for dead, and end it together with the commands it runs.
"""

from __future__ import annotations

from typing import Any

from waitress.task import ThreadedTaskDispatcher

ALIVE_THREADS = 1
"""``/healthz`` is answered at once, and by nobody who does anything else."""

PROBE_THREADS = 4
"""``/readyz`` and ``/metrics`` may wait for the database, but not for long."""


class Lanes:
    """A task dispatcher for waitress, made of three; see ``waitress.task``."""

    def __init__(self, page_threads: int) -> None:
        self._pages = _lane(page_threads)
        probes = _lane(PROBE_THREADS)
        self._by_path = {
            "/healthz": _lane(ALIVE_THREADS),
            "/readyz": probes,
            "/metrics": probes,
        }

    def add_task(self, task: Any) -> None:
        """Called by waitress with a channel that has received a request."""
        requests = getattr(task, "requests", None)
        path = getattr(requests[0], "path", "") if requests else ""
        self._by_path.get(path, self._pages).add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        """End all threads; True if requests were still waiting for one."""
        lanes = {self._pages, *self._by_path.values()}
        waiting = [lane.shutdown(cancel_pending=cancel_pending, timeout=timeout) for lane in lanes]
        return any(waiting)


def _lane(threads: int) -> ThreadedTaskDispatcher:
    lane = ThreadedTaskDispatcher()
    lane.set_thread_count(threads)
    return lane
