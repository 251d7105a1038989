"""The boxes of a graph overlap neither each other nor the arrows."""

from __future__ import annotations

import random
import re

import pytest

from admin.graph_layout import BOX_HEIGHT, BOX_WIDTH, Layout, arrange


def graph(seed: int, count: int) -> list[tuple[int, int]]:
    """(parent, child) without cycles: a child has the greater number."""
    draw = random.Random(seed)
    edges = set()
    for child in range(1, count):
        for _ in range(draw.choice((0, 1, 1, 2, 3))):
            edges.add((draw.randrange(child), child))
    return sorted(edges)


def overlaps(layout: Layout) -> list[tuple[int, int]]:
    return [
        (one.id, other.id)
        for one in layout.boxes
        for other in layout.boxes
        if one.id < other.id
        and abs(one.x - other.x) < BOX_WIDTH
        and abs(one.y - other.y) < BOX_HEIGHT
    ]


@pytest.mark.parametrize("seed", range(20))
def test_nothing_overlaps(seed):
    edges = graph(seed, 30)
    layout = arrange(range(30), edges)
    assert len(layout.boxes) == 30
    assert overlaps(layout) == []
    assert {(arrow.parent_id, arrow.child_id) for arrow in layout.arrows} == set(edges)
    for box in layout.boxes:
        assert 0 <= box.x <= layout.width - BOX_WIDTH
        assert 0 <= box.y <= layout.height - BOX_HEIGHT


@pytest.mark.parametrize("seed", range(20))
def test_an_arrow_leads_from_left_to_right_and_beneath_no_box(seed):
    layout = arrange(range(30), graph(seed, 30))
    boxes = {box.id: box for box in layout.boxes}
    for arrow in layout.arrows:
        assert boxes[arrow.parent_id].x < boxes[arrow.child_id].x
        # Where it passes a column it runs straight on at one height: (x, y) of these lines.
        for x, y in re.findall(r"L(\d+) (\d+)C", arrow.path):
            column = [box for box in layout.boxes if box.x + BOX_WIDTH == int(x)]
            assert not [box for box in column if box.y <= int(y) <= box.y + BOX_HEIGHT]


def test_a_chain_is_a_line():
    layout = arrange(range(4), [(0, 1), (1, 2), (2, 3)])
    assert [box.level for box in layout.boxes] == [0, 1, 2, 3]
    assert len({box.y for box in layout.boxes}) == 1


def test_what_has_no_parents_stands_next_to_its_first_child():
    layout = arrange(range(4), [(0, 1), (1, 2), (3, 2)])
    assert [box.level for box in layout.boxes] == [0, 1, 2, 1]


def test_a_single_task_is_a_graph_too():
    layout = arrange([7], [])
    assert [(box.id, box.level) for box in layout.boxes] == [(7, 0)]
    assert layout.arrows == ()
