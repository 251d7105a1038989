"""Delays that grow. Pure."""

from __future__ import annotations


def delay(failures: int, *, first_s: float, cap_s: float) -> float:
    """Seconds to wait after ``failures`` earlier failures: ``first_s`` doubled each time, at most
    ``cap_s``."""
    return min(cap_s, first_s * 2.0 ** min(failures, 30))
