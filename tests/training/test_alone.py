"""A member is estimated and decided about alone as among others, to the last bit."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from decisions.catalogue import Push
from decisions.decide import Ask
from decisions.gain import Estimator
from decisions.members import Members
from decisions.online import decide_online
from decisions.pacing import Terms
from decisions.policy import Policy, Prices
from features.encoding import Encoding
from models.estimates import ResponseEstimates
from models.prior import PriorResponse
from models.response import ResponseModel
from tests.training.wide_models import KINDS, NAMED, OFFERS, wide_models, wide_world

AS_OF = datetime(2026, 5, 1, tzinfo=UTC)
SPRING = Push(
    "spring", "push", AS_OF, tuple(offer.offer_id for offer in OFFERS),
    exploration=0.5, exploration_floor=0.1, holdout=0.1,
)  # fmt: skip
MANY = 300


@pytest.fixture(scope="module")
def models() -> dict[str, ResponseModel | PriorResponse]:
    return wide_models()


@pytest.fixture(scope="module")
def many() -> NDArray[np.float32]:
    return wide_world().values[:MANY]


def asked(values: NDArray[np.float32], rows: NDArray[np.int64]) -> Ask:
    members = Members(
        tuple(f"m{row}" for row in rows.tolist()), values[rows],
        np.ones(len(rows), dtype=bool), Encoding(NAMED, {}), AS_OF,
    )  # fmt: skip
    policy = Policy("salt", consent_when_missing=True)
    prices = Prices(budget=0.1, scale=0.5, offers={"sea20": 0.2})
    return Ask(SPRING, OFFERS, members, policy, prices, frozenset())


@settings(max_examples=30)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 2**32 - 1))
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
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 2**32 - 1))
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
