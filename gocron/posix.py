"""The few Linux calls that Python's standard library does not have, and signals as events."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
from collections.abc import Iterable

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, value: int) -> None:
    """Raises ``OSError`` if the kernel refuses."""
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Signals:
    """Signals as something to wait for. The handlers themselves do nothing: they only wake.

    Python writes the number of each signal into a socket as it arrives; several of one kind may
    arrive as one, so a signal means "look", never "one more".
    """

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        self._receive, self._send = socket.socketpair()
        self._receive.setblocking(False)
        self._send.setblocking(False)
        signal.set_wakeup_fd(self._send.fileno(), warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, _only_wake)

    def fileno(self) -> int:
        """For ``select``."""
        return self._receive.fileno()

    def descriptors(self) -> tuple[int, int]:
        """Both ends, for a forked child to close."""
        return self._receive.fileno(), self._send.fileno()

    def drain(self) -> set[int]:
        """The numbers that arrived since the last call."""
        try:
            return set(self._receive.recv(4096))
        except BlockingIOError:
            return set()

    def close(self) -> None:
        """Stop listening."""
        signal.set_wakeup_fd(-1)
        self._receive.close()
        self._send.close()


def _only_wake(_number: int, _frame: object) -> None:
    return


def wait_readable(descriptors: Iterable[int], timeout_s: float) -> set[int]:
    """Those of ``descriptors`` that can be read (or are at their end) within ``timeout_s``."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _event in poll.poll(max(0.0, timeout_s) * 1000)}
