"""What all pages have in common: nobody sees them who may not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from admin import auth
from admin.rights import Need

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

    needs: ClassVar[Mapping[str, Need]] = {}
    """What each address needs, by the name of its method; what is not here is for administrators
    only."""

    def _handle_view(self, name: str, **kwargs: Any) -> Any:
        """Called by Flask-Admin before each of its methods; None lets the request through."""
        if not auth.is_allowed(self.needs.get(name, Need.ADMINISTER)):
            return auth.refuse()
        return None

    def _run_view(self, view: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Without Flask-Admin's second try, which hides every TypeError behind another one."""
        return view(self, *args, **kwargs)
