"""How often intervals cover the truth, where members' money is far from normal."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from experiments.cells import NAMES
from experiments.contrast import Estimate, Lift, Side, Untold, lift, sides
from experiments.cuped import slopes
from experiments.moments import Moments
from experiments.ratio import ratio_lift
from tests.experiments.members import spenders

KEPT = ("margin", "sends", "before_margin", "before_converted")
MARGIN, SENDS = 0, 1
EFFECT = 0.8
RUNS = 800


def pair(
    arm: dict[int, NDArray[np.float64]], control: dict[int, NDArray[np.float64]]
) -> tuple[Side, Side]:
    moments = [
        {epoch: Moments.of(KEPT, one) for epoch, one in side.items()} for side in (arm, control)
    ]
    found = sides(*moments)
    assert not isinstance(found, Untold)
    return found


def covers(found: Lift | Untold, difference: float, relative: float) -> tuple[bool, bool]:
    assert isinstance(found, Lift)
    assert isinstance(found.relative, Estimate)
    ends = found.difference, found.relative
    truths = difference, relative
    first, second = (one.low <= true <= one.high for one, true in zip(ends, truths, strict=True))
    return first, second


@pytest.mark.slow
def test_intervals_of_means_relative_lifts_ratios_and_covariates_cover_19_times_in_20() -> None:
    rng = np.random.default_rng(70)
    everybody = spenders(rng, 200_000)[:, [NAMES.index(name) for name in KEPT]]
    margin, sends = everybody[:, MARGIN].mean(), everybody[:, SENDS].mean()
    covered: Counter[str] = Counter()
    for _ in range(RUNS):
        arm, control = everybody[rng.integers(0, len(everybody), (2, 600))]
        arm[:, MARGIN] += EFFECT
        both = pair({0: arm}, {0: control})
        for name, found, difference in (
            ("mean", lift("margin", *both), EFFECT),
            ("cuped", lift("margin", *both, slopes=slopes("margin", KEPT[2:], *both)), EFFECT),
            ("ratio", ratio_lift("margin_per_send", *both), EFFECT / sends),
        ):
            absolute, relative = covers(found, difference, EFFECT / margin)
            covered[name] += absolute
            covered[f"{name}, relative"] += relative
    wanted = dict.fromkeys(covered, 0.95)
    shares = {name: count / RUNS for name, count in covered.items()}
    assert shares == pytest.approx(wanted, abs=3.5 * np.sqrt(0.05 * 0.95 / RUNS))


@pytest.mark.slow
def test_intervals_cover_after_a_change_of_shares_and_would_not_without_epochs() -> None:
    rng = np.random.default_rng(71)
    everybody = spenders(rng, 200_000)[:, [NAMES.index(name) for name in KEPT]]
    by_epoch = pooled = 0
    for _ in range(RUNS):
        early = everybody[rng.integers(0, len(everybody), 600)]
        late = everybody[rng.integers(0, len(everybody), 600)]
        late[:, MARGIN] += 5  # members of the second epoch spend more in either arm
        arm, control = {0: early[:60], 1: late[60:]}, {0: early[60:], 1: late[:60]}
        one = lift("margin", *pair(arm, control))
        mixed = [{0: np.concatenate([side[0], side[1]])} for side in (arm, control)]
        naive = lift("margin", *pair(*mixed))
        by_epoch += covers(one, 0, 0)[0]
        pooled += covers(naive, 0, 0)[0]
    assert by_epoch / RUNS == pytest.approx(0.95, abs=3.5 * np.sqrt(0.05 * 0.95 / RUNS))
    assert pooled / RUNS < 0.5
