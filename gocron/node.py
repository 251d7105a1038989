"""A node, put together: settings, socket, preparation, children, supervisor.

The only place that knows all the parts. Modules that need the database are imported after the
fork, by the child that uses them: the parent stays small and free of connections.
"""

from __future__ import annotations

import fcntl
import importlib
import logging
import os
import resource
import secrets
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gocron.board import Board
from gocron.config import Loaded, Settings
from gocron.errors import HomeNotWritable, IdentityTaken, PortInUse
from gocron.installation import Token, discard_drafts, forget_token, is_installed
from gocron.posix import PR_SET_DUMPABLE, prctl
from gocron.supervisor.child import ChildSpec
from gocron.supervisor.first_start import until_installed
from gocron.supervisor.supervisor import Supervisor

if TYPE_CHECKING:
    from gocron.processes.base import Shared
    from gocron.processes.prepare import Prepared

log = logging.getLogger("gocron.parent")

BACKLOG = 128
DESCRIPTORS = 65_536


Announce = Callable[[Settings, "Prepared"], None]
"""Called once, when a node is about to start."""


def serve(settings: Settings, announce: Announce) -> int:
    """Run a node until it is told to stop; its exit code. Raises ``GocronError`` for everything
    that keeps it from starting."""
    _protect()
    folder = prepare_home(settings)
    forget_token(settings.home)
    listener = bind(settings.web_host, settings.web_port)
    return _run(settings, folder, listener, announce)


def install_and_serve(
    loaded: Loaded,
    load: Callable[[], Loaded],
    invite: Callable[[str], None],
    announce: Announce,
) -> int:
    """Open the install wizard; when somebody has gone through it, run the node, on the same socket.

    ``load`` reads the settings again; ``invite`` is called with the one-time token.
    """
    _protect()
    home = loaded.settings.home
    make_folders(home, home / "conf")
    listener = bind(loaded.settings.web_host, loaded.settings.web_port)
    token = Token(home)
    try:
        invite(token.text)
        spec = ChildSpec("web", _wizard_entry(loaded, token.text, listener))
        code = until_installed(spec, lambda: is_installed(load()))
    finally:
        discard_drafts(home)
        token.spend()
    if code is not None:
        return code
    settings = load().settings
    return _run(settings, prepare_home(settings), listener, announce)


def _wizard_entry(
    loaded: Loaded, token: str, listener: socket.socket
) -> Callable[[int, int, int], int]:
    # The same for each fork: a page that was open when the process died can still be sent.
    secret = secrets.token_urlsafe(32)

    def run(lifeline: int, status: int, parent: int) -> int:
        from gocron.processes import install
        from gocron.processes.base import Links

        return install.run(
            Links(lifeline, status, parent), install.Open(loaded, token, secret, (listener,))
        )

    return run


def _protect() -> None:
    # Commands run as the same user: they must not read our environment through /proc.
    prctl(PR_SET_DUMPABLE, 0)
    raise_descriptor_limit()


def _run(settings: Settings, folder: Path, listener: socket.socket, announce: Announce) -> int:
    guard = lock_sqlite(settings) if settings.single_node else None
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_fresh(folder / "metrics"))

    from gocron.processes.prepare import prepare_in_child

    prepared = prepare_in_child(settings)
    announce(settings, prepared)
    code = Supervisor(
        child_specs(settings, prepared, listener, board := Board()),
        board,
        alone_term=prepared.alone_term,
        drain_s=settings.drain_s,
    ).run()
    if guard is not None:
        os.close(guard)
    return code


def child_specs(
    settings: Settings, prepared: Prepared, listener: socket.socket, board: Board
) -> list[ChildSpec]:
    """The children, in the order they are started."""
    from gocron.processes.base import Shared

    shared = Shared(settings, prepared.identity, board, (listener,), os.pipe(), prepared.alone_term)
    names = ["scheduler", "runner", "web"]
    if not prepared.alone_term:
        names.insert(0, "elector")
    return [ChildSpec(name, _entry(name, shared)) for name in names]


def _entry(name: str, shared: Shared) -> Callable[[int, int, int], int]:
    def run(lifeline: int, status: int, parent: int) -> int:
        from gocron.processes.base import Links

        if name != "web":
            for listener in shared.sockets:
                listener.close()
        # The other end of the wake pipe belongs to the sibling.
        for descriptor, owner in zip(shared.wake_runner, ("runner", "scheduler"), strict=True):
            if name != owner:
                os.close(descriptor)
        module = importlib.import_module(f"gocron.processes.{name}")
        return int(module.run(Links(lifeline, status, parent), shared))

    return run


def prepare_home(settings: Settings) -> Path:
    """Make the home folder; the node's own folder inside it. Raises ``HomeNotWritable``."""
    from gocron.core.paths import node_folder

    folder = node_folder(settings.home, settings.node_name)
    make_folders(settings.home, settings.home / "conf", folder)
    return folder


def make_folders(home: Path, *inside: Path) -> None:
    """Make them, and see whether the last one can be written. Raises ``HomeNotWritable``."""
    try:
        for path in (home, *inside):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = inside[-1] / ".probe"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise HomeNotWritable(
            f"the home folder {home} cannot be written: {error}. Set GOCRON_HOME to a "
            "folder that this user owns, or change its owner"
        ) from error


def raise_descriptor_limit() -> None:
    """A command takes two descriptors of the runner, a call one: the usual soft limit of 1024 is
    for programs that use select, which nothing here does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def bind(host: str, port: int) -> socket.socket:
    """The panel's listening socket; made by the parent, so that it outlives the web process."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortInUse(
            f"cannot listen on {host} port {port}: {error.strerror}. Another node (or another "
            "program) may be using it; choose a port with --port or GOCRON_WEB_PORT"
        ) from error
    listener.setblocking(False)
    return listener


def lock_sqlite(settings: Settings) -> int:
    """SQLite serves one node: hold a lock beside the file for as long as any process of this node
    lives. Raises ``IdentityTaken``."""
    path = settings.sqlite_path.with_name(settings.sqlite_path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HomeNotWritable(f"{path} cannot be written: {error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise IdentityTaken(
            f"another gocron is using {settings.sqlite_path}: SQLite serves one node only. Stop "
            "the other one, or use PostgreSQL or MySQL/MariaDB for several nodes"
        ) from None
    return descriptor


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    return folder
