"""What a propensity can be asked about members: will they buy, will they lapse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from features.progress import Progress
from features.workspace import Workspace
from models.propensity import Propensity
from training.errors import TrainingError
from training.evaluation.baselines import column_rank, recency_rank, rfm_rank_sum
from training.frames import (
    LabelledRows,
    Split,
    first_event,
    label_windows,
    labelled_rows,
)
from training.propensity_measure import Rankings
from training.trained import Model


@dataclass(frozen=True, slots=True)
class Period:
    """As of when, how far ahead, and the seed of the sample where there are very many rows."""

    as_of: datetime
    horizon_days: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.horizon_days < 1:
            raise TrainingError(f"horizon is {self.horizon_days} days, wanted 1 or more")


@dataclass(frozen=True, slots=True)
class Shape:
    """How a propensity over labelled rows becomes the model that is kept, and comes back.

    kept: of the workspace, the propensity and the rows known when it was fitted. read: from a
    folder.
    """

    kept: Callable[[Workspace, Propensity, LabelledRows], Model]
    read: Callable[[Path], Propensity]


PLAIN = Shape(lambda _workspace, propensity, _rows: propensity, Propensity.load)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Something that happens to a member, or does not.

    name: of the registered model.
    asked: in one word, such as ``buy``.
    purpose, limits: for the model card.
    rows: the labelled rows of a workspace, split by time.
    rankings: the plain rankings of such rows, by name; higher is likelier.
    shape: what is kept.
    """

    name: str
    asked: str
    purpose: str
    limits: tuple[str, ...]
    rows: Callable[[Workspace, Period, Progress], Split]
    rankings: Callable[[LabelledRows], Rankings]
    shape: Shape = PLAIN


def member_rows(workspace: Workspace, period: Period, progress: Progress) -> Split:
    """Everyone known at each moment, and whether they bought within the horizon.

    Raises:
        TrainingError: too little history, or nobody was known at one of the moments.
        FeatureError: features cannot be built.
    """
    horizon = timedelta(days=period.horizon_days)
    windows = label_windows(first_event(workspace, period.as_of), period.as_of, horizon)
    rows = labelled_rows(workspace, windows, period.seed, progress)
    return Split(
        train=rows.at(*windows.train),
        calibrate=rows.at(windows.calibrate),
        test=rows.at(windows.test),
        measured_from=windows.test,
        closed=windows.test + windows.horizon,
        feature_moments=windows.moments,
        year_ago=tuple(rows.at(moment) for moment in windows.year_ago),
    )


def lapsing_rows(workspace: Workspace, period: Period, progress: Progress) -> Split:
    """Of those who had bought by each moment: whether they bought nothing within the horizon.

    Raises:
        TrainingError: as ``member_rows``; or nobody had bought by one of the moments.
        FeatureError: features cannot be built.
    """
    split = member_rows(workspace, period, progress)
    return replace(
        split,
        train=lapsing(split.train),
        calibrate=lapsing(split.calibrate),
        test=lapsing(split.test),
        year_ago=tuple(lapsing(rows) for rows in split.year_ago),
    )


def lapsing(rows: LabelledRows) -> LabelledRows:
    """Rows about buying as rows about lapsing: of buyers only, and the other way round."""
    buyers = rows.where(~np.isnan(rows.column("recency_days")))
    if not len(buyers.happened):
        raise TrainingError("nobody had bought anything yet; only who bought before can lapse")
    return replace(buyers, happened=~buyers.happened)


def buying_rankings(rows: LabelledRows) -> Rankings:
    """By recency, by number of orders, by spend, and by the sum of the three ranks."""
    recency = rows.column("recency_days")
    orders, spend = rows.column("orders_life"), rows.column("spend_life")
    return {
        "rfm": rfm_rank_sum(recency, orders, spend),
        "recency": recency_rank(recency),
        "frequency": column_rank(orders),
        "spend": column_rank(spend),
    }


def lapsing_rankings(rows: LabelledRows) -> Rankings:
    """Those of buying, the other way round."""
    return {name: -ranks for name, ranks in buying_rankings(rows).items()}


OBSERVED = "Says who will, not whom a push makes: for what a push changes, ask the response model."
BUY = Outcome(
    "propensity",
    "buy",
    "How likely a member buys anything within the horizon.",
    (OBSERVED,),
    member_rows,
    buying_rankings,
)
LAPSE = Outcome(
    "propensity-lapse",
    "lapse",
    "How likely a member who has bought before buys nothing within the horizon.",
    (
        OBSERVED,
        "Who bought nothing for a while is not lost: take a horizon long beside the usual gap.",
        "Means nothing for members who never bought.",
    ),
    lapsing_rows,
    lapsing_rankings,
)
