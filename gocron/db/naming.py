"""The table prefix. It has to be known before the models are mapped.

``choose_prefix`` is called by the composition root with the setting; ``models`` reads it once.
"""

from __future__ import annotations

import sys

_chosen = [""]


def choose_prefix(prefix: str) -> None:
    """Fix the prefix of all tables for this process; refuses to change it once tables exist."""
    if prefix != _chosen[0] and "gocron.db.models" in sys.modules:
        raise RuntimeError("the table prefix cannot change after the tables were mapped")
    _chosen[0] = prefix


def table(name: str) -> str:
    """The full name of a table, as used in SQL."""
    return _chosen[0] + name
