"""Where the boxes and arrows of a graph of tasks stand, level by level from left to right. Pure.

Every task stands in a column right of all it runs after. An arrow that passes a column takes a
place of its own there, as a task would, so no arrow runs beneath a box. Within a column what
belongs together is moved together, by the middle of its neighbours, a few times to and fro.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

BOX_WIDTH = 176
BOX_HEIGHT = 44
COLUMN_GAP = 64
ROW_GAP = 18
LANE_HEIGHT = 10
MARGIN = 8
SWEEPS = 6

Key = int | tuple[int, int, int]
"""A task, or the place of an arrow (from, to) in a column."""


@dataclass(frozen=True)
class Box:
    """``x`` and ``y`` of the upper left corner, in pixels; ``level`` 0 runs after nothing here."""

    id: int
    level: int
    x: int
    y: int


@dataclass(frozen=True)
class Arrow:
    """``path`` is that of an SVG."""

    parent_id: int
    child_id: int
    path: str


@dataclass(frozen=True)
class Layout:
    """In pixels."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def arrange(ids: Iterable[int], edges: Sequence[tuple[int, int]]) -> Layout:
    """``edges`` are (parent, child) without cycles."""
    levels = _levels(ids, edges)
    columns, ways = _columns(levels, edges)
    _untangle(columns, ways)
    tops = _tops(columns)
    boxes = tuple(Box(one, levels[one], _left(levels[one]), tops[one]) for one in sorted(levels))
    arrows = tuple(Arrow(way[0], way[-1], _path(way, levels, tops)) for way in ways)  # type: ignore[arg-type]
    depth = len(columns)
    width = 2 * MARGIN + depth * BOX_WIDTH + max(depth - 1, 0) * COLUMN_GAP
    lowest = max((tops[key] + _height(key) for column in columns for key in column), default=0)
    return Layout(width, lowest + MARGIN, boxes, arrows)


def _levels(ids: Iterable[int], edges: Sequence[tuple[int, int]]) -> dict[int, int]:
    parents: dict[int, list[int]] = {one: [] for one in ids}
    for parent, child in edges:
        parents[child].append(parent)
    levels: dict[int, int] = {}
    for one in TopologicalSorter(parents).static_order():
        levels[one] = max((levels[parent] + 1 for parent in parents[one]), default=0)
    return _pulled_right(levels, edges)


def _pulled_right(levels: dict[int, int], edges: Sequence[tuple[int, int]]) -> dict[int, int]:
    """What runs after nothing stands next to the first that runs after it: arrows stay short."""
    have_parents = {child for _, child in edges}
    for one in levels:
        below = [levels[child] for parent, child in edges if parent == one]
        if below and one not in have_parents:
            levels[one] = min(below) - 1
    return levels


def _columns(
    levels: Mapping[int, int], edges: Sequence[tuple[int, int]]
) -> tuple[list[list[Key]], list[list[Key]]]:
    """What stands in each column, and for each edge the places that its arrow goes through."""
    columns: list[list[Key]] = [[] for _ in range(max(levels.values(), default=-1) + 1)]
    for one in sorted(levels):
        columns[levels[one]].append(one)
    ways: list[list[Key]] = []
    for parent, child in edges:
        lanes: list[Key] = []
        for level in range(levels[parent] + 1, levels[child]):
            lanes.append((parent, child, level))
            columns[level].append(lanes[-1])
        ways.append([parent, *lanes, child])
    return columns, ways


def _untangle(columns: list[list[Key]], ways: Sequence[Sequence[Key]]) -> None:
    left: dict[Key, list[Key]] = {}
    right: dict[Key, list[Key]] = {}
    for way in ways:
        for one, other in itertools.pairwise(way):
            right.setdefault(one, []).append(other)
            left.setdefault(other, []).append(one)
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        order = range(1, len(columns)) if forward else range(len(columns) - 2, -1, -1)
        for number in order:
            beside = columns[number - 1 if forward else number + 1]
            place = {key: index for index, key in enumerate(beside)}
            columns[number] = _sorted(columns[number], left if forward else right, place)


def _sorted(
    column: list[Key], neighbours: Mapping[Key, Sequence[Key]], place: Mapping[Key, int]
) -> list[Key]:
    def middle(index: int) -> float:
        found = [place[other] for other in neighbours.get(column[index], ())]
        return sum(found) / len(found) if found else float(index)

    return [column[index] for index in sorted(range(len(column)), key=middle)]


def _height(key: Key) -> int:
    return BOX_HEIGHT if isinstance(key, int) else LANE_HEIGHT


def _tops(columns: Sequence[Sequence[Key]]) -> dict[Key, int]:
    """Columns stand around a common middle."""
    heights = [
        sum(_height(key) for key in column) + ROW_GAP * max(len(column) - 1, 0)
        for column in columns
    ]
    tallest = max(heights, default=0)
    tops: dict[Key, int] = {}
    for column, height in zip(columns, heights, strict=True):
        y = MARGIN + (tallest - height) // 2
        for key in column:
            tops[key] = y
            y += _height(key) + ROW_GAP
    return tops


def _left(level: int) -> int:
    return MARGIN + level * (BOX_WIDTH + COLUMN_GAP)


def _path(way: Sequence[Key], levels: Mapping[int, int], tops: Mapping[Key, int]) -> str:
    level = levels[way[0]]  # type: ignore[index]
    parts: list[str] = []
    for number, (one, other) in enumerate(itertools.pairwise(way)):
        x, y = _left(level + number) + BOX_WIDTH, tops[one] + _height(one) // 2
        to_x, to_y = _left(level + number + 1), tops[other] + _height(other) // 2
        bend = (x + to_x) // 2
        parts.append(f"{'M' if number == 0 else 'L'}{x} {y}C{bend} {y} {bend} {to_y} {to_x} {to_y}")
    return "".join(parts)
