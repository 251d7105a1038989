"""The form of a task has everything that a task has."""

from __future__ import annotations

from typing import get_args

import pytest
from werkzeug.datastructures import MultiDict
from wtforms import Form

from admin import choices
from admin.checklist import ChecklistField
from admin.fields import MaybeIntegerField
from admin.task_form import TaskForm
from admin.task_sections import SECTIONS, open_sections, usual_values
from gocron.core.definition import TaskDefinition
from gocron.core.policies import RetryOn
from gocron.core.states import Backoff, Misfire, OnLost, Overlap, Protocol


def test_every_field_of_a_task_has_its_place():
    placed = [name for section in SECTIONS for name in section.fields]
    assert sorted(placed) == sorted(TaskDefinition.model_fields)
    assert set(TaskForm().data) == {*placed, "revision"}


@pytest.mark.parametrize(
    ("words", "policies"),
    [
        (choices.PROTOCOL_WORDS, Protocol),
        (choices.OVERLAP_WORDS, Overlap),
        (choices.MISFIRE_WORDS, Misfire),
        (choices.BACKOFF_WORDS, Backoff),
        (choices.ON_LOST_WORDS, OnLost),
        (choices.RETRY_ON_WORDS, get_args(RetryOn)),
    ],
)
def test_every_policy_has_words(words, policies):
    assert set(words) == set(policies)


def test_sections_are_folded_as_long_as_everything_is_usual():
    folded = {section.key for section in SECTIONS if section.folded}
    assert folded
    assert not open_sections(TaskForm(data=usual_values())) & folded
    for section in SECTIONS:
        for name in section.fields if section.folded else ():
            form = TaskForm(data=usual_values())
            form[name].errors = ["wrong"]
            assert section.key in open_sections(form)
    unusual = TaskForm(data=usual_values() | {"jitter": 5})
    assert open_sections(unusual) & folded == {"window"}


class Small(Form):
    names = ChecklistField("Names", empty="None yet.")
    number = MaybeIntegerField("Number")


def test_a_checklist_offers_names_and_keeps_those_that_are_gone():
    form = Small(data={"names": ["gone", "<b>"]})
    form.names.offer(["<b>", "other"])
    html = str(form.names())
    assert 'value="&lt;b&gt;" checked' in html
    assert 'value="other">' in html
    assert "gone (does not exist)" in html
    assert Small(MultiDict([("names", "a"), ("names", "b")])).names.data == ["a", "b"]
    assert Small(MultiDict([("number", "1")]), data={"names": ["a"]}).names.data == []
    assert "None yet." in str(Small().names())


@pytest.mark.parametrize(("typed", "value"), [("", None), ("  ", None), ("7", 7), (" 8 ", 8)])
def test_a_number_may_be_missing(typed, value):
    form = Small(MultiDict({"number": typed}))
    assert form.validate()
    assert form.number.data == value


def test_a_number_that_is_none_is_kept_and_refused():
    form = Small(MultiDict({"number": "soon"}))
    assert not form.validate()
    assert 'value="soon"' in str(form.number())
