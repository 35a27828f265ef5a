"""How many calls may be inside at once: as many as are answered in time, learned as they come."""

from __future__ import annotations

_FIRST, _LEAST, _MOST = 64.0, 8.0, 1_024.0
_TIGHT = 0.5  # of its time that a call may take before there are too many inside
_SHRINK = 0.9


class Room:
    """Additive increase, multiplicative decrease, as TCP finds its window (Jacobson 1988).

    A call that took most of its time tells that there are too many inside; one that was quick while
    the room was full tells that more would fit. Used by one event loop, so it needs no lock.
    """

    def __init__(self) -> None:
        self._most = _FIRST
        self._inside = 0
        self._since = 0  # calls that ended since it last shrank

    @property
    def most(self) -> int:
        """Calls that fit now."""
        return int(self._most)

    @property
    def full(self) -> bool:
        """Whether nobody may enter now."""
        return self._inside >= int(self._most)

    def enter(self) -> bool:
        """Whether there was room; who enters must leave."""
        if self.full:
            return False
        self._inside += 1
        return True

    def leave(self) -> None:
        self._inside -= 1

    def took(self, share: float) -> None:
        """A call was answered after ``share`` of its time."""
        self._since += 1
        if share > _TIGHT:
            # Calls that were inside together are late together: they count once.
            if self._since > self._most:
                self._most = max(_LEAST, self._most * _SHRINK)
                self._since = 0
        elif self._inside >= int(self._most) - 1:
            self._most = min(_MOST, self._most + 1 / self._most)
