"""What is written is read again as the very same task."""

from __future__ import annotations

import pytest

from gocron.core import task_writing
from gocron.core.definition import define
from gocron.core.task_files import Form, read

ODD = [
    "plain",
    "=1+1",
    "yes",
    "null",
    "~",
    "012",
    "1_000",
    "2026-01-01",
    "<<",
    "a: b",
    "# no comment",
    "- item",
    "&anchor *alias !tag %x @y `z",
    "{not: a mapping}",
    "'single' \"double\" \\ back",
    "tab\there",
    "two\nlines\n",
    "\n  leading line and blanks",
    "trailing blanks  \nand more \n\n",
    "carriage\r\nreturn\rs",
    "emoji 🎉 漢字 \u200f right to left \u2028 \u0085 \x7f \x9b",
    " padded ",
    "long " * 500,
]


def stored(definition):
    """As its row in the database."""
    values = definition.model_dump(mode="json")
    return values | {"starts_at": definition.starts_at, "ends_at": definition.ends_at}


def again(form, definitions):
    text = task_writing.head(form) + "".join(
        task_writing.one(form, stored(one)) for one in definitions
    )
    found = read(text.encode(), form, {"timezone": "Asia/Tokyo"})
    assert found.mistakes == ()
    return list(found.definitions)


@pytest.mark.parametrize("form", [Form.YAML, Form.CSV])
def test_odd_texts_come_back_as_they_were(form):
    definitions = [
        define(
            {
                "name": f"task {number}",
                "spec": "@daily",
                "command": text,
                "remark": text,
                "environment": {"A": text, "B": ""},
                "tag": text.strip()[:60] if text.isprintable() else "",
            }
        )
        for number, text in enumerate(ODD)
    ]
    assert again(form, definitions) == definitions


@pytest.mark.parametrize("form", [Form.YAML, Form.CSV])
def test_every_field_comes_back(form):
    definitions = [
        define(
            {
                "name": "-everything",
                "spec": "0 30 2 * * *",
                "timezone": "Europe/Berlin",
                "protocol": "http",
                "command": "https://example.org/?a=b&c",
                "http_method": "POST",
                "http_headers": {"X-A": "1: 2"},
                "http_statuses": "200,204",
                "http_verify_tls": False,
                "success_pattern": '"ok":\\s*true',
                "timeout": 30,
                "starts_at": "2026-01-01T00:00",
                "ends_at": "2027-01-01T00:00:00.5+02:00",
                "jitter": 5,
                "exclude_calendars": ["holidays, all", "b"],
                "misfire": "run_all",
                "misfire_grace": 9,
                "overlap": "parallel",
                "max_parallel": 3,
                "priority": -7,
                "retry_times": 2,
                "retry_interval": 4,
                "retry_backoff": "exponential",
                "retry_on": ["lost"],
                "on_lost": "rerun",
                "parameters": [
                    {"name": "DAY", "default": "=x", "remark": "r"},
                    {"name": "KIND", "type": "choice", "choices": ["a", "b"], "default": "a"},
                ],
                "remark": "@r",
                "enabled": False,
            }
        ),
        define({"name": "after", "command": "x", "depends_on": {"a, b": "weak", "c": "strong"}}),
        define({"name": "no retries", "spec": "@daily", "command": "x", "retry_on": []}),
    ]
    assert again(form, definitions) == definitions


def test_what_is_as_usual_is_not_written():
    text = task_writing.one(
        Form.YAML, stored(define({"name": "a", "spec": "@daily", "command": "one\ntwo\n"}))
    )
    assert text == (
        "- name: a\n  spec: '@daily'\n  timezone: UTC\n  command: |\n    one\n    two\n"
    )
