"""Append-only: who changed what, from where. Written in the transaction of the change itself."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection, text

from gocron.db.dialects import Dialect
from gocron.db.naming import table


@dataclass(frozen=True)
class Actor:
    """Somebody who changes something: a user of the panel, or ``cli``."""

    name: str
    address: str = ""
    node_name: str = ""


def record(
    connection: Connection,
    dialect: Dialect,
    actor: Actor,
    action: str,
    target: str,
    detail: dict[str, object] | None = None,
) -> None:
    """Add one line; ``detail`` must not hold secrets."""
    connection.execute(
        text(
            f"INSERT INTO {table('audit_log')} "
            "(at, actor, address, node_name, action, target, detail) VALUES "
            f"({dialect.clock}, :actor, :address, :node, :action, :target, :detail)"
        ),
        {
            "actor": actor.name[:64],
            "address": actor.address[:64],
            "node": actor.node_name[:128],
            "action": action[:64],
            "target": target[:160],
            "detail": json.dumps(detail or {}),
        },
    )
