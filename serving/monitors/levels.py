"""Many subjects at once: how likely is a finding without a cause?"""

from __future__ import annotations

from collections.abc import Sequence

from experiments.multiple import corrected


def found(p: Sequence[float], alarm_rate: float) -> tuple[bool, ...]:
    """Which of the p-values of one monitor's subjects stand out, by Benjamini and Hochberg.

    Where no subject has a cause, the chance that any stands out is at most ``alarm_rate``; where
    some have one, so is the expected share of others among those that stand out.
    """
    return tuple(one <= alarm_rate for one in corrected(p, "bh"))
