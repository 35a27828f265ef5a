"""The fresh features that were read last, for when the store does not answer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from features.fresh_reader import Fresh

MEMBERS = 20_000  # about a kilobyte each
AGE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of one member, and when the read began."""

    fresh: Fresh
    at: datetime


class LastKnown:
    """The last reads of the members asked for lately. Threads may share one.

    Args:
        members: as many are kept; then whoever was not asked for the longest goes.
        age: what was read longer ago is not given any more.
    """

    def __init__(self, members: int = MEMBERS, age: timedelta = AGE) -> None:
        self._members = members
        self._age = age
        self._lock = threading.Lock()
        self._reads: OrderedDict[str, Read] = OrderedDict()

    def keep(self, found: Mapping[str, Fresh], at: datetime) -> None:
        """Of a member whose kept read is newer, that one stays."""
        with self._lock:
            for member, fresh in found.items():
                known = self._reads.get(member)
                if known is None or known.at <= at:
                    self._reads[member] = Read(fresh, at)
                self._reads.move_to_end(member)
            while len(self._reads) > self._members:
                self._reads.popitem(last=False)

    def of(self, members: Iterable[str], now: datetime) -> dict[str, Fresh]:
        """What is kept of those members and not too old at ``now``."""
        found: dict[str, Fresh] = {}
        with self._lock:
            for member in members:
                known = self._reads.get(member)
                if known is None:
                    continue
                if now - known.at > self._age:
                    del self._reads[member]
                    continue
                self._reads.move_to_end(member)
                found[member] = known.fresh
        return found

    def forget(self, member: str) -> None:
        with self._lock:
            self._reads.pop(member, None)

    def __len__(self) -> int:
        return len(self._reads)
