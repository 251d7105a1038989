"""What all pages have in common: nobody sees them who has not logged in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from admin import auth

LARGEST_ID = 2**63 - 1
"""Of any row; what is larger the database would refuse."""


def row_id(text: object) -> int | None:
    """The id that somebody may have typed into an address; None if it can be none."""
    word = str(text)
    if not (word.isascii() and word.isdigit() and len(word) < 20):
        return None
    return number if (number := int(word)) <= LARGEST_ID else None


class Guarded:
    """In front of a Flask-Admin view; each of its addresses asks ``auth`` first."""

    def is_accessible(self) -> bool:
        """Asked by Flask-Admin before every request."""
        return auth.is_allowed()

    def inaccessible_callback(self, name: str, **kwargs: Any) -> Any:
        """The answer to those who may not."""
        return auth.refuse()

    def _run_view(self, view: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Without Flask-Admin's second try, which hides every TypeError behind another one."""
        return view(self, *args, **kwargs)
