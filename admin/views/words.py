"""Small words that several pages need."""

from __future__ import annotations

from admin.spoken import spoken


def sentence(error: Exception | str) -> str:
    """A message in the language of the page, beginning with a capital letter."""
    text = spoken(error)
    return text[:1].upper() + text[1:]
