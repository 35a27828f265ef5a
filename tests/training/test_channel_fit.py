"""Channels in which pushes do more than in others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from experiments.scores import Scores
from models.response import ResponseModel
from tests.training.simulated import NAMES, OFFERS, simulated
from training.channel_fit import channel_factors
from training.response_fit import fit_response


def scores(effect: NDArray[np.float64], seed: int, noise: float = 1.0) -> Scores:
    rng = np.random.default_rng(seed)
    matrix = np.column_stack([np.zeros(len(effect)), effect + rng.normal(0, noise, len(effect))])
    return Scores(matrix, np.arange(len(effect)))


def test_a_channel_that_does_twice_as_much_is_found() -> None:
    channel = np.repeat(["push", "email"], 40_000)
    predicted = np.full((80_000, 1), 0.15)
    found = channel_factors(channel, predicted, scores(np.repeat([0.2, 0.1], 40_000), seed=0))
    assert found["push"] == pytest.approx(4 / 3, abs=0.12)
    assert found["email"] == pytest.approx(2 / 3, abs=0.12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), noise=st.floats(1.0, 50.0))
def test_a_factor_lies_between_what_was_seen_and_one(seed: int, noise: float) -> None:
    channel = np.repeat(["push", "email", "sms"], 500)
    effect = np.repeat([0.3, 0.2, 0.1], 500)
    made = scores(effect, seed, noise)
    found = channel_factors(channel, np.full((1_500, 1), 0.2), made)
    for name, factor in found.items():
        seen = made.uplift()[channel == name].mean() / 0.2
        low, high = sorted([np.clip(seen, 0, 5), 1.0])
        assert low - 1e-9 <= factor <= high + 1e-9


def test_where_nothing_is_gained_channels_are_alike() -> None:
    channel = np.repeat(["push", "email"], 500)
    made = scores(np.zeros(1_000), seed=0)
    assert channel_factors(channel, np.full((1_000, 1), -0.01), made) == {"push": 1, "email": 1}


def test_a_channel_never_used_says_prior_and_the_only_one_is_as_good_as_the_model() -> None:
    world = simulated(4_000, seed=2)
    model = fit_response(world.log, world.values, NAMES, seed=2).model
    assert model.channel_factor("push") == (1.0, model.grade)
    assert model.channel_factor("email") == (1.0, "prior")


@pytest.mark.slow
def test_the_better_channel_of_a_log_comes_back_from_disk(tmp_path: Path) -> None:
    strong, none = simulated(40_000, seed=4, strength=2.0), simulated(40_000, seed=4, strength=0.0)
    # The second push, which is every second row, goes by e-mail and changes nothing.
    email = strong.log.push == 1
    log = replace(
        strong.log,
        converted=np.where(email, none.log.converted, strong.log.converted),
        margin=np.where(email, none.log.margin, strong.log.margin),
        revenue=np.where(email, none.log.revenue, strong.log.revenue),
        redeemed=np.where(email, none.log.redeemed, strong.log.redeemed),
        coupon=np.where(email, none.log.coupon, strong.log.coupon),
        channel=np.where(email, "email", "push"),
    )
    model = fit_response(log, strong.values, NAMES, seed=4).model
    model.save(tmp_path)
    again = ResponseModel.load(tmp_path)
    assert again.channel_factor("push")[0] > 1.3
    assert again.channel_factor("email")[0] < 0.6
    told = again.estimate(strong.values[:1], NAMES, OFFERS)
    assert again.channel_factor("push")[1] == told.evidence[0]
