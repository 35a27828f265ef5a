"""Why members visit: trips they consider, and idle looking at places they like.

A member takes a trip into consideration at a rate of its own, by taste and season. While it is
considered, the member keeps visiting; consideration ends at a constant rate, in a purchase with
the member's decisiveness and in nothing otherwise. So the latent state at any moment is no more
than which trips are under consideration, and what follows has a closed form (``outlook``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.market.members import Members
from training.market.world import DESTINATIONS, World

# Travellers take 13.2 days from the first visit to the purchase (Qubit, see README.md).
CONSIDERED_DAYS = 13.0
VISITS_A_DAY = 0.25  # while a trip is considered, after the first visit
WARM_UP_DAYS = 120.0  # before the history, so that it starts with trips under consideration

IDLE, INTENT, PURCHASE, CLICK = range(4)


@dataclass(frozen=True, slots=True)
class Intents:
    """Trips considered, one per entry."""

    member: NDArray[np.int64]
    place: NDArray[np.int64]
    start: NDArray[np.float64]  # shopping days
    end: NDArray[np.float64]
    bought: NDArray[np.bool_]  # at ``end``


@dataclass(frozen=True, slots=True)
class Visits:
    """Sessions, one per entry; each is about one place."""

    member: NDArray[np.int64]
    place: NDArray[np.int64]
    day: NDArray[np.float64]  # the end of the visit, shopping days
    why: NDArray[np.int8]  # IDLE, INTENT, PURCHASE or CLICK
    purchase: NDArray[np.int64]  # row of the purchase it ends in, -1 none

    def plus(self, other: Visits) -> Visits:
        return Visits(
            *(
                np.concatenate([getattr(self, name), getattr(other, name)])
                for name in ("member", "place", "day", "why", "purchase")
            )
        )


@dataclass(frozen=True, slots=True)
class Outlook:
    """What an onlooker who knows all latent states expects of the days ahead, without a push."""

    considered: NDArray[np.int64]  # (n, destinations) trips under consideration now
    bought: NDArray[np.float64]  # (n,) probability that such a trip is bought in time
    fresh: NDArray[np.float64]  # (n, destinations) expected purchases of trips not yet thought of

    @property
    def purchases(self) -> NDArray[np.float64]:
        """Expected purchases, (n, destinations)."""
        return self.considered * self.bought[:, None] + self.fresh

    def no_purchase(self, kept: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of no purchase at all when each is made with probability ``kept``, (n,).

        Trips under consideration are independent; trips yet unthought of are a Poisson process.
        """
        held = (1 - kept * self.bought) ** self.considered.sum(axis=1)
        none: NDArray[np.float64] = held * np.exp(-kept * self.fresh.sum(axis=1))
        return none


def draw_intents(
    world: World, members: Members, span: tuple[float, float], rng: np.random.Generator
) -> Intents:
    """Trips taken into consideration within ``span``; none before a member joined."""
    start, end = span
    top = (1 + world.destinations.swing).max()
    counts = rng.poisson(members.intents * top * (end - start))
    member = np.repeat(np.arange(len(members)), counts)
    day = rng.uniform(start, end, len(member))
    place = _places(members.affinity, member, rng)
    season = world.destinations.season(day, place)
    kept = (rng.random(len(member)) * top < season) & (day > members.joined[member])
    member, place, day = member[kept], place[kept], day[kept]
    return Intents(
        member,
        place,
        day,
        day + rng.exponential(CONSIDERED_DAYS, len(day)),
        rng.random(len(day)) < members.decisiveness[member],
    )


def draw_visits(
    world: World, members: Members, intents: Intents, rng: np.random.Generator
) -> Visits:
    """Idle visits and those of ``intents`` within the history, purchases left out."""
    last = np.minimum(intents.end, world.end)
    more = rng.poisson(VISITS_A_DAY * np.maximum(last - intents.start, 0))
    again = np.repeat(np.arange(len(more)), more)
    day = rng.uniform(intents.start[again], last[again])
    counts = rng.poisson(members.idle * (world.end - world.start))
    idler = np.repeat(np.arange(len(members)), counts)
    idle_day = rng.uniform(world.start, world.end, len(idler))
    idle_place = _places(members.affinity, idler, rng)
    visits = Visits(
        member=np.concatenate([intents.member, intents.member[again], idler]),
        place=np.concatenate([intents.place, intents.place[again], idle_place]),
        day=np.concatenate([intents.start, day, idle_day]),
        why=np.repeat(
            np.array([INTENT, IDLE], dtype=np.int8), [len(intents.start) + len(day), len(idler)]
        ),
        purchase=np.full(len(intents.start) + len(day) + len(idler), -1),
    )
    within = (visits.day > np.maximum(world.start, members.joined[visits.member])) & (
        visits.day < world.end
    )
    return Visits(
        visits.member[within],
        visits.place[within],
        visits.day[within],
        visits.why[within],
        visits.purchase[within],
    )


def outlook(world: World, members: Members, intents: Intents, day: float, ahead: float) -> Outlook:
    """What members will buy within ``ahead`` days of ``day``, given their state at ``day``."""
    places = len(DESTINATIONS)
    now = (intents.start <= day) & (intents.end > day)
    considered = np.bincount(
        intents.member[now] * places + intents.place[now], minlength=len(members) * places
    ).reshape(-1, places)
    # New ones come at rate(t) and are bought in time with decisiveness × (1 − e^−(time left)).
    steps = np.linspace(0.0, ahead, 1001)
    waiting = 1 - np.exp(-(ahead - steps) / CONSIDERED_DAYS)
    weight = np.array(
        [
            np.trapezoid(
                world.destinations.season(day + steps, np.full(len(steps), place)) * waiting, steps
            )
            for place in range(places)
        ]
    )
    rate = (members.intents * members.decisiveness)[:, None] * members.affinity
    return Outlook(
        considered,
        members.decisiveness * (1 - np.exp(-ahead / CONSIDERED_DAYS)),
        rate * weight,
    )


def seen_within(
    visits: Visits, count: int, place: int, span: tuple[float, float]
) -> NDArray[np.bool_]:
    """Whether each of ``count`` members visited ``place`` after ``span[0]``, up to ``span[1]``."""
    hit = (visits.place == place) & (visits.day > span[0]) & (visits.day <= span[1])
    seen = np.zeros(count, dtype=np.bool_)
    seen[visits.member[hit]] = True
    return seen


def _places(
    affinity: NDArray[np.float64], member: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """A destination for each entry of ``member``, drawn by its affinity."""
    chance = np.cumsum(affinity, axis=1)[:, :-1]
    places: NDArray[np.int64] = (rng.random(len(member))[:, None] > chance[member]).sum(axis=1)
    return places
