"""Looks at the database whose answer is waited for only so long.

Whoever probes a node has to be answered in time, also while the database is frozen, cut off or
busy. So each kind of look has a thread of its own, and at most one look of a kind is under way:
probes that come meanwhile wait for the same one. A look that never ends costs one thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class NoAnswer(Exception):
    """The database has not answered in time."""


class Lookout(Generic[T]):
    """Calls ``look`` on its own thread; several callers at once share one call."""

    def __init__(self, name: str, look: Callable[[], T], within_s: float) -> None:
        self._look = look
        self._within_s = within_s
        self._thread = ThreadPoolExecutor(1, f"lookout-{name}")
        self._lock = threading.Lock()
        self._under_way: Future[T] | None = None

    def answer(self) -> T:
        """What the look found. Raises ``NoAnswer``, or what the look raised."""
        with self._lock:
            if self._under_way is None or self._under_way.done():
                self._under_way = self._thread.submit(self._look)
            under_way = self._under_way
        try:
            return under_way.result(self._within_s)
        except TimeoutError:
            if under_way.done():  # the look itself ended with a TimeoutError (an OSError)
                return under_way.result()
            raise NoAnswer(f"no answer within {self._within_s:g} s") from None

    def close(self) -> None:
        """Let the thread end; does not wait for a look that is under way."""
        self._thread.shutdown(wait=False, cancel_futures=True)
