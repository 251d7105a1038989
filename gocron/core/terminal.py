"""Output of commands as plain text: without what a terminal would obey. Pure."""

from __future__ import annotations

import re

SEQUENCES = re.compile(
    # One without its end takes no more than the rest of its line along.
    r"\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # OSC: window titles, hyperlinks
    r"|\x1b[PX^_][^\x1b\n]*(?:\x1b\\)?"  # DCS, SOS, PM, APC
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, movements
    r"|\x1b[ -/]*[0-~]"  # everything else that starts with ESC
)
_LINE_ENDS = re.compile(r"\r+\n?")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    """``text`` without ANSI sequences; carriage returns become line ends, other control
    characters U+FFFD."""
    text = SEQUENCES.sub("", text)
    text = _LINE_ENDS.sub(_line_end, text)
    return _CONTROLS.sub("\ufffd", text)


def _line_end(found: re.Match[str]) -> str:
    """However many returns stand in front of a line end, it is one; each without one is itself."""
    return "\n" if found[0].endswith("\n") else "\n" * len(found[0])
