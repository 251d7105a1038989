"""Output of commands with its colours, as parts of plain text. Pure; what a terminal would obey
otherwise is left out as in ``terminal``, and nothing that was printed ends up in a class name.

Colours are the sixteen of a terminal, by number; those of bigger palettes become the nearest of
them. ``conceal`` is not obeyed: nothing may hide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gocron.core.terminal import SEQUENCES, plain

MOST_PARTS = 4_000
"""Of one text. What comes behind is not coloured any more: each part costs a browser memory."""

LONGEST_SEQUENCE = 160

_SGR = re.compile(r"(?:\x1b\[|\x9b)([0-9;:]{0,128})m\Z")
_UNFINISHED = re.compile(r"(?:\x1b(?:\[[0-?]{0,128}[ -/]{0,8})?|\x9b[0-?]{0,128}|\r)\Z")
_RETURN = re.compile(r"\r(?=(?:\x1b\[[0-9;]{0,32}m){1,4}\n)")
"""Of a line end that a change of colours stands in."""

_SWITCHES = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike"}
_OFF = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("inverse",), 29: ("strike",)}
_ON = {name: code for code, name in _SWITCHES.items()}


@dataclass(frozen=True)
class Style:
    """How text looks; colours are 0 to 15, None is the usual one."""

    text: int | None = None
    ground: int | None = None
    switches: frozenset[str] = frozenset()

    def classes(self) -> str:
        """CSS classes, with blanks between them."""
        text, ground = self.text, self.ground
        if "inverse" in self.switches:
            text, ground = ground, 7 if text is None else text
        found = [f"ansi-{name}" for name in sorted(self.switches - {"inverse"})]
        if text is not None:
            found.append(f"ansi-text-{text}")
        if ground is not None:
            found.append(f"ansi-ground-{ground}")
        return " ".join(found)

    def sequence(self) -> str:
        """What a program prints to get this style; empty for the usual one."""
        codes = [str(_ON[name]) for name in sorted(self.switches)]
        codes += [] if self.text is None else [f"38;5;{self.text}"]
        codes += [] if self.ground is None else [f"48;5;{self.ground}"]
        return f"\x1b[{';'.join(codes)}m" if codes else ""


@dataclass(frozen=True)
class Part:
    """A piece of text and its CSS classes."""

    text: str
    classes: str


@dataclass(frozen=True)
class Painted:
    """``carry`` is to be put in front of what comes next: the style that is on, and a sequence
    that has not come to its end."""

    parts: tuple[Part, ...]
    carry: str

    @property
    def text(self) -> str:
        """Without colours."""
        return "".join(part.text for part in self.parts)


def paint(text: str) -> Painted:
    """Take ``text`` apart. It may be a piece of something longer, with the ``carry`` of the piece
    before in front of it."""
    unfinished = _UNFINISHED.search(text, max(0, len(text) - LONGEST_SEQUENCE))
    rest = unfinished[0] if unfinished else ""
    style, run, parts = Style(), [""], list[Part]()

    def close(classes: str) -> None:
        if shown := plain("".join(run)):
            parts.append(Part(shown, classes))
        run.clear()

    text = _RETURN.sub("", text[: len(text) - len(rest)])
    for printed, after in _pieces(text):
        run.append(printed)
        if after != style and len(parts) < MOST_PARTS:
            close(style.classes())
        style = after
    close(style.classes() if len(parts) < MOST_PARTS else "")
    return Painted(tuple(parts), style.sequence() + rest)


def _pieces(text: str) -> Iterator[tuple[str, Style]]:
    """What is printed until the style may change, and the style from there on."""
    style, at = Style(), 0
    for sequence in SEQUENCES.finditer(text):
        if (wanted := _SGR.match(sequence[0])) is not None:
            yield text[at : sequence.start()], (style := _changed(style, wanted[1]))
        else:
            yield text[at : sequence.start()], style
        at = sequence.end()
    yield text[at:], style


def _changed(style: Style, codes: str) -> Style:
    """Codes are numbers between semicolons; the parts of one may also stand between colons."""
    numbers = [number for word in codes.split(";") for number in _numbers(word)]
    place = 0
    while place < len(numbers):
        code = numbers[place]
        if code in (38, 48):
            colour, used = _of_palette(numbers[place + 1 : place + 5])
            style = replace(style, text=colour) if code == 38 else replace(style, ground=colour)
            place += used
        else:
            style = _switched(style, code)
        place += 1
    return style


def _numbers(word: str) -> list[int]:
    """``1``, ``38:5:9``, ``38:2::255:0:0`` (a colour space that nobody names), ``4:3``."""
    parts = [int(part[:3]) if part else 0 for part in word.split(":")]
    if len(parts) == 1 or parts[0] in (38, 48):
        return parts[:2] + parts[3:] if len(parts) > 5 else parts
    return [24] if parts[:2] == [4, 0] else parts[:1]


def _switched(style: Style, code: int) -> Style:
    if code == 0:
        return Style()
    if code in _SWITCHES:
        return replace(style, switches=style.switches | {_SWITCHES[code]})
    if code in _OFF:
        return replace(style, switches=style.switches.difference(_OFF[code]))
    for first, bright in ((30, 0), (90, 8)):
        if first <= code < first + 8:
            return replace(style, text=code - first + bright)
        if first + 10 <= code < first + 18:
            return replace(style, ground=code - first - 10 + bright)
    if code == 39:
        return replace(style, text=None)
    return replace(style, ground=None) if code == 49 else style


def _of_palette(numbers: list[int]) -> tuple[int | None, int]:
    """The colour that follows 38 or 48, and how many numbers say it."""
    match numbers:
        case [5, index, *_]:
            return _nearest(*_of_256(index)) if index > 15 else index, 2
        case [2, red, green, blue, *_]:
            return _nearest(red, green, blue), 4
    return None, len(numbers)


def _of_256(index: int) -> tuple[int, int, int]:
    if index >= 232:
        grey = 8 + (min(index, 255) - 232) * 10
        return grey, grey, grey
    red, rest = divmod(index - 16, 36)
    levels = (0, 95, 135, 175, 215, 255)
    return levels[red], levels[rest // 6], levels[rest % 6]


def _nearest(*colour: int) -> int:
    """One of the sixteen: which of red, green, blue are strong, and whether it is bright."""
    strongest = max(colour)
    if strongest - min(colour) < 32:  # a grey
        return 0 if strongest < 64 else 8 if strongest < 150 else 7 if strongest < 230 else 15
    hue = sum(1 << place for place, part in enumerate(colour) if part * 2 > strongest)
    return hue + 8 if strongest > 200 else hue
