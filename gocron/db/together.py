"""Several services in one transaction: all of them hold, or none does.

For changes of many tasks by one decision. Whoever does that keeps it small: the rows of these tasks
are locked until the last one is done (a leader's claims pass them over meanwhile).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from gocron.db.dialects import Dialect
from gocron.db.engine import Database
from gocron.errors import Conflict
from gocron.sayings import say

T = TypeVar("T")


def all_or_none(database: Database, work: Callable[[Database], T]) -> T:
    """Run ``work``; the services that it gives its argument to share one transaction, which is
    rolled back when one of them raises. After a deadlock all of it is done once more."""
    return database.transact(lambda connection: work(_Together(database.dialect, connection)))


class _Together(Database):
    """What services are given instead of a database: everything happens on one connection."""

    def __init__(self, dialect: Dialect, connection: Connection) -> None:
        self.dialect = dialect
        self._connection = connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Sees what was written before in the same transaction."""
        yield self._connection

    @contextmanager
    def write(self, *, limited: bool = True) -> Iterator[Connection]:
        """A part of the whole; committed with it."""
        yield self._connection

    def transact(self, work: Callable[[Connection], T]) -> T:
        """A part of the whole. Nothing can be asked on this connection after a key was taken."""
        try:
            return work(self._connection)
        except IntegrityError as error:
            raise Conflict(
                say(
                    "somebody else made tasks of the same names at this moment; nothing was changed"
                )
            ) from error
