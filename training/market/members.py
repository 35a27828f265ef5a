"""Who the members are: what the shop knows about them, and what only the simulation knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.market.world import World

REGIONS = ("taipei", "taichung", "kaohsiung", "tokyo", "osaka", "seoul", "hong-kong", "singapore")
TIMEZONES = (
    "Asia/Taipei", "Asia/Taipei", "Asia/Taipei", "Asia/Tokyo", "Asia/Tokyo", "Asia/Seoul",
    "Asia/Hong_Kong", "Asia/Singapore",
)  # fmt: skip
_REGION_SHARE = np.array([0.3, 0.14, 0.12, 0.12, 0.08, 0.1, 0.08, 0.06])
# Some regions are used to good prices and to messages; observable, and a part of the response.
_REGION_PRICE = np.array([0.0, 0.15, 0.2, -0.15, -0.1, 0.05, -0.05, -0.2])
_REGION_OPENNESS = np.array([0.1, 0.1, 0.1, -0.3, -0.2, 0.2, 0.0, -0.1])
TIERS = ("bronze", "silver", "gold")
GENDERS = ("female", "male", "other")
DEVICES = ("app", "mobile_web", "desktop")

# Tastes are mixtures of these, over ATTRIBUTES: beach, city, nature, culture, food, snow, family.
_LOVERS = np.array(
    [
        [1.0, 0.1, 0.2, 0.0, 0.2, 0.0, 0.2],  # beach
        [0.0, 1.0, 0.0, 0.3, 0.7, 0.1, 0.1],  # city and food
        [0.1, 0.0, 1.0, 0.2, 0.1, 0.1, 0.1],  # nature
        [0.0, 0.3, 0.2, 1.0, 0.5, 0.0, 0.1],  # culture
        [0.0, 0.1, 0.6, 0.1, 0.3, 1.0, 0.2],  # snow
        [0.6, 0.3, 0.2, 0.0, 0.2, 0.1, 1.0],  # family
    ]
)
_LOVER_SHARE = np.array([0.17, 0.26, 0.19, 0.16, 0.10, 0.12])
_TASTE_SHARPNESS = 7.0  # how strongly taste decides where a member looks
_MATCH_MIDDLE, _MATCH_WIDTH = 0.84, 0.045  # likeness of taste and place at which a push can tempt

_INTENTS_A_YEAR = 1.5
_IDLE_VISITS_A_YEAR = 2.2


@dataclass(frozen=True, slots=True)
class Members:
    """Arrays of length n. What the shop knows first, then what it has to learn."""

    first: int  # number of the first member; ids count on from it
    joined: NDArray[np.float64]  # shopping days; also before the history
    birth_year: NDArray[np.int64]  # 0: unknown
    gender: NDArray[np.int64]  # row in GENDERS, -1 unknown
    region: NDArray[np.int64]
    tier: NDArray[np.int64]
    points: NDArray[np.int64]
    consents: NDArray[np.int8]  # (n, 3) push, email, sms: 1, 0, or -1 never asked
    device: NDArray[np.int64]

    affinity: NDArray[np.float64]  # (n, destinations) rows sum to 1: where the member looks
    match: NDArray[np.float64]  # (n, destinations) 0 to 1: whether a push can tempt there
    intents: NDArray[np.float64]  # trips taken into consideration, a day
    idle: NDArray[np.float64]  # visits without any intention, a day
    decisiveness: NDArray[np.float64]  # probability that a trip considered is bought
    price_sense: NDArray[np.float64]  # 0 to 1
    openness: NDArray[np.float64]  # 0 to 1: how readily pushes are noticed and followed
    wanderlust: NDArray[np.float64]  # readiness for one more trip, 1 for the average traveller
    averse: NDArray[np.bool_]  # pushes drive this member away
    tiring: NDArray[np.float64]  # share of the effect lost with each contact of the last month

    def __len__(self) -> int:
        return len(self.joined)

    @property
    def consenting(self) -> NDArray[np.bool_]:
        agreed: NDArray[np.bool_] = self.consents[:, 0] == 1
        return agreed


def draw_members(world: World, first: int, count: int, rng: np.random.Generator) -> Members:
    """``count`` members, numbered from ``first``."""
    region = rng.choice(len(REGIONS), count, p=_REGION_SHARE)
    age = np.clip(rng.gamma(7.0, 5.6, count), 18, 85)
    older = (age - 39) / 15
    # Heavy tailed: the busiest hundredth visits more than ten times as often as the median.
    activity = np.minimum(rng.lognormal(-0.45, 0.95, count), 12.0)
    busy = np.log(activity)
    affinity, match = _taste(world, older, count, rng)
    averse = rng.random(count) < _sigmoid(-2.7 + 0.5 * older - 0.6 * busy)
    openness = _sigmoid(
        -0.4 + 0.4 * busy - 0.35 * older + _REGION_OPENNESS[region] + rng.normal(0, 0.7, count)
    )
    price_sense = _sigmoid(-0.5 * older + 3 * _REGION_PRICE[region] + rng.normal(0, 1, count))
    spent = activity * rng.lognormal(0, 0.5, count) * (1.25 - 0.5 * price_sense)
    return Members(
        first=first,
        joined=world.end - 5 - rng.gamma(1.6, 480.0, count),
        birth_year=np.where(rng.random(count) < 0.1, 0, 2026 - age.astype(np.int64)),
        gender=rng.choice([0, 1, 2, -1], count, p=[0.5, 0.4, 0.02, 0.08]),
        region=region,
        tier=(spent > 1.2).astype(np.int64) + (spent > 3.0),
        points=(spent * rng.gamma(2.0, 180.0, count)).astype(np.int64),
        consents=np.column_stack(
            [rng.choice([1, 0, -1], count, p=p).astype(np.int8) for p in _CONSENT]
        ),
        device=rng.choice(3, count, p=[0.62, 0.23, 0.15]),
        affinity=affinity,
        match=match,
        intents=_INTENTS_A_YEAR / 365 * activity**0.8,
        idle=_IDLE_VISITS_A_YEAR / 365 * activity,
        decisiveness=rng.beta(10, 2.5, count),
        price_sense=price_sense,
        openness=openness,
        wanderlust=np.clip(activity**0.5, 0.3, 2.5),
        averse=averse,
        tiring=rng.uniform(0.05, 0.3, count),
    )


# Opt-in to push is the highest of all branches in travel, about 70 % (Accengage benchmark, see
# README.md); members of a loyalty programme say yes more often.
_CONSENT = ([0.82, 0.13, 0.05], [0.7, 0.25, 0.05], [0.35, 0.5, 0.15])


def _taste(
    world: World, older: NDArray[np.float64], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Affinity and match of each member to each destination."""
    tilt = np.array([-0.25, -0.15, 0.1, 0.3, 0.0, 0.0])  # culture and nature come with age
    share = _LOVER_SHARE * np.exp(tilt * older[:, None])
    chance = np.cumsum(share / share.sum(axis=1, keepdims=True), axis=1)
    main = (rng.random(count)[:, None] > chance[:, :-1]).sum(axis=1)
    side = rng.choice(len(_LOVERS), count, p=_LOVER_SHARE)
    taste = 0.75 * _LOVERS[main] + 0.25 * _LOVERS[side]
    taste = taste * rng.gamma(6.0, 1 / 6.0, taste.shape) + rng.gamma(0.5, 0.08, taste.shape)
    taste /= np.linalg.norm(taste, axis=1, keepdims=True)
    likeness = taste @ world.destinations.attributes.T
    affinity = world.destinations.popularity * np.exp(_TASTE_SHARPNESS * likeness)
    affinity /= affinity.sum(axis=1, keepdims=True)
    match = _sigmoid((likeness - _MATCH_MIDDLE) / _MATCH_WIDTH)
    return affinity, match


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-values))
