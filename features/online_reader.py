"""The built features of single members, from the release's snapshot or from an online store.

One port, two adapters made from the same feature service: for the same members both give the same
numbers, held to it by a test. What a store may give back and nobody should believe is told apart
here, once for both.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from features.encoding import Encoding
from features.fresh import SKEW
from features.snapshot import Snapshot

OLDEST = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is believed of built features.

    age: no build older than that; no store of Feast holds its ttl on read.
    not_before: none of before that moment either: an online store may have been given an older
        build over a newer one.
    """

    age: timedelta = OLDEST
    not_before: datetime | None = None


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class MemberRows:
    """Features of some members, in the order asked.

    values: (members, features) float32 in the order of the reader's encoding; NaN where a feature
        is missing, and throughout where the member is not known.
    known: (members,) whether anything is believed of the member.
    at: the build that each row is of; None where not known.
    """

    values: NDArray[np.float32]
    known: NDArray[np.bool_]
    at: tuple[datetime | None, ...]


class OnlineReader(Protocol):
    """Reads built features of single members, as ``encoding`` writes them."""

    @property
    def encoding(self) -> Encoding: ...

    def read(self, members: Sequence[str], now: datetime) -> MemberRows:
        """What is believed at ``now``. Raises ``FeatureError`` where the store does not answer."""


def agreed(moments: Collection[datetime | None], limits: Limits, now: datetime) -> datetime | None:
    """The build that all parts of a member's row are of; None where the row is not to be believed.

    Args:
        moments: of each part, None for one that the store does not have. Parts of two builds are a
            row that was read while the store was given the next one.
    """
    if len(set(moments)) != 1:
        return None
    (moment,) = set(moments)
    if moment is None or moment > now + SKEW or moment < now - limits.age:
        return None
    if limits.not_before is not None and moment < limits.not_before:
        return None
    return moment


@dataclass(frozen=True, slots=True)
class SnapshotReader:
    """The members of a release's packed snapshot."""

    snapshot: Snapshot
    limits: Limits = LIMITS

    @property
    def encoding(self) -> Encoding:
        return self.snapshot.encoding

    def read(self, members: Sequence[str], now: datetime) -> MemberRows:
        moment = agreed([self.snapshot.as_of], self.limits, now)
        rows = self.snapshot.rows(members)
        if moment is None:
            rows = np.full(len(members), -1, dtype=np.int64)
        known = rows >= 0
        at = tuple(moment if one else None for one in known.tolist())
        return MemberRows(self.snapshot.take(rows), known, at)
