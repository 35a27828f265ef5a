"""Fit a propensity: trees, a linear model and blends of them race, and the best is calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calibration import Platt, fit_platt
from models.habit import Habit, history
from models.linear import Linear
from models.propensity import Blend, Part, Propensity, Scorer
from models.trees import Trees
from training.bgnbd import fit_bgnbd
from training.errors import TrainingError
from training.frames import LabelledRows
from training.linear_fit import fit_linear

# Small on purpose; each tree sees a third of the features, many of which say the same. Chosen on
# Online Retail before 2011-10 and on the synthetic market. Never class weights, which ruin the
# probabilities.
SETTINGS: Mapping[str, object] = {
    "objective": "binary",
    "num_leaves": 15,
    "learning_rate": 0.03,
    "feature_fraction": 0.3,
}
ROUNDS = 300
_LEAF = (100, 300)  # rows in a leaf: a hundredth of all, within these
# Threads that wait for each other after every split cost more than they save on few rows: ten
# times as much where the cores are shared.
ONE_THREAD_BELOW = 200_000
# Of the linear model's squared weights, in log losses of one row.
PENALTIES = (10.0, 100.0)
# The questions that are about buying: 1 where it means that they buy, -1 that they do not.
_HABITS = {"buy": 1, "lapse": -1}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a propensity is to answer, and the seed of all chance in its fit."""

    outcome: str
    horizon_days: int
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to fit. parts: of ``PARTS``, those that are blended; penalty: of the linear one."""

    parts: tuple[str, ...]
    penalty: float

    @property
    def name(self) -> str:
        return " and ".join(self.parts)


PARTS = ("trees", "linear", "habit")
# In order of preference: what errs in different ways errs less together. The habit of buying alone
# reads three features only.
RACERS = (
    ("trees", "habit"), ("trees", "linear", "habit"), ("trees", "linear"), ("linear", "habit"),
    ("trees",), ("linear",),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Race:
    """The best on the calibration window, and how all did.

    losses: by racer, its log loss there after Platt scaling, in nats per row.
    """

    model: Propensity
    winner: Kind
    losses: Mapping[str, float]


def race(train: LabelledRows, calibrate: LabelledRows, asked: Asked) -> Race:
    """Fit every racer on ``train``; the log loss on the later ``calibrate`` decides.

    The first of ``RACERS`` wins that is not worse than the best there by more than one standard
    error of the difference: in one window chance decides among near equals, and the next window is
    another (the one standard error rule of Breiman, Friedman, Olshen and Stone, 1984).

    The same rows and seed give the same model. Features that say nothing, or outcomes of one class
    only, give everybody the rate of the calibration window.

    Raises:
        TrainingError: no rows, or the calibration rows begin before the last training rows.
    """
    _check(train, calibrate)
    linear = {penalty: _linear(train, penalty) for penalty in PENALTIES}
    penalty = min(PENALTIES, key=lambda one: _calibrated(linear[one], calibrate)[1].mean())
    fitted: dict[str, Part] = {"trees": _trees(train, asked.seed), "linear": linear[penalty]}
    habit = fit_habit(train, asked)
    if habit is not None:
        fitted["habit"] = habit
    kinds = [Kind(parts, penalty) for parts in RACERS if {*parts} <= {*fitted}]
    scorers = [_blended([fitted[part] for part in kind.parts]) for kind in kinds]
    found = [_calibrated(scorer, calibrate) for scorer in scorers]
    place = _first_near_best([losses for _, losses in found], calibrate.member_ids)
    model = Propensity(scorers[place], asked.horizon_days, found[place][0], asked.outcome)
    told = zip(kinds, found, strict=True)
    return Race(model, kinds[place], {kind.name: float(each.mean()) for kind, (_, each) in told})


def _first_near_best(losses: Sequence[NDArray[np.float64]], groups: NDArray[np.str_]) -> int:
    """The first whose mean loss is at most one standard error above the least.

    Args:
        losses: (n,) each, of the same rows. groups: (n,) whose row it is; a member with many rows
            counts as one.
    """
    best = min(losses, key=lambda each: float(each.mean()))
    _, of = np.unique(groups, return_inverse=True)
    for place, each in enumerate(losses):
        worse = each - best
        error = np.sqrt((np.bincount(of, weights=worse - worse.mean()) ** 2).sum()) / len(worse)
        if worse.mean() <= error:
            return place
    raise AssertionError("the best is not worse than itself")


def fit_again(
    winner: Kind, train: LabelledRows, calibrate: LabelledRows, asked: Asked
) -> Propensity:
    """Fit in the way of ``winner`` on other rows. Raises as ``race``."""
    _check(train, calibrate)
    parts = [_fitted(part, winner, train, asked) for part in winner.parts]
    scorer = _blended([part for part in parts if part is not None])
    calibration, _ = _calibrated(scorer, calibrate)
    return Propensity(scorer, asked.horizon_days, calibration, asked.outcome)


def _fitted(part: str, winner: Kind, train: LabelledRows, asked: Asked) -> Part | None:
    if part == "trees":
        return _trees(train, asked.seed)
    if part == "linear":
        return _linear(train, winner.penalty)
    return fit_habit(train, asked)


def _blended(parts: Sequence[Part]) -> Scorer:
    return parts[0] if len(parts) == 1 else Blend(tuple(parts))


def fit_habit(train: LabelledRows, asked: Asked) -> Habit | None:
    """The habit of buying as of the latest moment of ``train``.

    None where the question is not about buying, or nobody bought twice.
    """
    if asked.outcome not in _HABITS or not {*Habit.names} <= {*train.names}:
        return None
    latest = train.where(train.moments == train.moments.max())
    read = np.column_stack([latest.column(name) for name in Habit.names]).astype(np.float64)
    times, recency, age, bought = history(read)
    if not (times > 0).any():
        return None
    found = fit_bgnbd(*(part[bought] for part in (np.floor(times), recency, age)))
    towards = _HABITS[asked.outcome]
    buying = train.happened if towards > 0 else ~train.happened
    others = buying[np.isnan(train.column("recency_days"))]
    rate = (others.sum() + 1) / (len(others) + 2)
    never = float(np.log(rate / (1 - rate)))
    return Habit(found.r, found.alpha, found.a, found.b, asked.horizon_days, never, towards)


def _check(train: LabelledRows, calibrate: LabelledRows) -> None:
    if not len(train.happened) or not len(calibrate.happened):
        raise TrainingError("no rows to train or calibrate on")
    if train.moments.max() >= calibrate.moments.min():
        raise TrainingError(
            f"calibration begins {calibrate.moments.min()}, "
            f"wanted after the last training rows of {train.moments.max()}"
        )


def growth(rows: int) -> Mapping[str, object]:
    """How LightGBM's trees grow on so many rows."""
    return {**SETTINGS, "min_data_in_leaf": min(max(rows // 100, _LEAF[0]), _LEAF[1])}


def _trees(train: LabelledRows, seed: int) -> Trees:
    import lightgbm

    settings = {
        **growth(len(train.happened)),
        "seed": seed,
        "num_threads": 1 if len(train.happened) < ONE_THREAD_BELOW else 0,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    categories = [train.names.index(name) for name in sorted(train.categories & {*train.names})]
    data = lightgbm.Dataset(
        train.values, train.happened.astype(np.float64), categorical_feature=categories
    )
    return Trees(lightgbm.train(settings, data, num_boost_round=ROUNDS), train.names)


def _linear(train: LabelledRows, penalty: float) -> Linear:
    return fit_linear(train.values, train.names, train.happened, train.categories, penalty)


def _calibrated(scorer: Scorer, calibrate: LabelledRows) -> tuple[Platt, NDArray[np.float64]]:
    """Platt scaling on ``calibrate``, and the log losses (n,) that it leaves there, in nats."""
    scores = scorer.score(calibrate.values, calibrate.names)
    calibration = fit_platt(scores, calibrate.happened)
    promised = calibration.probability(scores)
    return calibration, -np.log(np.where(calibrate.happened, promised, 1 - promised))
