"""Which kind of model tells what happens: judged out of fold, kept with the response model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.linear import Linear
from models.response import ResponseModel
from tests.training.simulated import NAMES, OFFERS, simulated
from training.learning import Learning
from training.nuisance_race import KINDS, fit_chance, log_loss, race
from training.response_fit import fit_response


def odds(log_odds: NDArray[np.floating[Any]], seed: int) -> NDArray[np.bool_]:
    drawn = np.random.default_rng(seed).random(len(log_odds))
    return np.asarray(drawn < 1 / (1 + np.exp(-log_odds)))


def learning(rows: int) -> Learning:
    world = simulated(rows, seed=4)
    return Learning.of(world.log, world.values, NAMES, seed=4)


def test_straight_lines_win_where_the_world_is_straight() -> None:
    told = learning(4_000)
    age, recency = (told.values[:, NAMES.index(name)] for name in ("age", "recency_days"))
    happened = odds((age - 45) / 10 + (recency - 150) / 100, seed=1)
    assert race(told, np.ones(4_000, dtype=bool), happened).kind == "linear"


def test_trees_win_where_thresholds_rule() -> None:
    told = learning(4_000)
    age, orders = (told.values[:, NAMES.index(name)] for name in ("age", "orders_90d"))
    happened = odds(np.where((age > 45) == (orders > 0), 1.5, -3.0), seed=2)
    assert race(told, np.ones(4_000, dtype=bool), happened).kind == "trees"


def test_a_member_has_no_say_in_its_own_score() -> None:
    told = learning(3_000)
    happened = odds(np.full(3_000, -1.0), seed=3)
    asked = np.ones(3_000, dtype=bool)
    mine = told.fold == 1
    turned = np.where(mine, ~happened, happened)
    for kind in KINDS:
        before, after = (
            fit_chance(kind, told, np.flatnonzero(asked & ~mine), outcome)
            for outcome in (happened, turned)
        )
        values = told.values[mine]
        assert np.array_equal(before.score(values, NAMES), after.score(values, NAMES))


def test_the_loss_is_that_of_the_definition() -> None:
    happened = np.array([True, False, True])
    probability = np.array([0.5, 0.25, 1.0])
    assert log_loss(probability, happened) == pytest.approx((np.log(2) - np.log(0.75)) / 3)


def test_a_model_with_a_linear_base_comes_back_as_it_was(tmp_path: Path) -> None:
    world = simulated(3_000, seed=6)
    model = fit_response(world.log, world.values, NAMES, seed=6).model
    told = Learning.of(world.log, world.values, NAMES, seed=6)
    base = fit_chance("linear", told, np.arange(3_000), world.log.converted)
    assert isinstance(base, Linear)
    straight = replace(model, base=base)
    straight.save(tmp_path)
    before = straight.estimate(world.values[:40], NAMES, OFFERS)
    again = ResponseModel.load(tmp_path).estimate(world.values[:40], NAMES, OFFERS)
    assert np.array_equal(before.p_if_not, again.p_if_not)
    assert np.array_equal(before.p_if_sent, again.p_if_sent)
    assert np.isfinite(before.p_if_not).all()
