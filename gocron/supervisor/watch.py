"""Whether a child still does something: its tick on the board has to move."""

from __future__ import annotations


class TickWatch:
    """Counts looks at a tick that does not move; looks are at least ``apart_s`` seconds apart."""

    def __init__(self, most_looks: int, apart_s: float) -> None:
        self._most = most_looks
        self._apart_s = apart_s
        self._seen: dict[str, tuple[int, float, int, float]] = {}

    def stuck(self, name: str, pid: int, tick: float | None, now: float) -> bool:
        """Whether the process ``pid`` has shown the same ``tick`` for too many looks; None means
        that nothing is expected of it at the moment."""
        if tick is None:
            self._seen.pop(name, None)
            return False
        seen = self._seen.get(name)
        if seen is None or seen[:2] != (pid, tick):
            self._seen[name] = (pid, tick, 0, now)
            return False
        looks, last = seen[2:]
        if now - last < self._apart_s * 0.9:
            return False
        self._seen[name] = (pid, tick, looks + 1, now)
        if looks + 1 < self._most:
            return False
        del self._seen[name]
        return True
