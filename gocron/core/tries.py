"""How often somebody may be wrong about the wizard's token. Pure: time is an argument."""

from __future__ import annotations

from collections import OrderedDict, deque

MOST = 5
WITHIN_S = 60.0
MOST_ADDRESSES = 1000
"""Of more than this many the one that was wrong longest ago is forgotten."""


class Tries:
    """Wrong tries by address. The token cannot be guessed anyway; this keeps the log short and
    makes guessing pointless. Nobody can lock out anybody else with it."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def may_try(self, address: str, now: float) -> bool:
        """Whether this address has been wrong less than ``MOST`` times in ``WITHIN_S``."""
        times = self._wrong.get(address)
        while times and now - times[0] >= WITHIN_S:
            times.popleft()
        return not times or len(times) < MOST

    def was_wrong(self, address: str, now: float) -> None:
        """One more."""
        self._wrong.setdefault(address, deque(maxlen=MOST)).append(now)
        self._wrong.move_to_end(address)
        if len(self._wrong) > MOST_ADDRESSES:
            self._wrong.popitem(last=False)
