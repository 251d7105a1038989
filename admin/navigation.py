"""The pages of the side bar, in their order, and the keys that lead to them."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import gettext as _


@dataclass(frozen=True)
class Page:
    """``key``: after "g" it leads here."""

    endpoint: str
    sign: str
    label: str
    key: str = ""

    @property
    def blueprint(self) -> str:
        """All of whose addresses belong to this page."""
        return self.endpoint.split(".")[0]


def navigation() -> list[tuple[str, list[Page]]]:
    """Sections with their pages, in the language of the request."""
    return [
        (
            "",
            [
                Page("start.index", "dashboard", _("Overview"), "o"),
                Page("tasks.index_view", "list-check", _("Tasks"), "t"),
                Page("runs.index", "history", _("Runs"), "r"),
            ],
        ),
        (
            _("Rules"),
            [
                Page("calendars.index", "calendar-event", _("Calendars"), "c"),
                Page("groups.index", "stack-2", _("Groups"), "u"),
                Page("pauses.index", "player-pause", _("Pauses"), "p"),
            ],
        ),
        (
            _("System"),
            [
                Page("nodes.index", "server-2", _("Cluster"), "n"),
                Page("users.index", "users", _("Users"), "s"),
                Page("settings.index", "settings", _("Settings"), "e"),
                Page("audit.index", "clipboard-list", _("Audit log"), "a"),
                Page("profile.index", "user", _("Profile"), "m"),
            ],
        ),
    ]
