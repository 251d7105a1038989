"""Small words that several pages need."""

from __future__ import annotations


def sentence(error: Exception | str) -> str:
    """A message that begins with a capital letter."""
    text = str(error)
    return text[:1].upper() + text[1:]
