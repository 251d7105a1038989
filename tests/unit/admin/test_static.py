"""The panel's own files: complete, small, and nothing in them is fetched from elsewhere."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

import admin
from admin.presentation import MEMBER_COLOURS, STATE_COLOURS, STATE_WORDS
from gocron.core.states import RunState

FOLDER = Path(admin.__file__).parent
STATIC = FOLDER / "static"
TEMPLATES = sorted((FOLDER / "templates").rglob("*.html"))

WITHOUT_LOOKS = {"datagrid-item", "datagrid-content"}
"""Names of Tabler that have no rule of their own."""


def classes_of(template: str) -> set[str]:
    """Words of class attributes that stand there as they are."""
    lists = re.findall(r'class(?:=|", ?|=\\?)"([^"]*)"', template)
    words = " ".join(re.sub(r"\{[{%].*?[}%]\}", " ", text) for text in lists).split()
    return {word for word in words if re.fullmatch(r"[a-z][\w-]*(?<!-)", word)}


def test_every_class_that_is_used_has_a_rule():
    rules = "".join(path.read_text() for path in sorted(STATIC.glob("*.css")))
    known = set(re.findall(r"\.([a-zA-Z][\w-]*)", rules))
    used = set().union(*(classes_of(path.read_text()) for path in TEMPLATES))
    used |= {*STATE_COLOURS.values(), *MEMBER_COLOURS.values()}
    assert used - known - WITHOUT_LOOKS == set(), "run scripts/vendor-panel-assets.sh"


def test_every_icon_that_is_used_is_there():
    known = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "icons.svg").read_text()))
    for path in TEMPLATES:
        text = path.read_text()
        used = set(re.findall(r'(?:icon|sign)\("([\w-]+)"', text))
        used |= set(re.findall(r'button\(url_for\([^)]*\), "([\w-]+)"', text))
        assert used <= known, path
    assert {"sun", "moon", "sun-moon", "dashboard", "server-2"} <= known


@pytest.mark.parametrize("path", sorted(STATIC.iterdir()), ids=lambda path: path.name)
def test_nothing_is_fetched_from_elsewhere(path):
    text = path.read_text()
    fetched = re.findall(
        r"url\((?![\"']?data:)[^)]*\)|@import|sourceMappingURL|\bimport\s*[('{*]", text
    )
    addresses = re.findall(r"(?:fetch|src|href)\W+https?://", text)
    assert fetched + addresses == []


def test_a_page_and_all_that_it_may_need_is_small():
    sizes = [len(gzip.compress(path.read_bytes())) for path in STATIC.iterdir()]
    assert sum(sizes) < 300_000


def test_every_state_has_words_and_a_colour():
    assert set(STATE_WORDS) == set(STATE_COLOURS) == set(RunState)


def test_the_licences_of_others_are_there():
    text = (STATIC / "LICENSES.md").read_text()
    assert "Tabler" in text
    assert "MIT" in text
    assert "Permission is hereby granted" in text
