"""The trainers behind ``pushwise train``: one for each model that can be registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from features.progress import Progress
from features.workspace import Workspace

if TYPE_CHECKING:
    from training.trained import Trained


class Which(StrEnum):
    """Registered names; ``all`` stands for every one that the data allow."""

    PROPENSITY = "propensity"
    LAPSE = "propensity-lapse"
    OPEN = "propensity-open"
    CLICK = "propensity-click"
    CATEGORY = "propensity-category"
    CLV = "clv"
    RECOMMENDER = "recommender"
    REPEAT = "repeat"
    RESPONSE = "response"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class TrainingAsk:
    """What every trainer is given.

    horizon_days: days that the model looks ahead; None leaves it to the model.
    observational: whether the response model may learn from sends that were not drawn at random.
    promote: whether a model that passes every gate becomes the champion.
    """

    workspace: Workspace
    as_of: datetime
    horizon_days: int | None = None
    seed: int = 0
    observational: bool = False
    promote: bool = True


Trainer = Callable[[TrainingAsk, Progress], "Trained"]


class _Ahead(Protocol):
    """A trainer of what looks some days ahead."""

    def __call__(
        self,
        workspace: Workspace,
        as_of: datetime,
        horizon_days: int = ...,
        seed: int = ...,
        progress: Progress = ...,
        *,
        promote: bool = ...,
    ) -> Trained: ...


def _days(ask: TrainingAsk, usual: int = 30) -> int:
    return usual if ask.horizon_days is None else ask.horizon_days


def _ahead(load: Callable[[], _Ahead], days: int = 30) -> Trainer:
    """``load`` brings the trainer when it is wanted: its libraries take seconds to import."""

    def train(ask: TrainingAsk, progress: Progress) -> Trained:
        horizon = _days(ask, days)
        return load()(ask.workspace, ask.as_of, horizon, ask.seed, progress, promote=ask.promote)

    return train


def _outcome(which: Which) -> Trainer:
    """The trainer of one propensity."""

    def train(ask: TrainingAsk, progress: Progress) -> Trained:
        from training.outcomes import Period
        from training.propensity import OUTCOMES, train_outcome

        period = Period(ask.as_of, _days(ask), ask.seed)
        outcome = OUTCOMES[which.value]
        return train_outcome(ask.workspace, outcome, period, progress, promote=ask.promote)

    return train


def _clv() -> _Ahead:
    from training.clv import train_clv

    return train_clv


def _recommender() -> _Ahead:
    from training.recommender import train_recommender

    return train_recommender


def _repeat() -> _Ahead:
    from training.repeat import train_repeat

    return train_repeat


def _response(ask: TrainingAsk, progress: Progress) -> Trained:
    from training.response import train_response

    return train_response(
        ask.workspace,
        ask.as_of,
        ask.seed,
        progress,
        observational=ask.observational,
        promote=ask.promote,
    )


# Lifetime value first: value tiers come from it, which the others learn from.
TRAINERS: Mapping[Which, Trainer] = {
    Which.CLV: _ahead(_clv, days=90),
    Which.PROPENSITY: _outcome(Which.PROPENSITY),
    Which.LAPSE: _outcome(Which.LAPSE),
    Which.OPEN: _outcome(Which.OPEN),
    Which.CLICK: _outcome(Which.CLICK),
    Which.CATEGORY: _outcome(Which.CATEGORY),
    Which.RECOMMENDER: _ahead(_recommender),
    Which.REPEAT: _ahead(_repeat),
    Which.RESPONSE: _response,
}


def train_all(
    ask: TrainingAsk, progress: Progress, trainers: Mapping[Which, Trainer] = TRAINERS
) -> tuple[list[Trained], dict[str, str]]:
    """Train every model.

    Returns:
        What was trained, and for each model that this workspace cannot train, why not.
    """
    from experiments.errors import ExperimentError
    from training.errors import TrainingError

    trained, skipped = [], {}
    for which, trainer in trainers.items():
        try:
            trained.append(trainer(ask, progress))
        except (TrainingError, ExperimentError) as error:
            skipped[which.value] = str(error)
    return trained, skipped
