"""Speaks to the database that is typed into the install wizard, once, and ends.

    python -m gocron.processes.setting_up  < question  > answer

A process of its own for three reasons: the table prefix is fixed once a process; what hangs in a
driver or in the resolver can be ended; and the wizard, which anybody may reach, never has a
connection. The question is JSON on stdin, because it holds passwords, and so is the answer.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import gocron
from gocron.config import Settings, build
from gocron.config_keys import ENVIRONMENT, KEYS, Given, Raw
from gocron.core.installing import (
    Administrator,
    Answer,
    Found,
    Reason,
    Refused,
    SetUp,
    decode,
    encode,
)
from gocron.errors import InvalidSetting

LOOK_WITHIN_S = 5.0
"""From when the database is first spoken to; what has not answered by then counts as away."""

SET_UP_WITHIN_S = 180.0
"""Another node may be migrating, which is waited for."""

START_WITHIN_S = 30.0
"""How long Python may take on a busy host."""


def look(home: Path, given: Mapping[str, str]) -> Found | Refused:
    """Try the database that ``given`` (settings by name) leads to. Takes a few seconds at most."""
    answer = _ask({"home": str(home), "given": dict(given), "make": False}, LOOK_WITHIN_S)
    return _unexpected(answer) if isinstance(answer, SetUp) else answer


def set_up(home: Path, given: Mapping[str, str], first: Administrator | None) -> SetUp | Refused:
    """Make the tables and the first user in it."""
    question = {"home": str(home), "given": dict(given), "make": True}
    question["first"] = vars(first) if first else None
    answer = _ask(question, SET_UP_WITHIN_S)
    return _unexpected(answer) if isinstance(answer, Found) else answer


def _unexpected(answer: Answer) -> Refused:
    return Refused(Reason.OTHER, f"{answer} answers another question")


def _ask(question: dict[str, object], within_s: float) -> Answer:
    question["parent"] = os.getpid()
    root = str(Path(gocron.__file__).parent.parent)
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    try:
        done = subprocess.run(
            # -P: a file called like one of our modules in the working directory is not ours.
            [sys.executable, "-P", "-m", "gocron.processes.setting_up"],
            input=json.dumps(question).encode(),
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            timeout=START_WITHIN_S + within_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Refused(Reason.UNREACHABLE)
    if done.returncode == -signal.SIGALRM:
        return Refused(Reason.UNREACHABLE, f"no answer within {LOOK_WITHIN_S:g} s")
    try:
        return decode(done.stdout.decode())
    except ValueError:
        return Refused(Reason.OTHER, f"the process that was asked ended ({done.returncode})")


def settings_of(home: Path, given: Mapping[str, str]) -> Settings:
    """Checked settings; raises ``InvalidSetting``."""
    raw: Raw = {name: Given(KEYS[name][0], text, ENVIRONMENT) for name, text in given.items()}
    return build(home, raw)


def main() -> None:
    """Answer the question on stdin."""
    from gocron import logs
    from gocron.db.naming import choose_prefix
    from gocron.posix import PR_SET_DUMPABLE, PR_SET_PDEATHSIG, prctl

    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(PR_SET_DUMPABLE, 0)  # it is told passwords
    question = json.load(sys.stdin)
    if os.getppid() != question["parent"]:
        return
    try:
        settings = settings_of(Path(question["home"]), question["given"])
    except InvalidSetting as error:
        answer: Answer = Refused(Reason.SETTING, str(error))
    else:
        logs.configure(settings.log_format, settings.log_level)
        choose_prefix(settings.db.prefix)
        answer = _answer(settings, question)
    sys.stdout.write(encode(answer))


def _answer(settings: Settings, question: Mapping[str, object]) -> Answer:
    from gocron.db import setting_up

    if not question["make"]:
        signal.setitimer(signal.ITIMER_REAL, LOOK_WITHIN_S)
        return setting_up.look(settings)
    first = question["first"]
    return setting_up.set_up(settings, Administrator(**first) if isinstance(first, dict) else None)


if __name__ == "__main__":
    main()
