"""What a task depends on as lines of text, and back: ``name``, or ``name: weak``. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from gocron.core.states import Need
from gocron.sayings import inside, say


def read(text: str) -> dict[str, str]:
    """Name -> need. What stands behind the last colon is a part of the name unless it is a need.
    Raises ``ValueError``, naming the line."""
    needs: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        name, need = _split(line)
        if not name:
            raise ValueError(
                _in_line(number, say("%(text)s names no task", text=repr(line.strip()[:40])))
            )
        if name in needs:
            raise ValueError(_in_line(number, say("%(name)s is there twice", name=repr(name[:40]))))
        needs[name] = need
    return needs


def write(needs: Mapping[str, str]) -> str:
    """The lines for what is stored; ``read`` gives the same again."""
    return "\n".join(_line(name, Need(need)) for name, need in needs.items())


def _in_line(number: int, what: str) -> str:
    return inside([say("line %(number)s", number=number)], what)


def _split(line: str) -> tuple[str, str]:
    name, colon, need = line.rpartition(":")
    word = need.strip().lower()
    if colon and word in set(Need):
        return name.strip(), word
    return line.strip(), Need.STRONG.value


def _line(name: str, need: Need) -> str:
    misread = _split(name) != (name, Need.STRONG)
    return name if need is Need.STRONG and not misread else f"{name}: {need}"
