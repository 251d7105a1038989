"""The pages of the side bar, in their order, and the keys that lead to them."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import gettext as _
from flask_login import current_user

from admin.rights import Need


@dataclass(frozen=True)
class Page:
    """``key``: after "g" it leads here."""

    endpoint: str
    sign: str
    label: str
    key: str = ""
    need: Need = Need.READ

    @property
    def blueprint(self) -> str:
        """All of whose addresses belong to this page."""
        return self.endpoint.split(".")[0]


def navigation() -> list[tuple[str, list[Page]]]:
    """Sections with the pages that whoever looks may see, in the language of the request."""
    access = current_user.account.access
    found = (
        (section, [page for page in pages if page.need.met_by(access)])
        for section, pages in _everything()
    )
    return [(section, pages) for section, pages in found if pages]


def _everything() -> list[tuple[str, list[Page]]]:
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
                Page("users.index", "users", _("Users"), "s", Need.ADMINISTER),
                Page("settings.index", "settings", _("Settings"), "e", Need.ADMINISTER),
                Page("audit.index", "clipboard-list", _("Audit log"), "a", Need.ADMINISTER),
                Page("profile.index", "user", _("Profile"), "m", Need.SELF),
            ],
        ),
    ]
