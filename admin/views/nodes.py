"""The nodes: who leads, who is there, who led before."""

from __future__ import annotations

from flask_admin import BaseView, expose

from admin import auth
from admin.views.base import Guarded
from gocron.db import cluster

TERMS = 20


class NodesView(Guarded, BaseView):
    """The cluster as the database shows it."""

    def __init__(self) -> None:
        super().__init__("Cluster", endpoint="nodes", url="/nodes")

    @expose("/")
    def index(self) -> str:
        """All members, and the last ``TERMS`` leaderships."""
        node = auth.context()
        return self.render(  # type: ignore[no-any-return]
            "panel/nodes.html",
            cluster=cluster.look(node.database),
            history=cluster.history(node.database, TERMS),
        )
