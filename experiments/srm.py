"""Sample ratio mismatch: are members split as the shares say?

If not, something loses members of one arm more than of the other, and what is compared are no
longer alike: no figure of the experiment can be trusted (Fabijan et al., KDD 2019).
"""

from __future__ import annotations

from collections.abc import Mapping

from experiments.cells import Cells
from experiments.findings import Srm, SrmTest
from experiments.sequential_srm import ALARM, sequential_srm

Pairs = list[tuple[dict[str, int], Mapping[str, float]]]
_LEAST_EXPECTED = 5.0  # members in each arm, for the chi-square approximation
_STRAYS = 0.001  # of an epoch's members, in arms without a share: processes that learn of it late


def sample_ratio(cells: Cells, *, watched: bool = False) -> Srm:
    """The members of each epoch against its shares; who came before a change stayed where they
    were, and counts in the epoch in which they came.

    Args:
        watched: whether anybody may look at any time: by a p-value that holds then, instead of
            chi-square, added up over epochs. Epochs with fewer than 5 expected in an arm are left
            out there.
    """
    epochs = [_counts(cells, epoch) for epoch in range(len(cells.shares))]
    arms = list(dict.fromkeys(arm for shares in cells.shares for arm in shares))
    observed = {arm: sum(counts.get(arm, 0) for counts in epochs) for arm in arms}
    expected = {
        arm: sum(
            shares.get(arm, 0.0) * sum(counts.values())
            for shares, counts in zip(cells.shares, epochs, strict=True)
        )
        for arm in arms
    }
    pairs = list(zip(epochs, cells.shares, strict=True))
    strays = any(_strays(counts, shares) for counts, shares in pairs)
    statistic, df, p = _watched(pairs) if watched else _chi_square(pairs)
    by: SrmTest = "sequential" if watched else "chi_square"
    if strays:
        p = 0.0
    return Srm(observed, expected, by, statistic, df, p, None if p is None else p >= ALARM)


def _counts(cells: Cells, epoch: int) -> dict[str, int]:
    counts = dict.fromkeys(cells.shares[epoch], 0)
    for cell in cells.cells:
        if cell.epoch == epoch:
            counts[cell.arm] += cell.moments.count
    return counts


def _strays(counts: Mapping[str, int], shares: Mapping[str, float]) -> bool:
    found = sum(count for arm, count in counts.items() if not shares[arm])
    return found > max(_LEAST_EXPECTED, _STRAYS * sum(counts.values()))


def _chi_square(pairs: Pairs) -> tuple[float | None, int, float | None]:
    from scipy.special import chdtrc

    statistic, df = 0.0, 0
    for counts, shares in pairs:
        taken = [arm for arm, share in shares.items() if share > 0]
        members = sum(counts[arm] for arm in taken)
        wanted = {arm: shares[arm] * members for arm in taken}
        if len(taken) > 1 and min(wanted.values()) >= _LEAST_EXPECTED:
            statistic += sum((counts[arm] - wanted[arm]) ** 2 / wanted[arm] for arm in taken)
            df += len(taken) - 1
    return (statistic, df, float(chdtrc(df, statistic))) if df else (None, 0, None)


def _watched(pairs: Pairs) -> tuple[None, int, float | None]:
    """Bonferroni over epochs: each p holds at any time."""
    found = []
    for counts, shares in pairs:
        taken = {arm: share for arm, share in shares.items() if share > 0}
        if len(taken) > 1 and any(counts[arm] for arm in taken):
            found.append(sequential_srm({arm: counts[arm] for arm in taken}, taken).p)
    return None, 0, min(1.0, len(found) * min(found)) if found else None
