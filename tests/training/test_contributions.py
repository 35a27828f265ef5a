"""What features add to an estimate adds up to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.contributions import HABIT, OFFER, Sum, contributing, score_parts
from models.response import ResponseModel
from tests.training.wide_models import KINDS, NAMED, OFFERS, wide_models, wide_world


@settings(max_examples=40)
@given(
    kind=st.sampled_from(KINDS), row=st.integers(0, 5_999),
    offer=st.integers(0, len(OFFERS) - 1), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_contributions_and_base_add_up_to_the_estimates(
    kind: str, row: int, offer: int, seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(len(NAMED))
    names = tuple(NAMED[at] for at in order)
    values = wide_world().values[row : row + 1, order]
    model = wide_models()[kind]
    taken = contributing(model)
    assert taken is not None
    estimates = model.estimate(values, names, OFFERS)
    chance, p = taken.chance(values, names).told, estimates.p_if_not[0]
    effect = taken.effect(values, names, OFFERS[offer]).told
    assert chance.total == pytest.approx(p, abs=1e-6)
    assert effect.total == pytest.approx(estimates.p_if_sent[0, offer] - p, abs=1e-6)


def test_a_linear_part_is_coefficient_times_distance_from_the_mean() -> None:
    model = wide_models()["with every part"]
    assert isinstance(model, ResponseModel)
    linear = model.base
    assert not isinstance(linear, ResponseModel)
    values = wide_world().values[:1]
    told = linear.preparation  # type: ignore[union-attr]  # it is the regression
    column = list(told.numbers).index(NAMED.index("age"))
    away = (float(values[0, NAMED.index("age")]) - told.mean[column]) / told.scale[column]
    parts = score_parts(linear, values, NAMED)
    assert parts.parts["age"] == pytest.approx(linear.weights[column] * away)  # type: ignore[union-attr]
    assert parts.total == pytest.approx(float(linear.score(values, NAMED)[0]))


def test_what_members_do_not_differ_in_is_all_base() -> None:
    model = wide_models()["trained"]
    assert isinstance(model, ResponseModel)
    same = replace(model, effect=replace(model.effect, personal=0.0))
    taken = contributing(same)
    assert taken is not None
    told = taken.effect(wide_world().values[:1], NAMED, OFFERS[0]).told
    assert told.base == pytest.approx(same.effect.levels.of(OFFERS[0]).effect)
    assert told.parts == {}


def test_the_terms_of_an_offer_and_the_habit_of_buying_are_told_as_one() -> None:
    values = wide_world().values[:1]
    response, prior = (contributing(wide_models()[kind]) for kind in ("with every part", "prior"))
    assert response is not None
    assert prior is not None
    parts = response.effect(values, NAMED, OFFERS[0]).told.parts
    assert OFFER in parts
    assert not any(name.startswith("offer_") for name in parts)
    assert HABIT in prior.chance(values, NAMED).told.parts


def test_a_number_through_a_curve_keeps_the_shares_of_its_parts() -> None:
    whole = Sum(1.0, {"a": 2.0, "b": -1.0}).through(lambda x: x**2)
    assert whole == Sum(1.0, {"a": 6.0, "b": -3.0})
    flat = Sum(1.0, {"a": 2.0, "b": -2.0}).through(lambda x: x**2)
    assert flat.total == pytest.approx(1.0)
    assert flat.parts["a"] == pytest.approx(4.0)
