"""A member is estimated and decided about alone as among others, to the last bit."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from decisions.catalogue import Offer, Push
from decisions.decide import Ask
from decisions.gain import Estimator
from decisions.members import Members
from decisions.online import decide_online
from decisions.pacing import Terms
from decisions.policy import Policy, Prices
from features.encoding import Encoding
from models.calibration import Platt
from models.effect import Weights
from models.estimates import ResponseEstimates
from models.leaving import Leaving
from models.prior import PriorResponse
from models.propensity import Blend, Propensity
from models.response import ResponseModel
from models.trees import Trees
from tests.training.simulated import NAMES, Simulated, simulated
from tests.training.simulated import OFFERS as SENT
from training.linear_fit import fit_linear
from training.response_fit import fit_response

PLACES = tuple(f"place{number}" for number in range(12))
NAMED = (
    *NAMES,
    *(f"interest__{place}" for place in PLACES),
    *(f"seen_days__{place}" for place in PLACES),
    *(f"habit{number}" for number in range(20)),
)
OFFERS = (
    *SENT,
    *(
        Offer(f"o{at}", "percent_off", 5.0 + at, categories=(PLACES[at], PLACES[at + 3]))
        for at in range(8)
    ),
    Offer("anything", "content"),
)
AS_OF = datetime(2026, 5, 1, tzinfo=UTC)
SPRING = Push(
    "spring", "push", AS_OF, tuple(offer.offer_id for offer in OFFERS),
    exploration=0.5, exploration_floor=0.1, holdout=0.1,
)  # fmt: skip
MANY = 300


def widened(values: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """The six features of ``values`` and many that say nothing: wide tables add differently."""
    rng, n = np.random.default_rng(seed), len(values)
    seen = np.where(rng.random((n, 12)) < 0.5, rng.uniform(0, 90, (n, 12)), np.nan)
    more = [rng.exponential(1, (n, 12)), seen, rng.normal(size=(n, 20))]
    return np.column_stack([values, *more]).astype(np.float32)


@pytest.fixture(scope="module")
def world() -> Simulated:
    world = simulated(4_000, seed=1)
    return replace(world, values=widened(world.values, 2))


@pytest.fixture(scope="module")
def models(world: Simulated) -> dict[str, ResponseModel | PriorResponse]:
    """The response as it was trained; with every part that it may have; and a prior of trees and
    a regression."""
    trained = fit_response(world.log, world.values, NAMED, seed=1).model
    linear = fit_linear(world.values, NAMED, world.log.converted, set(), 1.0)
    weights = Weights(joint=0.4, gains=0.3, ridge=0.2, level=0.1, elsewhere=0.1)
    effect = replace(trained.effect, weights=weights, personal=0.7)
    leaving = Leaving(replace(linear, intercept=-4.0), 0.001, "measured")
    booster = lightgbm.train(
        {"objective": "binary", "num_threads": 1, "verbose": -1},
        lightgbm.Dataset(world.values, world.log.converted),
        num_boost_round=20,
    )
    blend = Propensity(Blend((Trees(booster, NAMED, 1), linear)), 30, Platt(1.1, 0.1))
    return {
        "trained": trained,
        "with every part": replace(trained, effect=effect, base=linear, leaving=leaving),
        "prior": PriorResponse(blend, 0.5, 120.0, 0.3),
    }


@pytest.fixture(scope="module")
def many(world: Simulated) -> NDArray[np.float32]:
    return world.values[:MANY]


def asked(values: NDArray[np.float32], rows: NDArray[np.int64]) -> Ask:
    members = Members(
        tuple(f"m{row}" for row in rows.tolist()), values[rows],
        np.ones(len(rows), dtype=bool), Encoding(NAMED, {}), AS_OF,
    )  # fmt: skip
    policy = Policy("salt", consent_when_missing=True)
    prices = Prices(budget=0.1, scale=0.5, offers={"sea20": 0.2})
    return Ask(SPRING, OFFERS, members, policy, prices, frozenset())


@settings(max_examples=30)
@given(
    kind=st.sampled_from(["trained", "with every part", "prior"]), seed=st.integers(0, 2**32 - 1)
)
def test_estimates_are_the_same_bits_alone_and_among_others(
    models: dict[str, ResponseModel | PriorResponse], many: NDArray[np.float32],
    kind: str, seed: int,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    order, first = rng.permutation(len(NAMED)), int(rng.integers(MANY))
    last = first + int(rng.integers(1, 20))
    names, values = tuple(NAMED[at] for at in order), many[:, order]
    whole = models[kind].estimate(values, names, OFFERS)
    part = models[kind].estimate(values[first:last].copy(), names, OFFERS)
    for one in fields(ResponseEstimates):
        if one.name != "evidence":
            ours, theirs = getattr(part, one.name), getattr(whole, one.name)[first:last]
            assert ours.tobytes() == np.ascontiguousarray(theirs).tobytes(), one.name


@settings(max_examples=30)
@given(
    kind=st.sampled_from(["trained", "with every part", "prior"]), seed=st.integers(0, 2**32 - 1)
)
def test_a_member_is_decided_about_alone_as_among_others(
    models: dict[str, ResponseModel | PriorResponse], many: NDArray[np.float32],
    kind: str, seed: int,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    rows = rng.permutation(MANY)[: rng.integers(1, MANY)]
    at = int(rng.integers(len(rows)))
    whole = _decided(models[kind], many, rows)
    alone = _decided(models[kind], many, rows[at : at + 1])
    for name, column in whole.items():
        assert column[at].tobytes() == alone[name][0].tobytes(), name


def _decided(
    model: Estimator, values: NDArray[np.float32], rows: NDArray[np.int64]
) -> dict[str, NDArray[np.generic]]:
    ask = asked(values, rows)
    online = decide_online(ask, model, Terms(ask.prices, {"offer:sea10": 0}))
    made = online.decisions
    return {
        "cost": online.cost, "planned": online.planned, "option": made.option,
        "probability": made.probability, "explored": made.explored, "code": made.code,
        "p_if_not": made.p_if_not, "uplift": made.uplift, "gain": made.expected_gain,
    }  # fmt: skip
