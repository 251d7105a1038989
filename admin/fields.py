"""Form fields whose text is more than a text: lines that say something, numbers
that may be missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from wtforms import IntegerField, TextAreaField
from wtforms.validators import ValidationError

from admin.spoken import spoken
from gocron.sayings import inside, say


def unix_lines(text: str | None) -> str | None:
    """Browsers send line ends as CR LF; a shell would take the CR for a part of the command."""
    return None if text is None else text.replace("\r\n", "\n").replace("\r", "\n")


class PairsField(TextAreaField):
    """A mapping as lines ``name<separator>value``. What lines cannot hold (values with line ends)
    is shown, and understood, as a JSON object."""

    def __init__(self, *args: Any, separator: str, **kwargs: Any) -> None:
        self.separator = separator
        super().__init__(*args, **kwargs)

    def _value(self) -> str:
        """What the text area shows: what was typed, or the mapping."""
        if self.raw_data:
            return str(self.raw_data[0])
        pairs: dict[str, str] = self.data or {}
        lines = "\n".join(self._line(name, text) for name, text in pairs.items())
        ambiguous = lines.startswith("{") or any(
            not self._fits_a_line(name, text) for name, text in pairs.items()
        )
        return json.dumps(pairs, indent=2, ensure_ascii=False) if ambiguous else lines

    def _line(self, name: str, text: str) -> str:
        return f"{name}{self.separator}{text}"

    def _fits_a_line(self, name: str, text: str) -> bool:
        line = self._line(name, text)
        return line.splitlines() == [line] and self._split(line) == (name, text)

    def process_formdata(self, valuelist: list[str]) -> None:
        """Typed text -> mapping; raises ``ValidationError`` with the line at fault."""
        self.data = {}
        text = unix_lines(valuelist[0]) if valuelist else ""
        if text and text.lstrip().startswith("{"):
            self.data = _from_json(text)
        elif text:
            self._read_lines(text)

    def _read_lines(self, text: str) -> None:
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip():
                continue
            found = self._split(line)
            if found is None:
                raise _mistake(
                    number,
                    say(
                        "%(text)s is not %(example)s", text=repr(line[:40]), example=self._example()
                    ),
                )
            if found[0] in self.data:
                raise _mistake(number, say("%(name)s is there twice", name=found[0]))
            self.data[found[0]] = found[1]

    def _split(self, line: str) -> tuple[str, str] | None:
        name, separator, text = line.partition(self.separator.strip())
        if not separator or not name.strip():
            return None
        # After "=" a blank belongs to the value, after ":" it is only for the eye.
        return name.strip(), text.strip() if self.separator.endswith(" ") else text

    def _example(self) -> str:
        return f"name{self.separator}value"


class LinesField(TextAreaField):
    """Something that ``read`` makes of lines and ``write`` turns into lines; ``read`` raises
    ``ValueError`` with the line at fault."""

    def __init__(
        self,
        *args: Any,
        read: Callable[[str], Any],
        write: Callable[[Any], str],
        **kwargs: Any,
    ) -> None:
        self._read, self._write = read, write
        super().__init__(*args, **kwargs)

    def _value(self) -> str:
        """What was typed, or the lines for the value."""
        if self.raw_data:
            return str(self.raw_data[0])
        return self._write(self.data) if self.data else ""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Typed text -> value."""
        try:
            self.data = self._read(unix_lines(valuelist[0]) or "" if valuelist else "")
        except ValueError as error:
            raise ValidationError(spoken(error)) from error


class MaybeIntegerField(IntegerField):
    """A whole number, or None if nothing is typed."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Blanks are nothing."""
        if valuelist and valuelist[0].strip():
            super().process_formdata(valuelist)
        else:
            self.data = None


def _mistake(number: int, what: str) -> ValidationError:
    return ValidationError(spoken(inside([say("line %(number)s", number=number)], what)))


def _from_json(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValidationError(
            spoken(say("this begins like a JSON object, but is none: %(why)s", why=str(error)))
        ) from error
    if not all(isinstance(value, str) for value in found.values()):
        raise ValidationError(
            spoken(say("the values of the JSON object have to be texts in quotes"))
        )
    return dict(found)
