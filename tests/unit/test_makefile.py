"""``make run``: a node without a wizard, on SQLite unless somebody says otherwise."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.helpers.cluster import ROOT, clean_environment


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "conf").mkdir()
    program = tmp_path / "gocron"
    program.write_text('#!/bin/sh\necho "[$GOCRON_DB_ENGINE] $*"\n')
    program.chmod(0o755)
    return tmp_path


def _run(home: Path, **variables: str) -> str:
    done = subprocess.run(
        ["make", "run", f"BIN={home}", "--assume-old=.venv/installed", "ARGS=--host ::1"],
        cwd=ROOT,
        env={**clean_environment(), "GOCRON_HOME": str(home), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def test_without_settings_it_is_a_node_on_sqlite(home):
    assert _run(home) == "[sqlite] web --port 5920 --host ::1"


def test_the_environment_may_say_otherwise(home):
    assert _run(home, GOCRON_DB_ENGINE="postgres").startswith("[postgres] ")


def test_a_database_in_app_ini_is_left_alone(home):
    (home / "conf" / "app.ini").write_text("[default]\ndb.engine = mysql\n")
    assert _run(home).startswith("[] ")
    (home / "conf" / "app.ini").write_text("[default]\n#db.engine = mysql\n")
    assert _run(home).startswith("[sqlite] ")
