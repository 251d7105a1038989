"""Column types that mean the same on PostgreSQL, MySQL/MariaDB and SQLite."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, Text, TypeDecorator
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.types import TypeEngine

BigKey = BigInteger().with_variant(Integer, "sqlite")
"""A generated key. SQLite generates only for INTEGER, which is 64 bits wide there."""

LongText = Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4"), "mysql", "mariadb")

SQLITE_FORMAT = (
    "%(year)04d-%(month)02d-%(day)02d %(hour)02d:%(minute)02d:%(second)02d.%(microsecond)06d"
)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware UTC in Python, whatever keeps microseconds in the database.

    PostgreSQL ``timestamptz``; MySQL/MariaDB ``datetime(6)`` (plain DATETIME drops microseconds,
    and no type of theirs keeps a zone); SQLite text that sorts as time does.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type each server needs."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        if dialect.name == "sqlite":
            storage = sqlite.DATETIME(storage_format=SQLITE_FORMAT)  # type: ignore[no-untyped-call]
            return dialect.type_descriptor(storage)
        return dialect.type_descriptor(mysql.DATETIME(fsp=6))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive values: nobody could tell what they mean."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive datetime was given where an instant is needed: {value}")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Always aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class JsonOr(TypeDecorator[Any]):
    """JSON; NULL, which an older version writes, means ``default()``."""

    impl = JSON(none_as_null=True)
    cache_ok = True  # without it every statement with such a column is compiled anew

    def __init__(self, default: Callable[[], Any]) -> None:
        super().__init__()
        self.default = default  # by this name it is a part of the key of that cache

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Never None."""
        return self.default() if value is None else value
