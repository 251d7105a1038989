"""A form field for choosing some of the names there are: a box to tick for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flask_babel import gettext as _
from markupsafe import Markup
from wtforms import Field

BOX = Markup(
    '<label class="form-check"><input class="form-check-input" type="checkbox" name="{}" '
    'value="{}"{}> <span class="form-check-label">{}</span></label>'
)


class ChecklistField(Field):
    """A list of names. One that is chosen but does not exist (any more) stays to be seen; what is
    valid is said elsewhere."""

    def __init__(
        self, *args: Any, words: Mapping[str, str] | None = None, empty: str = "", **kwargs: Any
    ) -> None:
        """``words``: name -> what is shown; ``empty``: what is said if there are no names."""
        self._words = dict(words or {})
        self._empty = empty
        super().__init__(*args, **kwargs)

    def offer(self, names: Iterable[str]) -> None:
        """What there is to choose from."""
        self._words = {name: name for name in names}

    def process_formdata(self, valuelist: list[str]) -> None:
        """The boxes that are ticked; none is an answer too."""
        self.data = list(valuelist)

    def widget(self, _field: Field, **kwargs: Any) -> Markup:
        """The boxes, in a group with the field's label; many of them scroll."""
        chosen: list[str] = list(self.data or [])
        missing = {
            name: _("%(name)s (does not exist)", name=name)
            for name in chosen
            if name not in self._words
        }
        boxes = Markup("\n").join(
            BOX.format(self.name, name, Markup(" checked") if name in chosen else "", words)
            for name, words in (self._words | missing).items()
        )
        nothing = Markup('<span class="text-secondary">{}</span>').format(self._empty)
        return Markup(
            '<div class="checklist{}" role="group" id="{}" aria-label="{}" aria-describedby="{}">'
            "{}</div>"
        ).format(
            " is-invalid" if self.errors else "",
            self.id,
            self.label.text,
            kwargs.get("aria-describedby", ""),
            boxes or nothing,
        )
