"""The elector's state machine: what each step answers, and elections replayed in all orders."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gocron.core.leadership import (
    ASIDE_S,
    HAIR_S,
    NO_TRUST,
    STAND_BY_S,
    AwaitStandBy,
    Commit,
    Committed,
    Connect,
    Connected,
    Disconnect,
    Elected,
    Event,
    Failed,
    GiveUpRow,
    LetGo,
    LockAgain,
    Locked,
    Phase,
    Probe,
    Probed,
    Release,
    State,
    SteppedDown,
    Stop,
    TakeOver,
    TermWentBack,
    Tick,
    TookOver,
    Trust,
    Wait,
    step,
)
from gocron.core.lease import LockRow, Timing
from tests.unit.core.election_world import World, instant

TIMING = Timing(lease_s=15.0, renew_s=5.0, grace_s=1.0, poll_s=0.2)
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)

FOLLOWING = State("me:1", TIMING, Phase.FOLLOWING)
CONFIRMING = replace(FOLLOWING, phase=Phase.CONFIRMING, term=7, sent=100.0, highest_term=7)
LEADING = replace(CONFIRMING, phase=Phase.LEADING)
ROTATING = replace(LEADING, phase=Phase.ROTATING)


def row(age_s: float, *, locked_by: str | None = "other:9", term: int = 6) -> LockRow:
    renewed = NOON - timedelta(seconds=age_s)
    return LockRow(locked_by, term, renewed, renewed + timedelta(seconds=15), NOON)


def about(moment) -> Any:
    return pytest.approx(moment)


def of_kind(actions, kind) -> Any:
    found = [action for action in actions if isinstance(action, kind)]
    assert len(found) == 1, actions
    return found[0]


# following --------------------------------------------------------------------------------------


def test_it_connects_then_looks_then_polls():
    state, actions = step(State("me:1", TIMING), Tick(), 100.0, 0.0)
    assert actions == [Connect()]
    state, actions = step(state, Connected(), 100.0, 0.0)
    assert actions == [Probe()]
    state, actions = step(state, Probed(None), 100.0, 0.0)
    assert actions == [Wait(100.2)]
    assert step(state, Tick(), 100.2, 0.0)[1] == [Probe()]


@pytest.mark.parametrize(("jitter", "wait"), [(-1.0, 0.16), (0.0, 0.2), (1.0, 0.24)])
def test_followers_do_not_poll_in_step(jitter, wait):
    _, actions = step(FOLLOWING, Probed(None), 100.0, jitter)
    assert actions == [Wait(about(100.0 + wait))]


def test_a_row_that_was_just_renewed_is_left_to_its_holder():
    state, actions = step(FOLLOWING, Probed(row(0.0)), 100.0, 0.0)
    assert actions == [LetGo(), Wait(100.2)]
    assert state.phase is Phase.FOLLOWING


def test_a_row_that_is_free_soon_is_looked_at_in_that_moment():
    _, actions = step(FOLLOWING, Probed(row(0.9)), 100.0, 0.0)
    assert actions == [LetGo(), Wait(about(100.1 + HAIR_S))]


@pytest.mark.parametrize("found", [row(1.0), row(0.0, locked_by=None)])
def test_an_old_row_or_one_that_was_given_up_is_taken_over(found):
    state, actions = step(FOLLOWING, Probed(found), 100.0, 0.0)
    assert actions == [TakeOver(above=6)]
    state, actions = step(state, TookOver(7, sent=100.0), 100.01, 0.0)
    assert actions == [LockAgain(until=about(100.8))]
    assert not state.leads


def test_a_database_whose_clock_was_set_back_an_hour_keeps_nobody_waiting():
    """The renewal seems to lie in the future; a grace by our own clock is enough."""
    state, actions = step(FOLLOWING, Probed(row(-3600.0)), 100.0, 0.0)
    assert actions == [LetGo(), Wait(100.2)]
    state, actions = step(state, Probed(row(-3599.1)), 100.9, 0.0)
    assert LetGo() in actions, "another renewal: the wait begins anew"
    state, actions = step(state, Probed(row(-3599.1)), 101.8, 0.0)
    assert LetGo() in actions
    state, actions = step(state, Probed(row(-3599.1)), 101.9, 0.0)
    assert actions == [TakeOver(above=6)]


def test_a_new_session_forgets_what_was_seen_through_the_old_one():
    state, _ = step(FOLLOWING, Probed(row(-3600.0)), 100.0, 0.0)
    state, _ = step(state, Failed("gone"), 100.1, 0.0)
    state, _ = step(state, Connected(), 101.0, 0.0)
    _, actions = step(state, Probed(row(-3600.0)), 101.05, 0.0)
    assert LetGo() in actions


def test_where_row_locks_are_local_only_the_lease_counts():
    state, _ = step(State("me:1", TIMING), Connected(local_locks=False), 100.0, 0.0)
    state, actions = step(state, Probed(row(14.9)), 100.0, 0.0)
    assert actions == [LetGo(), Wait(about(100.1 + HAIR_S))]
    assert step(state, Probed(row(15.0)), 100.2, 0.0)[1] == [TakeOver(above=6)]


def test_where_row_locks_are_local_patience_is_a_whole_lease():
    state, _ = step(State("me:1", TIMING), Connected(local_locks=False), 100.0, 0.0)
    state, _ = step(state, Probed(row(-3600.0)), 100.0, 0.0)
    state, actions = step(state, Probed(row(-3600.0)), 114.9, 0.0)
    assert LetGo() in actions
    assert step(state, Probed(row(-3600.0)), 115.0, 0.0)[1] == [TakeOver(above=6)]


def test_a_term_that_went_back_is_reported_and_counted_on_from_the_higher_one():
    state = replace(FOLLOWING, highest_term=41)
    state, actions = step(state, Probed(row(5.0, term=6)), 100.0, 0.0)
    assert actions == [TermWentBack(found=6, seen=41), TakeOver(above=41)]
    state, _ = step(state, TookOver(42, sent=100.0), 100.0, 0.0)
    assert (state.term, state.highest_term) == (42, 42)


# becoming and staying leader ------------------------------------------------------------------


def test_it_leads_only_once_the_row_is_locked_and_says_so():
    state, actions = step(CONFIRMING, Locked("me:1", 7), 100.5, 0.0)
    assert actions == [Trust(7, until=114.0), Elected(7), Wait(105.0)]
    assert state.leads


@pytest.mark.parametrize(
    "found", [Locked("other:9", 8), Locked("me:1", 8), Locked("me:1", 6), Locked(None, 7)]
)
@pytest.mark.parametrize("state", [CONFIRMING, ROTATING])
def test_another_name_or_term_in_the_row_means_lost(state, found):
    after, actions = step(state, found, 100.3, 0.0)
    assert (after.phase, after.term) == (Phase.FOLLOWING, 0)
    assert actions[-2:] == [LetGo(), Wait(100.5)]
    assert (Trust(7, NO_TRUST) in actions) == state.leads


@pytest.mark.parametrize("state", [CONFIRMING, ROTATING])
def test_a_lock_that_comes_back_late_begins_trust_anew_but_not_after_the_lease(state):
    """Late because the server is slow: trust had lapsed, but nobody took the row meanwhile."""
    late, actions = step(state, Locked("me:1", 7), 113.999, 0.0)
    assert late.phase is Phase.LEADING
    assert actions[0] == Trust(7, until=114.0)
    too_late, actions = step(state, Locked("me:1", 7), 114.0, 0.0)
    assert too_late.phase is Phase.DISCONNECTED
    assert Disconnect() in actions
    assert Elected(7) not in actions


def test_trust_shrinks_to_less_than_a_grace_before_the_row_is_let_go():
    state, actions = step(LEADING, Tick(), 105.0, 0.0)
    assert actions == [Trust(7, until=about(105.8)), Commit()]
    state, actions = step(state, Committed(sent=105.01), 105.02, 0.0)
    assert actions == [LockAgain(until=about(105.81))]
    state, actions = step(state, Locked("me:1", 7), 105.03, 0.0)
    assert actions == [Trust(7, until=about(119.01)), Wait(about(110.01))]


def test_who_slept_through_his_lease_does_not_renew_it():
    awake, _ = step(LEADING, Tick(), 113.99, 0.0)
    assert awake.phase is Phase.ROTATING
    late, actions = step(LEADING, Tick(), 114.0, 0.0)
    assert late.phase is Phase.DISCONNECTED
    assert Commit() not in actions
    assert actions[0] == Trust(7, NO_TRUST)


# doubt ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [FOLLOWING, CONFIRMING, LEADING, ROTATING])
def test_any_error_of_the_database_means_not_leader(state):
    after, actions = step(state, Failed("it broke"), 103.0, 0.0)
    assert (after.phase, after.term, after.failures) == (Phase.DISCONNECTED, 0, 1)
    assert actions[-2:] == [Disconnect(), Wait(103.2)]
    expected = [Trust(7, NO_TRUST), SteppedDown(7, "it broke")] if state.leads else []
    assert actions[:-2] == expected


def test_failures_in_a_row_wait_longer_and_longer_and_a_look_at_the_row_forgives_them():
    state, waits = State("me:1", TIMING), []
    for _ in range(7):
        state, actions = step(state, Failed("refused"), 100.0, 0.0)
        waits.append(of_kind(actions, Wait).until - 100.0)
    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])
    state, _ = step(state, Connected(), 100.0, 0.0)
    assert state.failures == 7, "to connect is not enough"
    state, _ = step(state, Probed(None), 100.0, 0.0)
    assert state.failures == 0


EVENTS: list[Event] = [
    Tick(), Connected(), Probed(None), Probed(row(9.0)), TookOver(8, 100.0), Committed(100.0),
    Locked("me:1", 7), Locked("me:1", 7, "ada"), Locked("other:9", 8), Failed("x"), Release(),
]  # fmt: skip


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("phase", Phase)
def test_every_event_is_answered_in_every_state_and_never_with_trust_it_does_not_have(phase, event):
    term = 7 if phase in (Phase.CONFIRMING, Phase.LEADING, Phase.ROTATING) else 0
    state = State("me:1", TIMING, phase, term=term, sent=100.0 if term else 0.0)
    after, actions = step(state, event, 100.1, 0.5)
    if phase is Phase.RELEASED:
        assert (after, actions) == (state, [])
        return
    trusted = [action for action in actions if isinstance(action, Trust) and action.until]
    if trusted:
        assert after.leads
        assert trusted[0].until <= 100.1 + TIMING.lease_s - TIMING.grace_s
    if state.leads and not after.leads:
        assert actions[0] == Trust(7, NO_TRUST), "trust ends before anything else happens"
        assert isinstance(of_kind(actions, SteppedDown), SteppedDown)
    if not state.leads and after.leads:
        assert phase is Phase.CONFIRMING
        assert isinstance(event, Locked)
        assert (event.locked_by, event.term) == ("me:1", 7)


# letting go -------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [LEADING, ROTATING])
def test_a_leader_that_lets_go_ends_its_trust_before_it_gives_the_row_up(state):
    after, actions = step(state, Release(), 102.0, 0.0)
    assert actions == [
        Trust(7, NO_TRUST),
        GiveUpRow(7),
        SteppedDown(7, "released", orderly=True),
        Disconnect(),
        Stop(),
    ]
    assert after.phase is Phase.RELEASED


def test_who_was_about_to_lead_gives_the_row_up_without_a_word():
    _, actions = step(CONFIRMING, Release(), 102.0, 0.0)
    assert actions == [Trust(7, NO_TRUST), GiveUpRow(7), Disconnect(), Stop()]


def test_who_lets_go_while_his_name_is_being_written_gives_the_row_up_too():
    """The write may have arrived: nobody should have to wait for a leader that never was."""
    state, _ = step(FOLLOWING, Probed(row(5.0)), 100.0, 0.0)
    _, actions = step(state, Release(), 100.01, 0.0)
    assert GiveUpRow(7) in actions


def test_a_follower_just_leaves():
    assert step(FOLLOWING, Release(), 102.0, 0.0)[1] == [Disconnect(), Stop()]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_after_letting_go_nothing_is_published_whatever_happens(event):
    released, _ = step(LEADING, Release(), 102.0, 0.0)
    assert step(released, event, 103.0, 0.0) == (released, [])


# stepping down ----------------------------------------------------------------------------------


def test_who_is_asked_to_step_down_gives_the_row_up_after_the_scheduler_has_stood_by():
    after, actions = step(ROTATING, Locked("me:1", 7, "ada"), 105.0, 0.0)
    assert actions == [
        Trust(7, NO_TRUST),
        SteppedDown(7, "asked to step down by ada", orderly=True),
        AwaitStandBy(105.0 + STAND_BY_S),
        GiveUpRow(7, "asked to step down by ada"),
        Wait(105.2),
    ]
    assert (after.phase, after.term) == (Phase.FOLLOWING, 0)


def test_it_does_not_wait_for_the_scheduler_longer_than_its_lease():
    _, actions = step(ROTATING, Locked("me:1", 7, "ada"), 113.5, 0.0)
    assert of_kind(actions, AwaitStandBy).until == about(114.0)


def test_who_was_only_just_elected_leads_first():
    after, _ = step(CONFIRMING, Locked("me:1", 7, "ada"), 100.1, 0.0)
    assert after.phase is Phase.LEADING


def test_who_stepped_down_leaves_the_row_to_others_for_a_while_and_then_takes_it():
    given_up = row(0.0, locked_by=None, term=7)
    state, _ = step(ROTATING, Locked("me:1", 7, "ada"), 105.0, 0.0)
    state, actions = step(state, Probed(given_up), 105.2, 0.0)
    assert actions == [LetGo(), Wait(about(105.4))]
    _, actions = step(state, Probed(given_up), 105.0 + ASIDE_S - 0.01, 0.0)
    assert LetGo() in actions
    _, actions = step(state, Probed(given_up), 105.0 + ASIDE_S, 0.0)
    assert actions == [TakeOver(above=7)]


def test_who_stepped_down_takes_over_at_once_from_a_successor_that_has_died():
    state, _ = step(ROTATING, Locked("me:1", 7, "ada"), 105.0, 0.0)
    _, actions = step(state, Probed(row(1.5, term=8)), 107.0, 0.0)
    assert actions == [TakeOver(above=8)]


# elections replayed -----------------------------------------------------------------------------

QUICK = Timing(lease_s=5.0, renew_s=2.0, grace_s=0.8, poll_s=0.2)
PAUSES = (0.0005, 0.003, 0.05, 0.2, 0.64, 0.8, 1.3, 2.0, 4.2, 5.0, 9.0)


def wander(world: World, chance: random.Random, moves: int) -> None:
    """Electors take turns at random; anything may fail, crash, freeze or be cut off."""
    for _ in range(moves):
        world.jitter = chance.uniform(-1, 1)
        number = chance.randrange(len(world.nodes))
        node, dice = world.nodes[number], chance.random()
        if dice < 0.22:
            longest = 11 if chance.random() < 0.1 else 6
            world.pass_time(chance.choice(PAUSES[:longest]) * chance.uniform(0.9, 1.1))
            if chance.random() < 0.9:
                world.end_idle_transactions()
        elif dice < 0.225:
            world.crash(number)
        elif dice < 0.23:
            node.cut_off = not node.cut_off
        elif dice < 0.231 and not node.stopped:
            world.release(number)
        elif dice < 0.2325:
            node.asked = True
        elif dice < 0.245 and world.in_database(number):
            world.fail(number, after=chance.random() < 0.5)
        else:
            for _step in range(chance.choice((1, 1, 2, 5))):
                if world.can_move(number):
                    world.move(number)


@pytest.mark.parametrize("local_locks", [True, False], ids=["row locks hold", "Galera"])
def test_no_two_electors_trust_themselves_at_once_and_somebody_leads_again(local_locks):
    led = 0
    for seed in range(300):
        chance = random.Random(seed)
        names = ["a:1", "b:1", "c:1"] if seed % 5 else ["same:1", "same:1", "c:1"]
        world = World(names, QUICK, local_locks=local_locks)
        wander(world, chance, 900)
        before = len(world.elected)
        world.calm(QUICK.lease_s + 3 * QUICK.renew_s)
        if world.leader() is None:
            world.calm(ASIDE_S)  # one may be left that has only just stepped down
        leader = world.leader()
        if all(node.stopped for node in world.nodes):
            assert leader is None
            continue
        assert leader is not None, f"seed {seed}: nobody leads"
        assert leader.trust[0] == world.server.row.term
        led += before
    assert led > 1500, "the replay is worth something only if leadership changes a lot"


@pytest.mark.parametrize("local_locks", [True, False], ids=["row locks hold", "Galera"])
def test_a_leader_that_is_killed_is_followed_within_a_grace_or_a_lease(local_locks):
    for seed in range(40):
        world = World(["a:1", "b:1", "c:1"], QUICK, local_locks=local_locks)
        world.calm(10.0 + seed * 0.1)
        leader = world.leader()
        assert leader is not None
        number = world.nodes.index(leader)
        world.crash(number)
        world.nodes[number].stopped = True
        killed = world.now
        world.calm(20.0, until=lambda world: world.leader() is not None)
        limit = QUICK.grace_s + QUICK.poll_s if local_locks else QUICK.lease_s
        assert world.now - killed <= limit + 3 * QUICK.poll_s


def test_a_released_row_is_taken_over_at_the_next_poll():
    world = World(["a:1", "b:1"], QUICK)
    world.calm(4.0)
    leader = world.leader()
    assert leader is not None
    world.release(world.nodes.index(leader))
    let_go = world.now
    world.calm(5.0, until=lambda world: world.leader() not in (None, leader))
    assert world.now - let_go <= 1.5 * QUICK.poll_s


@pytest.mark.parametrize("local_locks", [True, False], ids=["row locks hold", "Galera"])
def test_a_leader_that_is_asked_to_step_down_is_followed_by_another_one(local_locks):
    for seed in range(40):
        world = World(["a:1", "b:1", "c:1"], QUICK, local_locks=local_locks)
        world.calm(10.0 + seed * 0.1)
        leader = world.leader()
        assert leader is not None
        term, leader.asked = world.server.row.term, True
        asked = world.now
        world.calm(20.0, until=lambda world, leader=leader: world.leader() not in (None, leader))
        assert world.now - asked <= QUICK.renew_s + 3 * QUICK.poll_s
        world.calm(ASIDE_S + QUICK.lease_s)
        assert world.leader() not in (None, leader), "it does not come back by itself"
        assert world.server.row.term == term + 1


def test_who_steps_down_with_nobody_there_to_follow_leads_again_after_the_pause():
    world = World(["a:1"], QUICK)
    world.calm(4.0)
    world.nodes[0].asked = True
    world.calm(9.0, until=lambda world: world.leader() is None)
    gone = world.now
    world.calm(60.0, until=lambda world: world.leader() is not None)
    assert ASIDE_S - 0.1 <= world.now - gone <= ASIDE_S + 3 * QUICK.poll_s
    assert world.server.row.term == 2


def test_a_leader_frozen_between_commit_and_lock_that_wakes_in_its_followers_gap_is_lost():
    """It gets the lock, within its lease: only the name in the row says that it was followed."""

    def phase(number: int) -> Phase:
        return world.nodes[number].state.phase

    def in_the_gap(number: int) -> bool:
        actions = world.nodes[number].actions
        return bool(actions) and isinstance(actions[0], LockAgain)

    def only(number: int, limit_s: float) -> None:
        end = world.now + limit_s
        while not in_the_gap(number) and world.now < end:
            if world.can_move(number):
                world.move(number)
            else:
                world.pass_time(0.01)

    world = World(["a:1", "b:1"], QUICK)
    only(0, 9.0)
    world.move(0)
    only(0, 9.0)
    assert phase(0) is Phase.ROTATING
    frozen = world.now
    only(1, 9.0)
    world.move(1)
    world.pass_time(0.01)
    while phase(1) is not Phase.ROTATING:
        only(1, 0.01)
    only(1, 9.0)
    assert QUICK.grace_s < world.now - frozen < QUICK.lease_s - QUICK.grace_s
    while world.can_move(0):
        world.move(0)
    assert phase(0) is Phase.FOLLOWING
    assert world.nodes[0].trust[1] <= world.now
    world.calm(2 * QUICK.lease_s)
    assert world.leader() is not None


def test_a_clock_of_the_database_that_jumps_splits_no_term_and_stops_nobody():
    for seed in range(60):
        chance = random.Random(seed)
        world = World(["a:1", "b:1"], QUICK)
        world.overlap_allowed = True  # a jump ahead in the very gap of a rotation ages the row
        for _ in range(5):
            wander(world, chance, 60)
            world.server.clock_offset += chance.choice((-3600.0, -5.0, 5.0, 3600.0))
        world.calm(QUICK.lease_s + 3 * QUICK.renew_s)
        if not all(node.stopped for node in world.nodes):
            assert world.leader() is not None, f"seed {seed}"


# all orders -------------------------------------------------------------------------------------

COARSE = Timing(lease_s=5.0, renew_s=2.0, grace_s=1.25, poll_s=0.5)
TICK_S = 0.25


def fingerprint(world: World) -> tuple[Any, ...]:
    """What distinguishes this world's future: moments relative to now, old ones alike."""

    def ago(moment: float) -> float:
        return round(max(moment - world.now, -6.0), 3)

    server = world.server
    numbers = {number: place for place, number in enumerate(sorted(server.sessions))}
    base = server.row.term
    known = (base, instant(server.row.renewed))
    return (
        server.row.locked_by, ago(server.row.renewed), ago(server.row.expires),
        numbers.get(server.locked_by or 0),
        tuple(
            (s.read_version is not None, s.read_version == server.row.version,
             s.pending and (s.pending.locked_by, s.pending.term - base, ago(s.pending.renewed)),
             ago(s.heard))
            for _, s in sorted(server.sessions.items())
        ),
        tuple(
            (n.state.phase, n.state.term - base, ago(n.state.sent), n.state.highest_term - base,
             min(n.state.failures, 3), n.state.free_row == known,
             ago(n.state.free_since), numbers.get(n.session or 0), n.written, n.stopped,
             n.sent and ago(n.sent), n.trust[0] - base, ago(n.trust[1]),
             tuple(faded(e, ago, base) for e in n.events),
             tuple(faded(a, ago, base) for a in n.actions))
            for n in world.nodes
        ),
    )  # fmt: skip


def faded(thing: Any, ago: Any, base: int) -> tuple[Any, ...]:
    parts: list[Any] = [type(thing).__name__]
    for name, value in vars(thing).items():
        if isinstance(value, LockRow):
            parts.append((value.locked_by, value.term - base, str(value.renewed_at)))
        elif isinstance(value, float):
            parts.append(ago(value))
        else:
            parts.append(value - base if name in ("term", "above") else value)
    return tuple(parts)


def successors(world: World, faults: int) -> list[tuple[World, int]]:
    """Every world that may come next, with the faults that are left."""
    found: list[tuple[World, int]] = []

    def then(change: str, *arguments: Any, cost: int = 0, **options: Any) -> None:
        twin = world.copy()
        getattr(twin, change)(*arguments, **options)
        found.append((twin, faults - cost))

    for number, node in enumerate(world.nodes):
        if world.can_move(number):
            then("move", number)
        if faults and not node.stopped:
            then("crash", number, cost=1)
            if not isinstance(node.events[0] if node.events else None, Release):
                then("release", number, cost=1)
            if world.in_database(number):
                then("fail", number, cost=1)
                then("fail", number, after=True, cost=1)
    if world.server.end_idle(world.now):
        then("end_idle_transactions")
    then("pass_time", TICK_S)
    return found


@pytest.mark.parametrize("local_locks", [True, False], ids=["row locks hold", "Galera"])
def test_in_every_order_of_events_around_a_rotation_nobody_leads_twice(local_locks):
    """Breadth first from the moment in which a leader begins to renew while another one polls."""
    world = World(["a:1", "b:1"], COARSE, local_locks=local_locks)
    world.calm(9.0, until=lambda world: world.leader() is not None)
    world.calm(9.0, until=lambda world: world.nodes[0].state.phase is Phase.ROTATING)
    world.now = round(world.now / TICK_S) * TICK_S
    frontier, seen, rounds = [(world, 1)], {(fingerprint(world), 1)}, 0
    while frontier and len(seen) < 20_000:
        following = []
        for origin, faults in frontier:
            for after, left in successors(origin, faults):
                key = (fingerprint(after), left)
                if key not in seen:
                    seen.add(key)
                    following.append((after, left))
        frontier, rounds = following, rounds + 1
    assert rounds >= 10
