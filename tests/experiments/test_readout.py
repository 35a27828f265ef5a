"""A readout, from members to the verdict."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import product
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from experiments.cells import NAMES, Cell, Cells
from experiments.contrast import Estimate, Lift, Untold
from experiments.design import Analysis, Arm
from experiments.errors import ExperimentError
from experiments.moments import Moments
from experiments.past import Past
from experiments.readout import readout
from tests.experiments.members import START, ab, cell, cells, look, spenders


def test_a_better_challenger_is_to_be_promoted_with_the_reason_in_a_sentence() -> None:
    rng = np.random.default_rng(1)
    analysis = Analysis(looks=4)
    found = cells(
        cell("champion", spenders(rng, 5000)), cell("challenger", spenders(rng, 5000, more=0.8))
    )
    told = readout(ab(analysis), found, look(analysis))
    assert (told.verdict.kind, told.verdict.reason) == ("promote", "better")
    assert told.verdict.sentence == (
        "Promote challenger: +0.7197 gain per member against champion (+0.2637 to +1.176, adjusted "
        "for what they did before); every guardrail holds."
    )


def test_a_readout_is_json_without_nan() -> None:
    rng = np.random.default_rng(2)
    found = cells(cell("champion", spenders(rng, 1)), cell("challenger", spenders(rng, 3)))
    told = readout(ab(), found, look(Analysis()))
    assert told.verdict.reason == "too_few_members"
    assert "NaN" not in json.dumps(told.to_json(), allow_nan=False)


def test_an_experiment_that_nobody_was_in_is_read_out_as_such() -> None:
    told = readout(ab(), cells(shares=({"champion": 0.5, "challenger": 0.5},)), look(Analysis()))
    assert told.verdict.kind == "cannot_say"
    assert isinstance(told.contrast("challenger", "champion").primary, Untold)
    json.dumps(told.to_json(), allow_nan=False)


def test_the_four_arms_of_the_trade_are_compared_with_control_and_holdout() -> None:
    rng = np.random.default_rng(3)
    arms = (
        Arm("champion", 0.4, "champion"),
        Arm("challenger", 0.4, "release", release="r2"),
        Arm("random", 0.1, "random"),
        Arm("holdout", 0.1, "holdout"),
    )
    shares = ({arm.name: arm.share for arm in arms},)
    found = [cell(arm.name, spenders(rng, int(4000 * arm.share))) for arm in arms]
    told = readout(ab(arms=arms), cells(*found, shares=shares), look(Analysis()))
    assert [(one.arm, one.control, one.role) for one in told.contrasts] == [
        ("challenger", "champion", "candidate"),
        ("random", "champion", "told"),
        ("champion", "holdout", "told"),
        ("challenger", "holdout", "told"),
        ("random", "holdout", "told"),
    ]


def test_a_shadow_experiment_has_no_members_to_compare() -> None:
    with pytest.raises(ExperimentError, match="is a shadow"):
        readout(replace(ab(), mode="shadow"), cells(shares=({"a": 1.0},)), look(Analysis()))


CAPPED = Analysis(looks=2, cap=100)


@pytest.fixture(scope="module")
def members() -> list[tuple[Cell, NDArray[np.float64]]]:
    """Cells of two arms, with the values of their members."""
    rng = np.random.default_rng(6)
    found = []
    for arm, epoch, stage, tier, complete in product(
        ("champion", "challenger"), (0, 1), ("active", "lapsed"), ("gold", "silver"), (True, False)
    ):
        table = spenders(rng, 60, more=epoch)
        found.append((cell(arm, table, epoch, (stage, tier), complete), table))
    return found


def read(found: Iterable[Cell]) -> dict[str, Any]:
    even = {"champion": 0.5, "challenger": 0.5}
    whole = Cells(START + timedelta(days=28), (even, even), tuple(found))
    return readout(ab(CAPPED), whole, look(CAPPED)).to_json()


@given(order=st.randoms(use_true_random=False), parts=st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_whatever_the_parts_and_their_order_the_readout_is_the_same(
    members: list[tuple[Cell, NDArray[np.float64]]], order: Random, parts: int
) -> None:
    parted = [
        replace(one, moments=Moments.of(NAMES, part))
        for one, table in members
        for part in np.array_split(np.random.default_rng(parts).permutation(table), parts)
    ]
    order.shuffle(parted)
    told, wanted = read(parted), read(one for one, _ in members)
    assert numbers(told) == pytest.approx(numbers(wanted), rel=1e-7, abs=1e-9)
    assert told["verdict"] == wanted["verdict"]


def test_swapping_control_and_challenger_turns_the_sign_of_every_lift() -> None:
    rng = np.random.default_rng(7)
    found = cells(cell("champion", spenders(rng, 900)), cell("challenger", spenders(rng, 900, 2)))
    there = readout(ab(), found, look(Analysis())).contrast("challenger", "champion")
    back = readout(replace(ab(), control="challenger"), found, look(Analysis()))
    for name, one in back.contrast("champion", "challenger").metrics.items():
        other = there.metrics[name]
        for mine, theirs in ((one.plain, other.plain), (one.adjusted, other.adjusted)):
            if isinstance(mine, Lift) and isinstance(theirs, Lift):
                assert mine.difference.value == pytest.approx(-theirs.difference.value)
                assert mine.p == pytest.approx(theirs.p)


def test_margin_cost_and_return_are_incremental_and_for_all_members_of_the_arm() -> None:
    rng = np.random.default_rng(8)
    arms = (Arm("holdout", 0.2, "holdout"), Arm("champion", 0.8, "champion"))
    arm, control = spenders(rng, 8000, more=1), spenders(rng, 2000)
    for name in ("cost", "sends", "reached", "redeemed"):
        control[:, NAMES.index(name)] = 0
    control[:, NAMES.index("gain")] = control[:, NAMES.index("margin")]
    found = cells(
        cell("holdout", control), cell("champion", arm), shares=({"holdout": 0.2, "champion": 0.8},)
    )
    told = readout(ab(arms=arms), found, look(Analysis())).contrast("champion", "holdout")
    means = {
        name: arm[:, NAMES.index(name)].mean() - control[:, NAMES.index(name)].mean()
        for name in ("margin", "cost", "gain")
    }
    earned = told.incremental
    assert not any(isinstance(one, Untold) for one in (earned.margin, earned.cost, earned.roi))
    assert isinstance(earned.margin, Estimate)
    assert isinstance(earned.total_cost, Estimate)
    assert isinstance(earned.roi, Estimate)
    assert earned.margin.value == pytest.approx(means["margin"])
    assert earned.total_cost.value == pytest.approx(8000 * means["cost"])
    assert earned.roi.value == pytest.approx(means["gain"] / means["cost"])
    assert isinstance(told.ratios["margin_per_send"], Untold)


def test_members_with_decisions_in_two_arms_are_warned_of() -> None:
    rng = np.random.default_rng(9)
    found = cells(cell("champion", spenders(rng, 200)), cell("challenger", spenders(rng, 200)))
    crossed = replace(found, exposure=replace(found.exposure, crossed=3))
    told = readout(ab(), crossed, look(Analysis())).warnings
    assert told == ("3 members have decisions in two arms; they count in the first",)


def test_conversions_that_are_reported_of_sends_alone_are_warned_of() -> None:
    rng = np.random.default_rng(9)
    found = cells(cell("champion", spenders(rng, 200)), cell("challenger", spenders(rng, 200)))
    silent = replace(found, exposure=replace(found.exposure, unheard=200))
    (told,) = readout(ab(), silent, look(Analysis())).warnings
    assert told.startswith("of 200 members sent nothing no conversion was reported")


def test_shares_of_other_arms_are_refused() -> None:
    with pytest.raises(ExperimentError, match="shares are of a, b, wanted challenger, champion"):
        readout(ab(), cells(shares=({"a": 0.5, "b": 0.5},)), look(Analysis()))


def test_a_winner_is_drawn_to_earlier_lifts_where_they_are_given() -> None:
    rng = np.random.default_rng(10)
    found = cells(cell("champion", spenders(rng, 900)), cell("challenger", spenders(rng, 900, 2)))
    told = readout(ab(), found, look(Analysis()), past=Past(0.1, 0.3))
    contrast = told.contrast("challenger", "champion")
    assert isinstance(contrast.primary, Lift)
    assert contrast.shrunk is not None
    assert 0.1 < contrast.shrunk.value < contrast.primary.difference.value


def numbers(value: Any, path: str = "") -> dict[str, float]:
    """Every number of a JSON document, by its path."""
    if not isinstance(value, dict | list):
        return {path: float(value)} if isinstance(value, int | float) else {}
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    return {k: v for name, one in parts for k, v in numbers(one, f"{path}/{name}").items()}
