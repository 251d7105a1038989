"""Asking the leader to give up leadership, from any node. The leader's elector looks for the mark
whenever it renews its lease (``lock``); one from before its leadership means nothing."""

from __future__ import annotations

from sqlalchemy import Connection, text

from gocron.db import audit, cluster
from gocron.db.audit import Actor
from gocron.db.cluster import Cluster
from gocron.db.engine import Database
from gocron.db.naming import table
from gocron.errors import Conflict
from gocron.sayings import say


def heirs(now: Cluster) -> list[str]:
    """Names of the nodes that could lead instead."""
    return [member.name for member in now.members if member.may_lead and member.state != "leader"]


def ask(database: Database, actor: Actor) -> str:
    """Mark the leader's node; its name. Raises ``Conflict`` if nobody leads, or if nobody else
    could."""
    now = cluster.look(database)
    if now.leader is None:
        raise Conflict(say("no node leads just now"))
    if not heirs(now):
        raise Conflict(
            say(
                "node %(node)s is the only one that can lead: start another one first",
                node=repr(now.leader.node_name),
            )
        )
    leader = now.leader

    def work(connection: Connection) -> None:
        connection.execute(
            text(
                f"UPDATE {table('node')} SET step_down_at = {database.dialect.clock}, "
                "step_down_by = :who WHERE name = :name"
            ),
            {"who": actor.name[:64] or "?", "name": leader.node_name},
        )
        detail: dict[str, object] = {"term": leader.term}
        audit.record(
            connection, database.dialect, actor, "node.step_down", leader.node_name, detail
        )

    database.transact(work)
    return leader.node_name
