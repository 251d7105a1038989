"""A choice that looks random and is the same on every node, today and after any restart. Pure.

For ``H`` in a schedule (``cron_grammar``). Python's ``hash()`` differs from process to process and
would not do.
"""

from __future__ import annotations

from hashlib import sha256


def spread(below: int, *names: str) -> int:
    """A number from 0 to ``below`` - 1, chosen by all of ``names``, each one as likely as any
    other. Part of what users rely on: another choice would move their tasks."""
    digest = sha256("\0".join(names).encode()).digest()
    return int.from_bytes(digest) % below
