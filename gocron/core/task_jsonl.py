"""Tasks as JSON lines: one object a line. Pure; for ``task_files`` only.

Stricter than ``json``: nothing stands twice, and NaN is no number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gocron.allowed import found
from gocron.core.task_entry import MOST_FIELDS, Blame, Entry
from gocron.sayings import said, say


def entries(text: str, blame: Blame) -> Iterator[Entry]:
    """The tasks in ``text``; a line that holds none is blamed and passed over."""
    decoder = json.JSONDecoder(object_pairs_hook=_without_doubles, parse_constant=_no_number)
    for number, line in enumerate(text.split("\n"), start=1):
        if not line or line.isspace():
            continue
        try:
            fields = decoder.decode(line)
        except json.JSONDecodeError as error:
            blame(
                number,
                say("not JSON: %(msg)s (column %(colno)s)", msg=error.msg, colno=error.colno),
            )
        except RecursionError:
            blame(number, say("nested too deeply"))
        except _NotJson as error:
            blame(number, said(error))
        except ValueError:  # Python's limit, against numbers that take minutes to read
            blame(number, say("a number has too many digits"))
        else:
            if not isinstance(fields, dict):
                blame(number, say("a task is an object {…}, found %(found)s", found=found(fields)))
            elif len(fields) > MOST_FIELDS:
                blame(number, say("%(fields)s fields are too many for a task", fields=len(fields)))
            elif isinstance(fields.get("tasks"), list):
                blame(
                    number,
                    say(
                        "JSON lines hold one task a line; a document with a list under tasks "
                        "is read with --format yaml"
                    ),
                )
            else:
                yield Entry(number, fields, {})


class _NotJson(Exception):
    """What ``json`` takes and we do not."""


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise _NotJson(say("%(found)s is given twice", found=found(name)))
        fields[name] = value
    return fields


def _no_number(word: str) -> float:
    raise _NotJson(say("not JSON: %(word)s is no number", word=word))
