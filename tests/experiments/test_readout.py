"""A readout, from members to the verdict."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from experiments.contrast import Untold
from experiments.design import Analysis, Arm
from experiments.errors import ExperimentError
from experiments.readout import readout
from tests.experiments.members import ab, cell, cells, look, spenders


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
