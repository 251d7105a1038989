"""What all children have in common: how they start, how they hear of their parent, how they talk.

A child ends itself when its lifeline is at its end: only the parent holds the other side. The
kernel's parent-death signal does the same for a child that is busy.
"""

from __future__ import annotations

import logging
import os
import signal
from dataclasses import dataclass
from socket import socket

import setproctitle

from gocron import logs
from gocron.board import Board
from gocron.config import Settings
from gocron.core.identity import Identity
from gocron.core.protocol import Message, encode
from gocron.posix import PR_SET_DUMPABLE, PR_SET_PDEATHSIG, Signals, prctl, wait_readable

log = logging.getLogger("gocron.child")

LISTENED = (
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTERM,
    signal.SIGQUIT,
    signal.SIGHUP,
    # Ctrl-C is the parent's to handle. Listened to, and not ignored: commands would inherit that.
    signal.SIGINT,
)


@dataclass(frozen=True)
class Links:
    """What ties a child to its parent; made for each fork by the supervisor."""

    lifeline: int
    status: int
    parent: int
    """The parent's pid."""


@dataclass(frozen=True)
class Shared:
    """What all children of a node are given; made once, before the first fork."""

    settings: Settings
    identity: Identity
    board: Board
    sockets: tuple[socket, ...]
    wake_runner: tuple[int, int]
    """A pipe: the scheduler writes a byte when there is new work, the runner reads it."""
    single_term: int
    """The term of a node that leads alone; 0 where there are elections."""


class ParentGone(Exception):
    """The parent has ended: so must we."""


class Channel:
    """A child's ears and mouth: signals and lifeline in, status messages out."""

    def __init__(self, links: Links, name: str, *, death_signal: signal.Signals) -> None:
        self.signals = Signals(LISTENED)
        self.lifeline = links.lifeline
        self._status = links.status
        os.set_blocking(self._status, False)
        prctl(PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != links.parent:  # it died before the call above
            raise ParentGone
        # Commands run as the same user: without this they could read our memory and environment.
        prctl(PR_SET_DUMPABLE, 0)
        setproctitle.setproctitle(f"gocron: {name}")

    def tell(self, message: Message) -> None:
        """Send a status message; a parent that does not read (or is gone) does not block us."""
        try:
            os.write(self._status, encode(message))
        except (BlockingIOError, BrokenPipeError):
            log.warning("the parent does not take messages: %s", message)

    def wait(self, timeout_s: float) -> set[int]:
        """Sleep until a signal comes or time is up; the signals. Raises ``ParentGone``."""
        ready = wait_readable((self.signals.fileno(), self.lifeline), timeout_s)
        if self.lifeline in ready:
            raise ParentGone
        return self.signals.drain() if ready else set()


def configure_logs(settings: Settings) -> None:
    """Each child sets up its own logging: nothing of it is inherited in a broken state."""
    logs.configure(settings.log_format, settings.log_level)
