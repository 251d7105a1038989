"""The examples of docs/schedules.md, held against the code."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from gocron.core.cron_fields import DAY, HOUR, MINUTE, MONTH, SECOND, WEEKDAY
from gocron.core.spec import MAX_SPEC_LENGTH, SHORTCUTS
from gocron.core.timetable import parse
from gocron.errors import InvalidSchedule
from tests.helpers.cluster import ROOT

PAGE = (ROOT / "docs" / "schedules.md").read_text(encoding="utf-8")


def rows(title: str) -> list[list[str]]:
    """Rows of all tables that have these columns."""
    found: list[list[str]] = []
    inside = False
    for line in PAGE.splitlines():
        if not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("|---"):
            found.append([cell.strip() for cell in line.strip("|").split(" | ")])
        elif line == title:
            inside = True
    return found


EXAMPLES = rows("| schedule | zone | from | slots |")
REFUSALS = rows("| schedule | the message begins with |")


@pytest.mark.parametrize(("schedule", "zone", "since", "slots"), EXAMPLES)
def test_the_slots_of_an_example_are_those_of_the_code(schedule, zone, since, slots):
    clock = ZoneInfo(zone)
    wanted = slots.split(", ")
    timetable = parse(schedule.strip("`"), zone)
    start = datetime.fromisoformat(since).replace(tzinfo=clock)
    found = timetable.between(start, datetime(9000, 1, 1, tzinfo=UTC), len(wanted))
    shown = [slot.astimezone(clock).replace(tzinfo=None) for slot in found]
    assert shown == [datetime.fromisoformat(slot) for slot in wanted]


@pytest.mark.parametrize(("schedule", "message"), REFUSALS)
def test_a_schedule_that_is_said_to_be_refused_is_refused_with_that_message(schedule, message):
    with pytest.raises(InvalidSchedule) as refusal:
        parse(schedule.strip("`"), "UTC")
    assert str(refusal.value).startswith(message)


def test_no_example_is_overlooked():
    assert len(EXAMPLES) == len(
        re.findall(r"^\| `.*\| [A-Z]\S* \| \d{4}-.*\|$", PAGE, re.MULTILINE)
    )
    assert len(EXAMPLES) > 30
    assert len(REFUSALS) > 10


def test_every_shortcut_is_documented_as_it_is():
    documented = {
        name.strip("`"): spec.strip("`")
        for names, spec in rows("| shortcut | is |")
        for name in names.split(", ")
    }
    assert documented == SHORTCUTS


def test_every_form_and_every_item_is_understood():
    for form, _meaning in rows("| form | meaning |"):
        parse(form.strip("`"), "UTC")
    for items, field, _meaning in rows("| item | field | meaning |"):
        for item in re.findall(r"`(.+?)`", items):
            parse(f"0 0 {item} * *" if field == "day" else f"0 0 * * {item}", "UTC")
    for items, _meaning in rows("| item | meaning |"):
        parse(f"{items.strip('`')} * * * *", "UTC")


def test_every_field_is_documented_with_its_range():
    documented = {name: (values, also) for name, values, also in rows("| field | values | also |")}
    fields = (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY)
    assert list(documented) == [field.name for field in fields]
    for field in fields:
        values, also = documented[field.name]
        assert values.startswith(f"{field.low}–{field.high}")
        for item in re.findall(r"`(.+?)`", also):
            words = ["0", "0", "0", "*", "*", "*"]
            words[fields.index(field)] = item
            parse(" ".join(words), "UTC")


def test_the_greatest_length_is_documented():
    assert f"at most {MAX_SPEC_LENGTH} ASCII characters" in PAGE
