"""Which recommender, with which settings: tried on a period before the one that measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from models.graph_filter import GraphFilter
from models.recommender import AlsRecommender
from training.als import AlsSettings, fit_als
from training.evaluation.ranking import (
    Kind,
    LaterPeriod,
    MemberQuality,
    lists_quality,
    paired_error,
)
from training.graph_filter_fit import GraphSettings, fit_graph_filter
from training.interactions import HALF_LIFE_DAYS, Interactions, some_members

PLACES = 10
MOST_PAIRS = 400_000  # of members drawn for trials: the budget, in work and not in seconds
MOST_JUDGED = 4_000  # members whose lists are judged in a trial

Grid = Mapping[str, tuple[float, ...]]
Met = Callable[[float], Interactions]  # what members met before the period, by half-life


@dataclass(frozen=True, slots=True)
class Choice:
    """What a recommender is made with. half_life_days: by which the weights fade."""

    settings: AlsSettings | GraphSettings
    half_life_days: float = HALF_LIFE_DAYS

    @property
    def kind(self) -> str:
        return "als" if isinstance(self.settings, AlsSettings) else "graph filter"

    @property
    def words(self) -> str:
        parts = ", ".join(f"{name} {value:g}" for name, value in asdict(self.settings).items())
        return f"{self.kind}: half-life {self.half_life_days:g}, {parts}"

    def changed(self, name: str, value: float) -> Choice:
        """The same with another value of one setting."""
        if name == "half_life_days":
            return replace(self, half_life_days=value)
        one: dict[str, Any] = {name: value}
        return replace(self, settings=replace(self.settings, **one))

    def fit(self, met: Interactions, seed: int) -> AlsRecommender | GraphFilter:
        """Fit on ``met``, which has faded by this half-life."""
        if isinstance(self.settings, AlsSettings):
            return fit_als(met, self.settings, seed)
        return fit_graph_filter(met, self.settings)


@dataclass(frozen=True, slots=True)
class Trial:
    """One choice, and how good its lists were on the trial period."""

    choice: Choice
    recall: float
    ndcg: float


@dataclass(frozen=True, slots=True)
class Race:
    """winner: what to train with. trials: all that was tried, in order; none without a period."""

    winner: Choice
    trials: tuple[Trial, ...]


DEFAULT = Race(Choice(AlsSettings()), ())


def race(met: Met, later: LaterPeriod, seed: int = 0) -> Race:
    """Try the factorisation and the graph filter, setting by setting; the better of both wins.

    A setting at a time is varied, from the one that ranked best on other data, and changed only
    where recall over new items is better by more than one standard error of the difference: with
    few members the best of many trials is mostly the luckiest. Larger data are judged on members
    drawn from them.

    Args:
        later: what members bought in the trial period, which ends before the one that measures.
    """
    stand = _Stand(met, later, seed)
    best = [
        stand.climb(Choice(AlsSettings()), _ALS_GRID),
        stand.climb(Choice(GraphSettings()), _GRAPH_GRID),
    ]
    winner = max(best, key=stand.recall)
    return Race(winner, tuple(stand.trials))


# Values to try beside the defaults, one setting after the other.
_ALS_GRID: Grid = {
    "half_life_days": (90.0, 365.0),
    "alpha0": (0.1, 1.0),
    "regularization": (10.0, 100.0),
    "factors": (32, 256),
}
_GRAPH_GRID: Grid = {
    "half_life_days": (90.0, 365.0),
    "rank": (64,),
    "low_pass": (0.1, 1.0),
    "tilt": (0.0, 0.3),
}


class _Stand:
    """Where choices are tried: the same members and items for all."""

    def __init__(self, met: Met, later: LaterPeriod, seed: int) -> None:
        self._met, self._seed = met, seed
        known = {member.decode() for member in self._faded(HALF_LIFE_DAYS).member_ids.tolist()}
        self._later = later.among(known, MOST_JUDGED, seed)
        self._kind: Kind = "explore" if self._later.of_kind("explore")[0] else "all"
        self._tried: dict[Choice, MemberQuality] = {}

    @property
    def trials(self) -> Iterator[Trial]:
        for choice, quality in self._tried.items():
            yield Trial(choice, quality.means.recall, quality.means.ndcg)

    def recall(self, choice: Choice) -> float:
        return self._quality(choice).means.recall

    def climb(self, start: Choice, grid: Grid) -> Choice:
        """The best choice reached by changing one setting after another."""
        best = start
        for name, values in grid.items():
            for value in values:
                changed = best.changed(name, value)
                ours, theirs = self._quality(changed).recall, self._quality(best).recall
                if float(np.mean(ours - theirs)) > paired_error(ours, theirs):
                    best = changed
        return best

    def _quality(self, choice: Choice) -> MemberQuality:
        if choice not in self._tried:
            model = choice.fit(self._faded(choice.half_life_days), self._seed)
            self._tried[choice] = lists_quality(model, self._later, self._kind, PLACES)
        return self._tried[choice]

    def _faded(self, half_life_days: float) -> Interactions:
        return some_members(self._met(half_life_days), MOST_PAIRS, self._seed)
