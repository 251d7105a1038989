"""Why a database cannot be used, from what its driver says: for somebody who is typing in where it
is. Codes where the drivers have them; psycopg2 has none for what goes wrong while connecting."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from gocron.core.installing import Reason, Refused
from gocron.db.engine import describe

CODES: dict[object, Reason] = {
    # MySQL and MariaDB
    1044: Reason.DATABASE,
    1045: Reason.LOGIN,
    1049: Reason.DATABASE,
    1142: Reason.RIGHTS,
    1227: Reason.RIGHTS,
    1290: Reason.READ_ONLY,
    1698: Reason.LOGIN,
    2003: Reason.UNREACHABLE,
    2013: Reason.UNREACHABLE,
    # PostgreSQL
    "25006": Reason.READ_ONLY,
    "42501": Reason.RIGHTS,
}

WORDS = (
    ("authentication failed", Reason.LOGIN),
    ("no password supplied", Reason.LOGIN),
    ("no pg_hba.conf entry", Reason.LOGIN),
    ("is not permitted to log in", Reason.LOGIN),
    ('" does not exist', Reason.DATABASE),
    ("permission denied for database", Reason.DATABASE),
    ("Connection refused", Reason.UNREACHABLE),
    ("could not translate host name", Reason.UNREACHABLE),
    ("timeout expired", Reason.UNREACHABLE),
    ("No route to host", Reason.UNREACHABLE),
    ("Network is unreachable", Reason.UNREACHABLE),
    ("No such file or directory", Reason.UNREACHABLE),
    ("no answer from the server", Reason.UNREACHABLE),
    ("closed the connection unexpectedly", Reason.UNREACHABLE),
)
"""Of libpq and, in English, of PostgreSQL; whoever has it in another language sees the line
itself."""


def refusal(error: BaseException) -> Refused:
    """The reason, and the driver's own line."""
    said = describe(error)
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    code = getattr(cause, "pgcode", None) or next(iter(cause.args), None)
    if isinstance(code, int | str) and code in CODES:
        return Refused(CODES[code], said)
    if 'role "' in said and '" does not exist' in said:
        return Refused(Reason.LOGIN, said)
    return Refused(next((why for words, why in WORDS if words in said), Reason.OTHER), said)
