"""The command ``gocron`` as a user gives it: a process of its own, its exit code and its words."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.cluster import ROOT, clean_environment
from tests.helpers.forked import run_module

PATIENCE_S = 100.0

WITHOUT_PRIVILEGES: Sequence[str] = (
    ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
    if os.geteuid() == 0
    else ()
)
"""In front of a command: folders that may not be written are not, even for root. (Another user
might not be able to read the source tree.)"""


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


class Gocron:
    """Calls with the same settings; ``home`` lies below ``folder`` and is not made beforehand."""

    def __init__(self, folder: Path, database: Mapping[str, str]) -> None:
        self.home = folder / "home"
        self.environment = {
            **clean_environment(),
            "GOCRON_HOME": str(self.home),
            "GOCRON_WEB_HOST": "127.0.0.1",
            **database,
        }

    def __call__(
        self,
        *arguments: str,
        stdin: str | bytes = b"",
        before: Sequence[str] = (),
        **settings: str,
    ) -> Said:
        """Run it to its end; ``settings`` are more variables, ``before`` stands in front."""
        environment = self.environment | settings
        given = stdin.encode() if isinstance(stdin, str) else stdin
        if not before:
            return Said(*run_module("gocron", arguments, ROOT, environment, given, PATIENCE_S))
        done = subprocess.run(
            [*before, sys.executable, "-m", "gocron", *arguments],
            cwd=ROOT,
            env=environment,
            input=given,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return Said(done.returncode, done.stdout.decode(), done.stderr.decode())

    def must(self, *arguments: str, stdin: str | bytes = b"", **settings: str) -> str:
        """Run a command that succeeds; its stdout."""
        said = self(*arguments, stdin=stdin, **settings)
        assert said.code == 0, said.err
        return said.out

    def write_ini(self, *lines: str) -> Path:
        """Make ``conf/app.ini``."""
        file = self.home / "conf" / "app.ini"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(["[default]", *lines, ""]))
        file.chmod(0o600)
        return file


def assert_refused(said: Said, *words: str) -> None:
    """Exit code 1, one paragraph that holds ``words``, no traceback, nothing on stdout."""
    assert said.code == 1, said
    assert said.err.startswith("gocron: "), said.err
    assert "Traceback" not in said.err
    assert "\n\n" not in said.err
    assert said.err.count("\n") == 1 or "\n  " in said.err, said.err
    for word in words:
        assert word in said.err, said.err


def copy_of(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder`` with its content, to compare with later."""
    if not folder.exists():
        return {}
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
