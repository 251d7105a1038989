"""Spreading runs over time without chance: every node must come to the same moment. Pure."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta


def jitter_of(seed: str, slot: datetime, most_s: int) -> timedelta:
    """How much later than its ``slot`` a run of the task ``seed`` begins: 0 to ``most_s`` whole
    seconds, always the same for the same slot."""
    if not most_s:
        return timedelta()
    digest = hashlib.blake2b(f"{seed} {slot.timestamp():.0f}".encode(), digest_size=8).digest()
    return timedelta(seconds=int.from_bytes(digest) % (most_s + 1))
