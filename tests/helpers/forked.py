"""Running a module in a process of its own that is forked from one which has loaded the libraries
before: most of what a command takes is loading them. Of the product nothing is loaded beforehand
that depends on settings, as the tables do with their prefix.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path

LIBRARIES = [
    *("alembic.autogenerate", "alembic.command", "argon2", "click", "croniter", "flask_admin"),
    *("flask_babel", "flask_sqlalchemy", "flask_wtf", "prometheus_client", "psycopg2", "pymysql"),
    *("gocron.cli", "gocron.config", "gocron.core.definition", "gocron.core.task_files", "yaml"),
]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(LIBRARIES)


def run_module(
    module: str,
    arguments: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str],
    stdin: bytes,
    timeout_s: float,
) -> tuple[int, str, str]:
    """As ``python -m module``: its exit code, and what it wrote to stdout and stderr."""
    with tempfile.TemporaryDirectory(prefix="gocron-command-") as folder:
        files = [Path(folder, name) for name in ("stdin", "stdout", "stderr")]
        for file in files:
            file.write_bytes(stdin if file.name == "stdin" else b"")
        asked = (
            module,
            list(arguments),
            str(cwd),
            dict(environment),
            [str(file) for file in files],
        )
        process = _context.Process(target=_run, args=asked)
        process.start()
        if not wait([process.sentinel], timeout_s):
            process.kill()
            raise TimeoutError(f"{module} {' '.join(arguments)} took longer than {timeout_s} s")
        process.join()
        assert process.exitcode is not None
        return process.exitcode, files[1].read_text(), files[2].read_text()


def _run(
    module: str, arguments: list[str], cwd: str, environment: dict[str, str], files: list[str]
) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    sys.path[0] = cwd
    for number, (file, flags) in enumerate(
        zip(files, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY), strict=True)
    ):
        os.dup2(os.open(file, flags), number)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, closefd=False)  # noqa: SIM115
        for number, mode in enumerate(("r", "w", "w"))
    )
    runpy.run_module(module, run_name="__main__", alter_sys=True)
