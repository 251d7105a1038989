"""Running a module in a process of its own that is forked from one which has loaded the libraries
before: most of what a command or the start of a node takes is loading them. Of the product nothing
is loaded beforehand that depends on settings, as the tables do with their prefix; nor is
prometheus_client, which looks at the environment when it is imported.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import setproctitle

LIBRARIES = [
    *("alembic.autogenerate", "alembic.command", "argon2", "certifi", "click", "croniter"),
    *("flask", "flask_admin", "flask_babel", "flask_login", "flask_sqlalchemy", "flask_wtf"),
    *("psycopg2", "pycurl", "pymysql", "regex", "sqlalchemy.orm", "yaml"),
    *("gocron.cli", "gocron.config", "gocron.core.definition", "gocron.core.task_files"),
    *("gocron.node", "gocron.core.chinese", "gocron.execution.registry"),
]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(LIBRARIES)


class Forked:
    """``python -m module``, as ``subprocess.Popen`` has it; its output is appended to files."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        cwd: Path,
        environment: Mapping[str, str],
        stdin: str = os.devnull,
        stdout: str = os.devnull,
        stderr: str = os.devnull,
    ) -> None:
        asked = (module, list(arguments), str(cwd), dict(environment), [stdin, stdout, stderr])
        self._process = _context.Process(target=_run, args=asked, daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, the negative number of the signal that ended it, or None: it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """As ``returncode``."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """The exit code. Raises ``subprocess.TimeoutExpired``."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(str(self._process.name), timeout)
        return code

    def terminate(self) -> None:
        """SIGTERM, unless it has ended."""
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL, unless it has ended."""
        self._process.kill()


def run_module(
    module: str,
    arguments: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str],
    stdin: bytes,
    timeout_s: float,
) -> tuple[int, str, str]:
    """As ``python -m module``: its exit code, and what it wrote to stdout and stderr. Raises
    ``subprocess.TimeoutExpired`` after it has been killed."""
    with tempfile.TemporaryDirectory(prefix="gocron-command-") as folder:
        files = [Path(folder, name) for name in ("stdin", "stdout", "stderr")]
        for file in files:
            file.write_bytes(stdin if file.name == "stdin" else b"")
        running = Forked(module, arguments, cwd, environment, *(str(file) for file in files))
        try:
            code = running.wait(timeout_s)
        except subprocess.TimeoutExpired:
            running.kill()
            raise
        return code, files[1].read_text(), files[2].read_text()


def _run(
    module: str, arguments: list[str], cwd: str, environment: dict[str, str], files: list[str]
) -> None:
    os.chdir(cwd)
    # It looks for the memory of the title once, and only finds it in the environment it came with.
    setproctitle.getproctitle()
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    sys.path[0] = cwd
    for number, file in enumerate(files):
        flags = os.O_WRONLY | os.O_APPEND if number else os.O_RDONLY
        opened = os.open(file, flags)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, closefd=False)  # noqa: SIM115
        for number, mode in enumerate(("r", "w", "w"))
    )
    runpy.run_module(module, run_name="__main__", alter_sys=True)
