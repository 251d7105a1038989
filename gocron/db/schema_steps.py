"""Steps of migrations that may be repeated. Only ``migrations/`` imports this.

MySQL and MariaDB commit every DDL statement, so a migration that was killed half-way leaves what
it had done. Each step looks first whether it is done already; running a migration again finishes
it.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from gocron.db.models import OPTIONS, PLAIN_OPTIONS
from gocron.db.naming import table

GENERATED = OPTIONS
PLAIN = PLAIN_OPTIONS


def create_table(name: str, *columns: sa.Column[Any] | sa.Constraint, **options: Any) -> None:
    """Create the table ``name`` (without prefix) unless it is there."""
    if not sa.inspect(op.get_bind()).has_table(table(name)):
        op.create_table(table(name), *columns, **options)


def create_index(name: str, *columns: str, **options: Any) -> None:
    """Index ``columns`` of the table ``name`` unless that is done; ``options`` as of SQLAlchemy's
    ``Index``, for one server only."""
    full = table(name)
    index = f"ix_{full}_{'_'.join(columns)}"
    if index not in {found["name"] for found in sa.inspect(op.get_bind()).get_indexes(full)}:
        op.create_index(index, full, list(columns), **options)


def add_column(name: str, column: sa.Column[Any]) -> None:
    """Add ``column`` to the table ``name`` unless it is there. It has to be nullable or to have a
    server default: an older node goes on inserting rows without it."""
    there = {found["name"] for found in sa.inspect(op.get_bind()).get_columns(table(name))}
    if column.name not in there:
        op.add_column(table(name), column)


def insert_unless_there(table_name: str, key: str, /, **values: Any) -> None:
    """Insert one row unless one with the same ``key`` column is there."""
    target = sa.table(table(table_name), *(sa.column(column) for column in values))
    bind = op.get_bind()
    there = sa.select(target.c[key]).where(target.c[key] == values[key])
    if bind.execute(there).first() is None:
        bind.execute(sa.insert(target).values(**values))
