"""``gocron calendar``, ``group``, ``pause``, ``resume`` and ``cron`` through the real command."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command import Gocron, assert_refused
from tests.helpers.product import database_of

DAYS = "2026-12-26\n2026-12-24\n2026-12-25\n"

ICS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//EN
BEGIN:VEVENT
UID:1@example.org
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:20261224
DTEND;VALUE=DATE:20261225
SUMMARY:Christmas Eve
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")


@pytest.fixture
def gocron(tmp_path: Path) -> Gocron:
    """With empty tables."""
    made = Gocron(tmp_path, {"GOCRON_DB_ENGINE": "sqlite"})
    made.must("migrate")
    return made


def _import(gocron: Gocron, *tasks: dict[str, Any]) -> None:
    lines = [json.dumps({"spec": "0 0 4 * * *", "command": "true"} | task) for task in tasks]
    gocron.must("task", "import", "-", stdin="\n".join(lines))


def _listed(gocron: Gocron, *command: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(gocron.must(*command, "--json"))
    return found


def _task(gocron: Gocron, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gocron.must("task", "show", name, "--json"))
    return found


# calendars --------------------------------------------------------------------------------------


def test_a_calendar_is_set_shown_and_deleted_on_every_database(database_env, tmp_path):
    gocron = Gocron(tmp_path, database_env)
    gocron.must("migrate")
    file = tmp_path / "days.txt"
    file.write_text("\ufeff" + DAYS, encoding="utf-8")
    assert gocron.must("calendar", "list", "--json") == "[]\n"

    said = gocron.must("calendar", "set", "holidays", str(file), "--remark", "of the company")

    assert said == ("calendar 'holidays': 3 days from 2026-12-24 to 2026-12-26; named by 0 tasks\n")
    (facts,) = _listed(gocron, "calendar", "list")
    assert (facts["name"], facts["day_count"], facts["used_by"]) == ("holidays", 3, 0)
    assert (facts["first_day"], facts["last_day"]) == ("2026-12-24", "2026-12-26")
    assert facts["updated_at"].endswith("Z")
    shown = json.loads(gocron.must("calendar", "show", "holidays", "--json"))
    assert shown == facts | {"days": ["2026-12-24", "2026-12-25", "2026-12-26"]}
    page = gocron.must("calendar", "show", "holidays")
    assert "remark   of the company\n" in page
    assert "days     2026-12-24\n         2026-12-25\n" in page

    gocron.must("calendar", "set", "holidays", "-", stdin="2027-01-01\n")
    (facts,) = _listed(gocron, "calendar", "list")
    assert (facts["first_day"], facts["remark"]) == ("2027-01-01", "of the company")
    title, line = gocron.must("calendar", "list").splitlines()
    assert title.split()[:4] == ["NAME", "DAYS", "FIRST", "LAST"]
    assert line.split()[:5] == ["holidays", "1", "2027-01-01", "2027-01-01", "0"]

    assert gocron.must("calendar", "delete", "holidays") == "deleted 'holidays'\n"
    assert_refused(gocron("calendar", "show", "holidays"), "no calendar 'holidays'")


def test_an_ics_file_is_imported(gocron, tmp_path):
    file = tmp_path / "holidays.ics"
    file.write_bytes(ICS.encode())
    said = gocron.must("calendar", "import-ics", "holidays", str(file))
    assert said.startswith("calendar 'holidays': 1 day from 2026-12-24 to 2026-12-24;")


def test_tasks_that_name_a_calendar_follow_it_and_are_broken_without_it(gocron):
    gocron.must("calendar", "set", "c", "-", stdin="2020-01-01\n")
    _import(gocron, {"name": "report", "exclude_calendars": ["c"]})
    next_slot = datetime.fromisoformat(_task(gocron, "report")["next_fire_at"])

    said = gocron.must("calendar", "set", "c", "-", stdin=f"{next_slot.date()}\n")

    assert "named by 1 task\n" in said
    moved = datetime.fromisoformat(_task(gocron, "report")["next_fire_at"])
    assert moved == next_slot + timedelta(days=1)
    assert_refused(
        gocron("calendar", "delete", "c"), "'report' names it", "change these tasks", "force"
    )
    said = gocron.must("calendar", "delete", "c", "--force")
    assert said == "deleted 'c'; 1 task that names it cannot be scheduled now\n"
    assert _task(gocron, "report")["broken"] == "the calendar 'c' does not exist (any more)"
    gocron.must("calendar", "set", "c", "-", stdin="2020-01-01\n")
    assert _task(gocron, "report")["broken"] == ""


def test_a_file_that_is_no_calendar_is_refused(gocron, tmp_path):
    binary = tmp_path / "binary"
    binary.write_bytes(b"2026-12-24\n\xff\xfe")
    for verb in ("set", "import-ics"):
        assert_refused(gocron("calendar", verb, "c", str(binary)), "not UTF-8", "byte 12")
        assert_refused(gocron("calendar", verb, "c", str(tmp_path)), "Is a directory")
        missing = str(tmp_path / "none")
        assert_refused(gocron("calendar", verb, "c", missing), "none", "No such file")
    assert_refused(gocron("calendar", "set", "c", "-", stdin="2026-13-01\n"), "line 1")
    assert_refused(gocron("calendar", "set", "a,b", "-", stdin=DAYS), "name:", "comma")
    assert_refused(gocron("calendar", "delete", "c"), "there is no calendar 'c'")
    assert gocron.must("calendar", "list", "--json") == "[]\n"


# groups -----------------------------------------------------------------------------------------


def test_a_group_is_set_listed_and_deleted_on_every_database(database_env, tmp_path):
    gocron = Gocron(tmp_path, database_env)
    gocron.must("migrate")
    said = gocron.must("group", "set", "reports", "--limit", "2", "--remark", "slow")
    assert said == "group 'reports': at most 2 runs at once\n"
    _import(gocron, {"name": "report", "group": "reports"})
    (facts,) = _listed(gocron, "group", "list")
    del facts["id"]
    assert facts == {
        "name": "reports",
        "max_running": 2,
        "remark": "slow",
        "tasks": 1,
        "running": 0,
        "waiting": 0,
    }
    assert_refused(gocron("group", "delete", "reports"), "'report' belongs to it")
    gocron.must("task", "delete", "--yes", "report")
    gocron.must("group", "set", "reports", "--limit", "1")
    title, line = gocron.must("group", "list").splitlines()
    assert title.split() == ["NAME", "LIMIT", "RUNNING", "WAITING", "TASKS", "REMARK"]
    assert line.split() == ["reports", "1", "0", "0", "0", "slow"]
    assert gocron.must("group", "delete", "reports") == "deleted 'reports'\n"
    assert_refused(gocron("group", "delete", "reports"), "there is no group 'reports'")


def test_a_limit_that_is_none_is_refused(gocron):
    assert_refused(gocron("group", "set", "g", "--limit", "0"), "max_running", "from 1 to 10000")
    assert gocron("group", "set", "g", "--limit", "many").code == 2
    assert gocron("group", "set", "g").code == 2


# pauses -----------------------------------------------------------------------------------------


def test_everything_and_tags_are_paused_and_resumed_on_every_database(database_env, tmp_path):
    gocron = Gocron(tmp_path, database_env)
    gocron.must("migrate")
    _import(gocron, {"name": "a", "tag": "mail"}, {"name": "b"})
    before = datetime.now(UTC)

    said = gocron.must("pause", "--reason", "the database moves", "--for", "1h30m")
    assert said.startswith("paused everything (2 enabled tasks) until ")
    said = gocron.must("pause", "--tag", "mail", "--reason", "no relay")
    assert said == "paused the tasks with the tag 'mail' (1 enabled task) until it is resumed\n"

    everything, mail = _listed(gocron, "pauses")
    assert (everything["tag"], everything["in_force"]) == ("", True)
    lasts = datetime.fromisoformat(everything["until"]) - before
    assert timedelta(minutes=85) < lasts < timedelta(minutes=95)
    assert (mail["tag"], mail["reason"], mail["until"]) == ("mail", "no relay", None)
    assert mail["created_by"].startswith("cli:")
    title, first, second = gocron.must("pauses").splitlines()
    assert title.split()[0] == "TAG"
    assert first.split()[0] == "(everything)"
    assert second.split()[:2] == ["mail", "-"]

    assert gocron.must("resume") == "resumed everything\n"
    said = gocron.must("resume")
    assert said == "everything: there was no such pause; paused: --tag 'mail'\n"
    assert gocron.must("resume", "--tag", "mail") == "resumed the tasks with the tag 'mail'\n"
    assert _listed(gocron, "pauses") == []
    with database_of(gocron.environment) as database, database.read() as connection:
        rows = connection.exec_driver_sql("SELECT action, target FROM audit_log ORDER BY id")
        assert [tuple(row) for row in rows][1:] == [
            ("pause.begin", "everything"),
            ("pause.begin", "mail"),
            ("pause.end", "everything"),
            ("pause.end", "mail"),
        ]


def test_an_end_without_an_offset_is_one_of_the_installations_time_zone(gocron):
    year = datetime.now(UTC).year + 1
    zone = {"GOCRON_TIMEZONE": "Asia/Tokyo"}
    gocron.must("pause", "--reason", "x", "--until", f"{year}-01-02T09:00", **zone)
    gocron.must("pause", "--tag", "a", "--reason", "x", "--until", f"{year}-01-02T09:00Z", **zone)
    gocron.must("pause", "--tag", "b", "--reason", "x", "--until", f"{year}-01-02", **zone)
    ends = [pause["until"] for pause in _listed(gocron, "pauses")]
    day = f"{year}-01-0"
    assert ends == [f"{day}2T00:00:00Z", f"{day}2T09:00:00Z", f"{day}1T15:00:00Z"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--until", "tomorrow"], ["--until: 'tomorrow' is no time", "ISO 8601"]),
        (["--until", "2020-01-01T00:00Z"], ["until: must lie in the future"]),
        (["--for", "two hours"], ["--for: 'two hours' is no duration", "2h"]),
        (["--for", "0s"], ["--for: '0s'", "from 1s"]),
        (["--until", "0001-01-01T00:00+23:59"], ["until: must lie in the future"]),
        (["--until", "9999-12-31T23:59-23:00"], ["until: must be at most 3660 days away"]),
        (["--tag", "x" * 65], ["tag:", "at most 64 characters"]),
    ],
)
def test_a_pause_that_makes_no_sense_is_refused(gocron, options, words):
    assert_refused(gocron("pause", "--reason", "x", *options), *words)
    assert _listed(gocron, "pauses") == []


def test_a_pause_has_a_reason_and_one_end(gocron):
    assert gocron("pause").code == 2
    assert_refused(gocron("pause", "--reason", " "), "reason:", "found nothing")
    said = gocron("pause", "--reason", "x", "--for", "1h", "--until", "2099-01-01")
    assert said.code == 2
    assert "not both" in said.err


def test_without_a_database_the_way_to_one_is_told(tmp_path):
    gocron = Gocron(tmp_path, {"GOCRON_DB_ENGINE": "sqlite"})
    for command in (["calendar", "list"], ["group", "list"], ["pauses"], ["resume"]):
        assert_refused(gocron(*command), "there is no database at", "gocron migrate")


# schedules --------------------------------------------------------------------------------------


@pytest.fixture
def without_a_database(tmp_path: Path) -> Gocron:
    """Nor a home: the server that is named cannot be reached."""
    server = {"ENGINE": "postgres", "HOST": "192.0.2.1", "USER": "u", "DATABASE": "d"}
    settings = {f"GOCRON_DB_{name}": text for name, text in server.items()}
    return Gocron(tmp_path, settings | {"GOCRON_DB_PASSWORD": "p"})


def test_a_schedule_is_explained_with_its_next_slots_and_without_a_database(without_a_database):
    gocron = without_a_database
    told = ("cron", "explain", "0 30 2 * * *", "--count", "400")
    found = json.loads(gocron.must(*told, "--tz", "Europe/Berlin", "--json"))
    assert (found["spec"], found["timezone"]) == ("0 30 2 * * *", "Europe/Berlin")
    assert "02:30" in found["words"]
    assert len(found["slots"]) == 400
    for slot in found["slots"]:
        local = datetime.fromisoformat(slot["local"])
        assert slot["slot"].endswith("Z")
        assert local == datetime.fromisoformat(slot["slot"])
        assert local.utcoffset() in (timedelta(hours=1), timedelta(hours=2))
    # A year has one day on which clocks go forward over it, and one on which they show it twice.
    assert len({slot["remark"] for slot in found["slots"]} - {""}) >= 2

    words, empty, title, *lines = gocron.must(*told, "--tz", "Europe/Berlin").splitlines()
    assert (words, empty) == (found["words"], "")
    assert title.split() == ["LOCAL", "UTC", "REMARK"]
    assert len(lines) == 400
    assert not gocron.home.exists()


def test_the_zone_is_that_of_the_installation_and_five_slots_are_shown(without_a_database):
    found = json.loads(
        without_a_database.must("cron", "explain", "@daily", "--json", GOCRON_TIMEZONE="Asia/Tokyo")
    )
    assert found["timezone"] == "Asia/Tokyo"
    assert [slot["slot"][-10:] for slot in found["slots"]] == ["T15:00:00Z"] * 5


def test_the_name_of_the_task_decides_what_h_stands_for(without_a_database):
    told = ("cron", "explain", "H H * * *", "--json", "--name")
    names = ["a", "a", "b"]
    first, again, other = (json.loads(without_a_database.must(*told, name)) for name in names)
    assert first["slots"] == again["slots"] != other["slots"]


def test_what_has_no_slots_is_explained_all_the_same(without_a_database):
    for spec in ("@reboot", "@at 2020-01-01T00:00"):
        said = without_a_database.must("cron", "explain", spec)
        assert said.splitlines()[1:] == ["There is no slot to come."]
        assert without_a_database.must("cron", "explain", spec, "--count", "0").count("\n") == 1


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (["0 0 25 * * *"], ["hour: '25' is out of the range 0-23"]),
        (["59 59 23 31 2 *"], ["never fires"]),
        (["* * * * * *" * 1000], ["11000 characters"]),
        ([""], ["the schedule is empty"]),
        (["@daily", "--tz", "Europe/Berln"], ["'Europe/Berln'", "did you mean Europe/Berlin?"]),
    ],
)
def test_a_schedule_that_is_none_is_refused(without_a_database, told, words):
    assert_refused(without_a_database("cron", "explain", *told), *words)
