"""Who is in which arm: a hash of the experiment and the member says it, and needs no memory.

Any language can say the same: the bucket of a member is the first eight bytes of the SHA-256 of
``arm:EXPERIMENT:MEMBER`` in UTF-8, read as a big-endian unsigned integer, modulo 10,000. An
experiment takes part of its layer's members; there the bucket is that of ``layer:LAYER:MEMBER``,
which is independent of the other. Names of experiments and layers hold no colon, so no two
different triples read alike. docs/assignment.md has test vectors.

Source: overlapping layers: Tang et al., Overlapping Experiment Infrastructure, KDD 2010; hashing:
Kohavi, Tang and Xu, Trustworthy Online Controlled Experiments, 2020, chapter 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from experiments.design import Experiment
from experiments.errors import ExperimentError

BUCKETS = 10_000
NOBODY = -1
Range = tuple[int, int]  # first bucket, and the one after the last


def buckets(kind: str, name: str, members: Sequence[str]) -> NDArray[np.int64]:
    """(n,) buckets, 0 to 9,999, of ``members``.

    Args:
        kind: ``arm`` or ``layer``. name: of the experiment or of the layer.
    """
    prefix = sha256(f"{kind}:{name}:".encode())
    digests = bytearray()
    for member in members:
        one = prefix.copy()
        one.update(member.encode())
        digests += one.digest()[:8]
    found = np.frombuffer(bytes(digests), dtype=">u8") % np.uint64(BUCKETS)
    return found.astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """Which bucket is whose.

    names: of the arms. owner: (10,000,) positions in ``names``.
    """

    names: tuple[str, ...]
    owner: NDArray[np.int64]

    @classmethod
    def of(cls, shares: Mapping[str, float]) -> Self:
        """Each arm gets buckets that follow each other, in the order of ``shares``.

        Raises:
            ExperimentError: an arm with a share gets no bucket, or shares do not add up to 1.
        """
        counts = _counts(shares)
        return cls(tuple(shares), np.repeat(np.arange(len(counts)), counts))

    def changed(self, shares: Mapping[str, float]) -> Allocation:
        """The same with other shares, and as few buckets moved as can be.

        An arm that shrinks gives its last buckets; they go to those that grow, in order. Who was in
        the experiment before stays in the arm nonetheless: that is for the log to tell.
        """
        if tuple(shares) != self.names:
            raise ExperimentError(
                f"arms are {', '.join(self.names)}; shares name {', '.join(shares)}"
            )
        owner = self.owner.copy()
        wanted = _counts(shares)
        short = wanted - np.bincount(owner, minlength=len(wanted))
        given = [np.flatnonzero(owner == arm)[less:] for arm, less in enumerate(short) if less < 0]
        free = np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *given]))
        grows = np.flatnonzero(short > 0)
        owner[free] = np.repeat(grows, short[grows])
        return Allocation(self.names, owner)

    def share(self, name: str) -> float:
        """Of the buckets; ``ValueError`` on an arm that is not there."""
        return float((self.owner == self.names.index(name)).mean())

    def arms_of(self, experiment_id: str, members: Sequence[str]) -> NDArray[np.int64]:
        """(n,) position of each member's arm in ``names``."""
        return np.asarray(self.owner[buckets("arm", experiment_id, members)])

    def to_json(self) -> list[list[Any]]:
        """``[first, after the last, name]`` of each run of buckets of one arm."""
        edges = np.flatnonzero(np.diff(self.owner)) + 1
        starts, stops = [0, *edges.tolist()], [*edges.tolist(), BUCKETS]
        return [
            [start, stop, self.names[self.owner[start]]]
            for start, stop in zip(starts, stops, strict=True)
        ]

    @classmethod
    def from_json(cls, names: tuple[str, ...], runs: Iterable[Sequence[Any]]) -> Self:
        """What ``to_json`` wrote. ``ExperimentError`` where buckets are missing or named twice."""
        owner = np.full(BUCKETS, NOBODY)
        for start, stop, name in runs:
            if (owner[start:stop] != NOBODY).any():
                raise ExperimentError(f"buckets {start} to {stop} belong to two arms")
            owner[start:stop] = names.index(name)
        if (owner == NOBODY).any():
            raise ExperimentError(f"bucket {int((owner == NOBODY).argmax())} belongs to no arm")
        return cls(names, owner)


def free_slots(taken: Iterable[Iterable[Range]], traffic: float) -> tuple[Range, ...]:
    """Buckets of a layer for one more experiment, the lowest that are free.

    Args:
        taken: by the layer's other experiments.

    Raises:
        ExperimentError: the layer has less than ``traffic`` left; says how much.
    """
    free = np.ones(BUCKETS, dtype=bool)
    for slots in taken:
        for start, stop in slots:
            free[start:stop] = False
    wanted = round(traffic * BUCKETS)
    found = np.flatnonzero(free)
    if len(found) < wanted:
        raise ExperimentError(
            f"the layer has {len(found) / BUCKETS:.2%} of its members left, wanted {traffic:.2%}; "
            "stop another experiment of it, or take less traffic"
        )
    return _ranges(found[:wanted])


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """An experiment under way.

    slots: the buckets of its layer that are in it. allocation: of the arms, now.
    earlier: the allocations before this one, each with the moment since when it held, oldest
        first. Where there are any, who is in the experiment already is for the log to tell.
    since: when ``allocation`` came to hold; None where it has from the beginning.
    """

    experiment: Experiment
    slots: tuple[Range, ...]
    allocation: Allocation
    earlier: tuple[tuple[datetime, Allocation], ...] = ()
    since: datetime | None = None

    def at(self, moment: datetime) -> Allocation:
        """The allocation that held at ``moment``; the first one before that."""
        held = [one for since, one in self.earlier if since <= moment]
        if not self.earlier or (self.since is not None and self.since <= moment):
            return self.allocation
        return held[-1] if held else self.earlier[0][1]

    def assign(self, members: Sequence[str]) -> NDArray[np.int64]:
        """(n,) position of each member's arm among the experiment's, -1 for who is not in it."""
        arms = self.allocation.arms_of(self.experiment.experiment_id, members)
        if self.slots == ((0, BUCKETS),):
            return arms
        inside = np.zeros(BUCKETS, dtype=bool)
        for start, stop in self.slots:
            inside[start:stop] = True
        there = inside[buckets("layer", self.experiment.layer, members)]
        return np.where(there, arms, NOBODY)


def _counts(shares: Mapping[str, float]) -> NDArray[np.int64]:
    """(arms,) buckets by largest remainder, so that they add up."""
    share = np.fromiter(shares.values(), dtype=np.float64)
    if not (abs(share.sum() - 1) <= 1e-9 and (share >= 0).all()):  # NaN is refused too
        raise ExperimentError(f"shares of the arms add up to {share.sum():g}, wanted 1")
    # Rounded first: 0.29 × 10,000 is a little less than 2,900.
    exact = np.round(share * BUCKETS, 6)
    counts = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: BUCKETS - int(counts.sum())]] += 1
    for name, one, count in zip(shares, share, counts, strict=True):
        if one > 0 and count == 0:
            raise ExperimentError(f"share of arm {name!r} is {one:g}, wanted 0.0001 or more")
    return counts


def _ranges(found: NDArray[np.int64]) -> tuple[Range, ...]:
    if not len(found):
        return ()
    edges = np.flatnonzero(np.diff(found) > 1) + 1
    return tuple((int(run[0]), int(run[-1]) + 1) for run in np.split(found, edges))
