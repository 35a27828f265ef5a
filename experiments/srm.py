"""Sample ratio mismatch: are members split as the shares say?

If not, something loses members of one arm more than of the other, and what is compared are no
longer alike: no figure of the experiment can be trusted (Fabijan et al., KDD 2019).
"""

from __future__ import annotations

from experiments.cells import Cells
from experiments.findings import Srm

ALARM = 0.001
_LEAST_EXPECTED = 5.0  # members in each arm, for the chi-square approximation


def sample_ratio(cells: Cells) -> Srm:
    """Chi-square of the members of each epoch against its shares, added up over epochs.

    Only who was first exposed in an epoch counts there, for who came before stays where they were.
    Epochs with fewer than 5 expected in an arm are left out. A member in an arm without a share
    is an alarm of itself.
    """
    from scipy.special import chdtrc

    arms = list(dict.fromkeys(arm for shares in cells.shares for arm in shares))
    observed, expected = dict.fromkeys(arms, 0), dict.fromkeys(arms, 0.0)
    statistic, df, strays = 0.0, 0, False
    for epoch, shares in enumerate(cells.shares):
        counts = dict.fromkeys(shares, 0)
        for cell in cells.cells:
            if cell.epoch == epoch:
                counts[cell.arm] += cell.moments.count
        wanted = {arm: share * sum(counts.values()) for arm, share in shares.items()}
        for arm, count in counts.items():
            observed[arm] += count
            expected[arm] += wanted[arm]
        strays = strays or any(counts[arm] and not shares[arm] for arm in shares)
        taken = [arm for arm in shares if shares[arm] > 0]
        if len(taken) > 1 and min(wanted[arm] for arm in taken) >= _LEAST_EXPECTED:
            statistic += sum((counts[arm] - wanted[arm]) ** 2 / wanted[arm] for arm in taken)
            df += len(taken) - 1
    if strays:
        return Srm(observed, expected, None, df, 0.0, False)
    if not df:
        return Srm(observed, expected, None, 0, None, None)
    p = float(chdtrc(df, statistic))
    return Srm(observed, expected, statistic, df, p, p >= ALARM)
