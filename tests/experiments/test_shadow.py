"""What an arm would have decided beside the control's answers."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from experiments.contrast import Untold
from experiments.errors import ExperimentError
from experiments.moments import Moments
from experiments.shadow import SHADOW_NAMES, Shadowed, shadow_readout
from tests.experiments.members import START, ab

SHADOW = replace(ab(), mode="shadow")


def members(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Of whom some are always decided alike, and some never."""
    decisions = 1.0 + rng.poisson(2, count)
    same = decisions * (rng.random(count) < 0.8)
    sends = np.round(decisions / 2)
    gain = sends * rng.normal(0.3, 0.1, count)
    more = gain + 0.1 * (decisions - same)
    return np.column_stack([decisions, same, sends, decisions, gain, more])


def test_agreement_and_expected_gain_per_decision() -> None:
    table = np.tile([[2.0, 2, 1, 1, 0.4, 0.4], [2.0, 1, 1, 2, 0.2, 0.6]], (100, 1))
    told = shadow_readout(SHADOW, {"challenger": Moments.of(SHADOW_NAMES, table)}, START)
    found = told.arms["challenger"]
    assert isinstance(found, Shadowed)
    assert (found.members, found.decisions) == (200, 400)
    assert found.agree.value == pytest.approx(0.75)
    assert found.gain.value == pytest.approx(0.1)
    assert found.sentence == (
        "challenger decides as champion in 75.0% of decisions, would send in 75.0% against 50.0%, "
        "and expects 0.1 more gain per decision, each by its own models."
    )
    json.dumps(told.to_json(), allow_nan=False)


def test_the_interval_of_agreement_counts_members_and_not_decisions() -> None:
    rng = np.random.default_rng(80)
    covered = 0
    for _ in range(500):
        moments = Moments.of(SHADOW_NAMES, members(rng, 200))
        found = shadow_readout(SHADOW, {"challenger": moments}, START).arms["challenger"]
        assert isinstance(found, Shadowed)
        covered += found.agree.low <= 0.8 <= found.agree.high
    assert covered / 500 == pytest.approx(0.95, abs=3.5 * np.sqrt(0.05 * 0.95 / 500))


def test_few_members_tell_nothing() -> None:
    found = shadow_readout(SHADOW, {}, START).arms["challenger"]
    assert found == Untold("too_few_members", "0 members, wanted 100")


def test_an_experiment_that_is_no_shadow_is_refused() -> None:
    with pytest.raises(ExperimentError, match="is no shadow"):
        shadow_readout(ab(), {}, START)
