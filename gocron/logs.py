"""Log lines: text for people, JSON for machines; one line an event, nobody can forge one.

Every process of a node writes to the same stderr; a line is written with one call, so lines of
different processes do not mix.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime

_C0, _C1, _SEPARATORS = range(32), range(127, 160), (0x2028, 0x2029)

CONTROL = {code: f"\\x{code:02x}" for code in (*_C0, *_C1)} | {10: "\\n", 13: "\\r", 9: "\t"}
CONTROL |= {code: f"\\u{code:04x}" for code in _SEPARATORS}
"""What stands in a log line for a control character, so that none can start a new line or be
obeyed by a terminal."""

LEFT_BY_JSON = {code: f"\\u{code:04x}" for code in (*_C1, *_SEPARATORS)}
"""Characters that JSON may carry as they are, but that some readers take for the end of a line."""


class TextFormatter(logging.Formatter):
    """``2026-11-23 20:00:00.123Z INFO elector[12]: message``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, UTC, control characters escaped; a traceback follows on indented lines."""
        stamp = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%d %H:%M:%S")
        message = record.getMessage().translate(CONTROL)
        line = (
            f"{stamp}.{int(record.msecs):03d}Z {record.levelname} "
            f"{record.name.rpartition('.')[2]}[{record.process}]: {message}"
        )
        if record.exc_info:
            traceback = self.formatException(record.exc_info).splitlines()
            line += "".join("\n    " + part.translate(CONTROL) for part in traceback)
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, process, pid, message, and the traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        """Escapes by being JSON."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": record.name.rpartition(".")[2],
            "pid": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False).translate(LEFT_BY_JSON)


class OneWriteHandler(logging.Handler):
    """Writes each line with a single system call, and never raises: stderr may be gone."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or drop it when stderr cannot take it."""
        try:
            line = self.format(record)
        except Exception as error:  # a wrong log call must not end the process that made it
            broken = f"a log call is wrong: {error}: {record.msg!r} at {record.pathname}"
            name, level = record.name, record.levelno
            line = self.format(logging.makeLogRecord(
                {"name": name, "levelno": level, "levelname": record.levelname, "msg": broken}
            ))  # fmt: skip
        try:
            os.write(sys.stderr.fileno(), (line + "\n").encode("utf-8", "replace"))
        except (OSError, ValueError, AttributeError):
            return


def configure(log_format: str, level: str) -> None:
    """Set up the root logger of this process; ``log_format`` is ``text`` or ``json``."""
    handler = OneWriteHandler()
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("alembic", "sqlalchemy", "waitress.queue"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
