"""How long a call may take."""

from __future__ import annotations

DEFAULT_SECONDS = 0.1
LONGEST_SECONDS = 60.0
_FIRST = 100  # members that the default is for
_EACH_SECONDS = 0.001  # more for each member of a call beyond them


def allowed(asked: float | None, default: float, members: int) -> float:
    """Seconds until a call about ``members`` must be answered that asked for so many, if any."""
    if asked is not None:
        return min(asked, LONGEST_SECONDS)
    return default + _EACH_SECONDS * max(members - _FIRST, 0)
