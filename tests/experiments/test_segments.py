"""Lifts within lifecycle stages and value tiers."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.cells import Cells
from experiments.contrast import Untold
from experiments.design import Analysis
from experiments.segments import segment_lifts, varies
from tests.experiments.members import cell, cells, spenders

PAIR = ("challenger", "champion")


def members(rng: np.random.Generator, effects: dict[str, float], count: int = 1500) -> Cells:
    """``effects`` by lifecycle stage, the same in both value tiers."""
    return cells(
        *(
            cell(arm, spenders(rng, count, effect * (arm == "challenger")), where=(stage, tier))
            for stage, effect in effects.items()
            for tier in ("gold", "other")
            for arm in ("champion", "challenger")
        )
    )


def test_an_effect_in_one_stage_is_told_there_and_that_stages_differ() -> None:
    analysis = Analysis()
    found = segment_lifts(
        members(np.random.default_rng(1), {"active": 0, "lapsed": 3}), PAIR, analysis
    )
    assert [(one.segment, one.value, one.members) for one in found] == [
        ("lifecycle", "active", 3000),
        ("lifecycle", "lapsed", 3000),
        ("value_tier", "gold", 3000),
        ("value_tier", "other", 3000),
    ]
    clear = {one.value: one.clear for one in found}
    assert (clear["active"], clear["lapsed"]) == (False, True)
    p = {one.segment: one.p for one in varies(found, Analysis())}
    assert p["lifecycle"] < 0.001
    assert p["value_tier"] > 0.05


def test_a_stage_with_few_members_is_named_and_not_told() -> None:
    rng = np.random.default_rng(2)
    both = [cell(arm, spenders(rng, 99), where=("new", "gold")) for arm in reversed(PAIR)]
    found = segment_lifts(cells(*both), PAIR, Analysis())
    assert isinstance(found[0].lift, Untold)
    assert (found[0].lift.reason, found[0].p, found[0].clear) == ("too_few_members", None, False)


def test_segments_that_were_not_declared_are_not_told() -> None:
    one = members(np.random.default_rng(3), {"active": 0})
    assert segment_lifts(one, PAIR, Analysis(segments=())) == ()


@pytest.mark.parametrize("correction", ["holm", "bh"])
def test_without_any_effect_a_segment_is_seldom_clear(correction: str) -> None:
    rng = np.random.default_rng(4)
    analysis = Analysis(correction=correction, before_days=0)  # type: ignore[arg-type]
    alarms = sum(
        any(one.clear for one in segment_lifts(members(rng, effects, 110), PAIR, analysis))
        for effects in [dict.fromkeys(("new", "active", "loyal", "lapsed"), 0.0)] * 150
    )
    assert alarms / 150 <= 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 150)
