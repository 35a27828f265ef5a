"""Ten million assignments: equal in bulk and one by one, in the shares that were set, how fast.

One by one is the definition in words of any language: the first eight bytes of a SHA-256, modulo
10,000, then a look into the table of buckets.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from hashlib import sha256

import numpy as np

from benchmarks.figure import Figure
from experiments.assignment import BUCKETS, Allocation

SHARES = {"champion": 0.45, "challenger": 0.45, "random": 0.05, "holdout": 0.05}
NAME = "summer-2026"
_CHUNK = 500_000


def figures(members: int) -> Iterator[Figure]:
    allocation = Allocation.of(SHARES)
    counts = np.zeros(len(SHARES), dtype=np.int64)
    differ, bulk, single = 0, 0.0, 0.0
    owner = allocation.owner.tolist()
    for start in range(0, members, _CHUNK):
        names = [f"member-{number}" for number in range(start, min(start + _CHUNK, members))]
        began = time.perf_counter()
        arms = allocation.arms_of(NAME, names)
        between = time.perf_counter()
        alone = [owner[_bucket(name)] for name in names]
        single += time.perf_counter() - between
        bulk += between - began
        differ += int((arms != np.array(alone)).sum())
        counts += np.bincount(arms, minlength=len(SHARES))
    yield Figure(
        f"assignments_{members}_that_differ", float(differ), 0.0, "members", 1.0,
        "0, in bulk and one by one", differ == 0,
    )  # fmt: skip
    share = np.array(list(SHARES.values()))
    worst = float(np.max(np.abs(counts - members * share) / np.sqrt(members * share * (1 - share))))
    yield Figure(
        f"assignments_{members}_shares", worst, 4.0, "standard errors", worst / 4,
        "the furthest arm within 4", worst <= 4,
    )  # fmt: skip
    yield Figure(
        f"assignments_{members}_time", bulk, single, "s", bulk / single,
        "told beside one by one", True,
    )  # fmt: skip


def _bucket(member: str) -> int:
    digest = sha256(f"arm:{NAME}:{member}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % BUCKETS
