"""README and docs name nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gocron.config import KEYS
from gocron.config_sources import NO_SETTINGS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FROM_KUBERNETES = {"GOCRON_PORT"}
VARIABLES = {
    *(variable for _key, variable in KEYS.values()),
    *(f"GOCRON_{name}" for name in NO_SETTINGS),
    *FROM_KUBERNETES,
}
SOURCES = "\n".join(path.read_text() for path in sorted((ROOT / "gocron").rglob("*.py")))

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=[path.relative_to(ROOT).as_posix() for path in DOCUMENTS]
)


@each_document
def test_links_lead_somewhere(document):
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@each_document
def test_variables_are_settings_or_known_not_to_be(document):
    words = set(re.findall(r"\bGOCRON_[A-Z_]*[A-Z]\b(?!_?\*)", document.read_text()))
    assert words - VARIABLES == set()


def test_log_lines_that_operators_are_told_to_look_for_are_written():
    guide = (ROOT / "docs" / "high-availability.md").read_text()
    for line in (
        "This node elected as leader: ",
        "Starting to load scheduled tasks (this node is leader)",
        "Scheduler infrastructure initialized",
        "Releasing leader lock: ",
        "Stopping scheduler (this node lost leadership)",
        "Leader lease renewal failed, stepping down",
    ):
        assert line in guide
        assert f'"{line}' in SOURCES
