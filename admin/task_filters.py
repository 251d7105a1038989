"""What the list of tasks is narrowed to: read from an address and written into one, so that a link
shows the same to everybody; and the little words for each condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy

from gocron.core.states import Protocol
from gocron.db.task_list import LastResult, TaskFilter

LONGEST = 200

OLD_NAMES = {
    "enabled": "flt0_enabled_equals",
    "kind": "flt1_protocol_equals",
    "tag": "flt2_tag_equals",
}
"""In links that were made for an earlier version."""

LAST_WORDS = {
    LastResult.FAILED: lazy("Failed last"),
    LastResult.SUCCEEDED: lazy("Succeeded last"),
    LastResult.RUNNING: lazy("Running now"),
    LastResult.NEVER: lazy("Never ran"),
}

KIND_WORDS = {Protocol.SHELL: lazy("Shell"), Protocol.HTTP: lazy("HTTP")}


@dataclass(frozen=True)
class Chip:
    """A condition in words, and the address arguments without it."""

    words: str
    without: dict[str, str]


def read(args: Mapping[str, str]) -> TaskFilter:
    """What an address or a form asks for; what is not understood filters nothing."""

    def said(name: str) -> str:
        text = args.get(name) or args.get(OLD_NAMES.get(name, ""), "")
        return text.replace("\0", "").strip()[:LONGEST]

    kind, last = said("kind"), said("last")
    return TaskFilter(
        text=said("search"),
        enabled={"1": True, "0": False}.get(said("enabled")),
        kind=kind if kind in set(Protocol) else "",
        tag=said("tag"),
        last=LastResult(last) if last in set(LastResult) else None,
        broken=said("broken") == "1",
        paused=said("paused") == "1",
        everywhere=said("in") == "all",
    )


def write(wanted: TaskFilter) -> dict[str, str]:
    """The arguments of an address; only those that narrow something."""
    said = {
        "search": wanted.text,
        "enabled": "" if wanted.enabled is None else str(int(wanted.enabled)),
        "kind": wanted.kind,
        "tag": wanted.tag,
        "last": wanted.last or "",
        "broken": "1" if wanted.broken else "",
        "paused": "1" if wanted.paused else "",
        "in": "all" if wanted.text and wanted.everywhere else "",
    }
    return {name: str(text) for name, text in said.items() if text}


def chips(wanted: TaskFilter) -> list[Chip]:
    """One for each condition, in the language of the page."""

    def chip(words: object, **nothing: Any) -> Chip:
        return Chip(str(words), write(replace(wanted, **nothing)))

    found = []
    if wanted.text:
        found.append(chip(_("Contains “%(text)s”", text=wanted.text), text="", everywhere=False))
    if wanted.enabled is not None:
        found.append(chip(_("Enabled") if wanted.enabled else _("Disabled"), enabled=None))
    if wanted.kind:
        found.append(chip(KIND_WORDS[Protocol(wanted.kind)], kind=""))
    if wanted.tag:
        found.append(chip(_("Tag %(tag)s", tag=wanted.tag), tag=""))
    if wanted.last is not None:
        found.append(chip(LAST_WORDS[wanted.last], last=None))
    if wanted.broken:
        found.append(chip(_("Broken"), broken=False))
    if wanted.paused:
        found.append(chip(_("Paused"), paused=False))
    return found
