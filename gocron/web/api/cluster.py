"""``/cluster``: who leads, which nodes there are, who led when; stepping down."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from http import HTTPStatus

from gocron.db import cluster, step_down
from gocron.web.api.operations import Answer, Call, Need, api
from gocron.web.api.shapes import Page, Sent, cursor_of, place_of


class Process(Sent):
    """A child process of a node."""

    name: str
    phase: str
    pid: int
    restarts: int


class Node(Sent):
    """``state`` is leader, follower, stopped or lost; ``running`` counts runs; ``processes`` are as
    of the last heartbeat; ``step_down_by``: who has asked this leader to step down."""

    name: str
    host: str
    pid: int
    port: int
    version: str
    started_at: datetime
    heartbeat_age_s: float
    running: int
    state: str
    processes: list[Process]
    step_down_by: str


class Cluster(Sent):
    """``leader`` is the name of a node, None when nobody leads; ``renewed_at`` and ``lease_age_s``
    are about the last lease there was, None before the first one; ``now`` is the database's."""

    now: datetime
    leader: str | None
    term: int
    renewed_at: datetime | None
    lease_age_s: float | None
    expires_at: datetime | None
    nodes: list[Node]


class Term(Sent):
    """A leadership; ``ended_at`` is None while nobody has noticed its end."""

    term: int
    node_name: str
    began_at: datetime
    ended_at: datetime | None
    end_reason: str


class TermPage(Sent):
    """Newest first; ``next`` is the cursor of the page behind this one, None at the end."""

    items: list[Term]
    next: str | None


class SteppingDown(Sent):
    """The node that was asked; another one leads within seconds."""

    node: str


@api.operation("GET", "/cluster", Need.CLUSTER, answers={HTTPStatus.OK: Cluster})
def show_cluster(call: Call) -> Answer:
    """Show who leads, and all nodes."""
    found = cluster.look(call.context.database)
    leader, age = found.leader, found.lease_age_s
    return Answer(
        Cluster(
            now=found.now,
            leader=None if leader is None else leader.node_name,
            term=found.term,
            renewed_at=None if age is None else found.now - timedelta(seconds=age),
            lease_age_s=age,
            expires_at=None if leader is None else leader.expires_at,
            nodes=[Node(**asdict(member)) for member in found.members],
        )
    )


@api.operation(
    "GET",
    "/cluster/leadership",
    Need.CLUSTER,
    query=Page,
    answers={HTTPStatus.OK: TermPage},
)
def list_terms(call: Call) -> Answer:
    """List who led, newest first."""
    query: Page = call.query
    place = place_of(query.cursor, [int])
    before = None if place is None else place[0]
    found = cluster.history(call.context.database, query.limit + 1, before)
    shown = found[: query.limit]
    items = [Term(**{name: getattr(past, name) for name in Term.model_fields}) for past in shown]
    more = len(found) > query.limit
    return Answer(TermPage(items=items, next=cursor_of(shown[-1].term) if more else None))


@api.operation(
    "POST",
    "/cluster/step-down",
    Need.ADMIN,
    answers={HTTPStatus.ACCEPTED: SteppingDown},
    problems=frozenset({HTTPStatus.CONFLICT}),
)
def step_leader_down(call: Call) -> Answer:
    """Ask the leader to let another node lead."""
    name = step_down.ask(call.context.database, call.caller.actor)
    return Answer(SteppingDown(node=name), HTTPStatus.ACCEPTED)
