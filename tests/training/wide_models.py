"""Models trained on a table of many columns, made once for all tests of a process."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import lightgbm
import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Offer
from models.calibration import Platt
from models.effect import Weights
from models.habit import Habit
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
    *(f"habit{number}" for number in range(18)),
    "orders_life",
    "gap_mean_days",
)
OFFERS = (
    *SENT,
    *(
        Offer(f"o{at}", "percent_off", 5.0 + at, categories=(PLACES[at], PLACES[at + 3]))
        for at in range(8)
    ),
    Offer("anything", "content"),
)
KINDS = ("trained", "with every part", "prior")


def _widened(values: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """The six features of ``values`` and many that say nothing: wide tables add differently."""
    rng, n = np.random.default_rng(seed), len(values)
    seen = np.where(rng.random((n, 12)) < 0.5, rng.uniform(0, 90, (n, 12)), np.nan)
    more = [rng.exponential(1, (n, 12)), seen, rng.normal(size=(n, 18))]
    return np.column_stack(
        [values, *more, rng.poisson(2, n), rng.exponential(30, n)]
    ).astype(np.float32)  # fmt: skip


@cache
def wide_world() -> Simulated:
    world = simulated(6_000, seed=1)
    return replace(world, values=_widened(world.values, 2))


@cache
def wide_models() -> dict[str, ResponseModel | PriorResponse]:
    """The response as it was trained; with every part that it may have; and a prior of trees, a
    regression and a habit."""
    world = wide_world()
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
    habit = Habit(0.5, 30.0, 0.8, 2.5, 30.0, -4.0)
    blend = Propensity(Blend((Trees(booster, NAMED, 1), linear, habit)), 30, Platt(1.1, 0.1))
    return {
        "trained": trained,
        "with every part": replace(trained, effect=effect, base=linear, leaving=leaving),
        "prior": PriorResponse(blend, 0.5, 120.0, 0.3),
    }
