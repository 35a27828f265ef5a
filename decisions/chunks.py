"""Work on many members, piece by piece on all cores, with results that do not depend on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")

# Elements (members × slots) of one piece: its arrays stay in the processor's cache.
_ELEMENTS = 1 << 17


def pieces(members: int, slots: int) -> list[slice]:
    """Rows cut into pieces whose size depends on the number of slots alone."""
    step = max(256, _ELEMENTS // max(slots, 1))
    return [slice(start, min(start + step, members)) for start in range(0, members, step)]


def in_pieces(work: Callable[[slice], Part], members: int, slots: int) -> Iterator[Part]:
    """``work`` of every piece, in the order of the rows; numpy leaves the cores free meanwhile."""
    parts = pieces(members, slots)
    cores = min(os.cpu_count() or 1, len(parts))
    if cores < 2:
        yield from map(work, parts)
        return
    with ThreadPoolExecutor(cores) as pool:
        yield from pool.map(work, parts)
