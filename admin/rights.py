"""What the addresses of the panel need. Each view says it for its own in ``needs``; what somebody
may do is decided by ``core.access`` alone."""

from __future__ import annotations

from enum import StrEnum

from gocron.core.access import Access


class Need(StrEnum):
    """Of an address. Which task it is about is looked at besides, where that matters."""

    SELF = "self"
    """One's own account: whoever has logged in."""
    READ = "read"
    RUN = "run"
    """There can be tasks that they may run."""
    EDIT = "edit"
    """There can be tasks that they may change."""
    ADMINISTER = "administer"

    def met_by(self, access: Access) -> bool:
        """Whether somebody with ``access`` may go there."""
        match self:
            case Need.SELF:
                return True
            case Need.READ:
                return access.sees_cluster
            case Need.RUN:
                return access.may_run_any
            case Need.EDIT:
                return access.may_edit_any
            case Need.ADMINISTER:
                return access.administers
