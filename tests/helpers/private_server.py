"""A database server that belongs to one test run: own directory, own port, own user.

What the engines have in common; `servers` has the engines.

    new --start()--> running --stop() or kill()--> stopped --start()--> running ...
     any of them --close()--> gone, with its directory
"""

from __future__ import annotations

import os
import pwd
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
import weakref
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

HOST = "127.0.0.1"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
POLL_S = 0.02
LOG_TAIL_LINES = 30
PORT_ATTEMPTS = 5

# Below the kernel's range for outgoing connections: otherwise a client that keeps trying to reach
# a stopped server is, sooner or later, given that very port as its own end, connects to itself and
# keeps the server from coming back.
PORTS = range(20_000, 32_000)

GUARD = Path(__file__).with_name("server_guard.py")


class ServerError(RuntimeError):
    """A private server could not be installed, started or stopped."""


class PrivateServer(ABC):
    """One server.  Not running until `start()`; `with` starts it and closes it at the end.

    `durable=True` leaves the engine's own settings for flushing to disk alone, for benchmarks;
    without it nothing waits for the disk.  Either way a commit survives `kill()`.
    """

    engine: ClassVar[str]  # as in GOCRON_DB_ENGINE
    service_user: ClassVar[str]  # who runs it when the tests run as root
    host: ClassVar[str] = HOST
    user: ClassVar[str] = "gocron"
    password: ClassVar[str] = "gocron-test-password"

    def __init__(self, *, durable: bool = False) -> None:
        self.durable = durable
        self.port = unused_port()
        self.pid: int | None = None
        self._guard: subprocess.Popen[str] | None = None
        self._installed = False
        self._account = unprivileged_account(self.service_user)
        self.directory = Path(tempfile.mkdtemp(prefix=f"gocron-{self.engine}-"))
        if self._account:
            os.chown(self.directory, self._account.pw_uid, self._account.pw_gid)
        self._cleanup = weakref.finalize(self, _remove_own_directory, self.directory, os.getpid())

    # What an engine has to say.

    @abstractmethod
    def install_command(self) -> list[str]:
        """The command that fills the data directory."""

    @abstractmethod
    def server_command(self) -> list[str]:
        """The command that serves `self.port` in the foreground."""

    @abstractmethod
    def stop_signal(self) -> signal.Signals:
        """What makes it stop in good order without waiting for clients."""

    @abstractmethod
    def ping(self) -> None:
        """Connect as administrator and leave; raise `NotReady` if that is not possible yet."""

    @abstractmethod
    def execute_as_admin(self, *statements: str) -> None:
        """Run statements in autocommit, with every right, through the socket."""

    @abstractmethod
    def create_account(self) -> None:
        """Make `self.user`, which may create databases and nothing beyond."""

    @abstractmethod
    def create_database(self, name: str | None = None) -> str:
        """An empty database that belongs to `self.user`; a name is made up if none is given."""

    @abstractmethod
    def drop_database(self, name: str) -> None:
        """Drop it if it exists, with whoever is still connected to it."""

    # What they share.

    @property
    def data_directory(self) -> Path:
        return self.directory / "data"

    @property
    def log_file(self) -> Path:
        return self.directory / "server.log"

    @property
    def running(self) -> bool:
        return self._guard is not None and self._guard.poll() is None

    def environment(self, database: str) -> dict[str, str]:
        """The GOCRON_DB_* variables that lead to `database`."""
        return {
            "GOCRON_DB_ENGINE": self.engine,
            "GOCRON_DB_HOST": self.host,
            "GOCRON_DB_PORT": str(self.port),
            "GOCRON_DB_USER": self.user,
            "GOCRON_DB_PASSWORD": self.password,
            "GOCRON_DB_DATABASE": database,
        }

    def start(self) -> None:
        """Serve, with the data of the last time; returns when connections are accepted."""
        if self.running:
            return
        if self._installed:
            self._serve()
            return
        self._install()
        for attempt in range(1, PORT_ATTEMPTS + 1):
            try:
                self._serve()
                break
            except ServerError as error:
                lost_the_port = "in use" in str(error)
                if attempt == PORT_ATTEMPTS or not lost_the_port:
                    raise
                self.port = unused_port()
        self.create_account()
        self._installed = True

    def stop(self) -> None:
        """End it in good order and keep the data; clients are disconnected."""
        if self._guard is None or self.pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)
            os.kill(self.pid, self.stop_signal())
        try:
            self._guard.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerError(f"{self} did not stop in {STOP_TIMEOUT_S:.0f} s") from None
        self._forget_guard()

    def kill(self) -> None:
        """SIGKILL to the server and all its processes at one moment; the data stays."""
        if self._guard is None or self.pid is None:
            return
        kill_family(self.pid)
        self._guard.wait(STOP_TIMEOUT_S)
        self._forget_guard()

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it and delete everything that belongs to it."""
        try:
            self.stop()
        finally:
            self._cleanup()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __str__(self) -> str:
        return f"{type(self).__name__} on {self.host}:{self.port}"

    def _install(self) -> None:
        result = subprocess.run(
            self.install_command(),
            cwd=self.directory,
            user=self._account.pw_uid if self._account else None,
            group=self._account.pw_gid if self._account else None,
            extra_groups=[] if self._account else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise ServerError(f"cannot install {self}:\n{result.stdout}{result.stderr}")

    def _serve(self) -> None:
        identity: list[str] = []
        if self._account:
            identity = [f"--uid={self._account.pw_uid}", f"--gid={self._account.pw_gid}"]
        self._guard = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(GUARD)),
                *(f"--directory={self.directory}", f"--log={self.log_file}"),
                *(f"--stop-signal={int(self.stop_signal())}", *identity),
                *("--", *self.server_command()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the tests, which then stop it
        )
        assert self._guard.stdout is not None
        told = self._guard.stdout.readline()
        if not told:
            self._guard.wait(STOP_TIMEOUT_S)
            self._forget_guard()
            raise ServerError(f"cannot start {self}:\n{self._log_tail()}")
        self.pid = int(told)
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                self.ping()
                return
            except NotReady as error:
                reason = f"no connection in {START_TIMEOUT_S:.0f} s: {error}"
                if not self.running:
                    reason = "it ended at once"
                elif time.monotonic() < deadline:
                    time.sleep(POLL_S)
                    continue
            self.kill()
            raise ServerError(f"cannot start {self}: {reason}\n{self._log_tail()}")

    def _forget_guard(self) -> None:
        if self._guard is not None:
            for pipe in (self._guard.stdin, self._guard.stdout):
                if pipe is not None:
                    pipe.close()
        self._guard = None
        self.pid = None

    def _log_tail(self) -> str:
        try:
            lines = self.log_file.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return "(it has written no log)"
        return "\n".join(lines[-LOG_TAIL_LINES:])


class NotReady(Exception):
    """The server does not take connections yet."""


def new_database_name() -> str:
    return f"gocron_{uuid.uuid4().hex[:12]}"


def find_binary(name: str, *folders: Path, package: str) -> str:
    """The path of a server's program, from `folders` or PATH; the first one found."""
    for folder in folders:
        if os.access(folder / name, os.X_OK):
            return str(folder / name)
    found = shutil.which(name)
    if found is None:
        raise ServerError(
            f"{name} is not installed, and the tests run against real servers. "
            f"Debian: apt-get install --no-install-recommends {package}  (or: make test)"
        )
    return found


def unprivileged_account(preferred: str) -> pwd.struct_passwd | None:
    """Who runs a server when we are root (no server starts as root); None if we are not."""
    if os.geteuid() != 0:
        return None
    for name in (preferred, "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServerError(f"root cannot run this server, and there is neither {preferred} nor nobody")


def unused_port() -> int:
    for port in random.sample(PORTS, k=200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((HOST, port))
                return port
    raise ServerError(f"no free port between {PORTS.start} and {PORTS.stop} on {HOST}")


def kill_family(pid: int) -> None:
    """SIGKILL `pid` and its descendants, whatever sessions they made for themselves, and wait.

    They are stopped first, parents before children, so that none can start another one meanwhile.
    """
    handles: dict[int, int] = {}
    found = [pid]
    for member in found:  # grows while it is walked
        with suppress(ProcessLookupError):
            handles[member] = os.pidfd_open(member)
            signal.pidfd_send_signal(handles[member], signal.SIGSTOP)
            found += children_of(member)
    try:
        for handle in handles.values():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        for handle in handles.values():
            select.select([handle], [], [], STOP_TIMEOUT_S)
    finally:
        for handle in handles.values():
            os.close(handle)


def children_of(pid: int) -> list[int]:
    children: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            children += map(int, listing.read_text().split())
    return children


def _remove_own_directory(directory: Path, owner_pid: int) -> None:
    """Also runs when a process forked from the tests exits, and must do nothing there."""
    if os.getpid() == owner_pid:
        shutil.rmtree(directory, ignore_errors=True)
