"""Train propensities: who will buy, and in which category, who will lapse, open or click."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

import numpy as np

from features.progress import Progress, silent
from features.workspace import Workspace
from models.errors import ModelError
from models.propensity import Propensity
from training.categories import CATEGORY
from training.frames import SERVICE, Split
from training.outcomes import BUY, LAPSE, Outcome, Period
from training.propensity_fit import ROUNDS, Asked, Race, fit_again, growth, race
from training.propensity_measure import (
    Promises,
    calibrated_rankings,
    calibration_check,
    charts,
    compare,
)
from training.reactions import CLICK, OPEN
from training.season import season_ahead, shifted
from training.trained import (
    FEATURE_MOMENTS,
    KNOWN_UNTIL,
    MEASURED_FROM,
    Account,
    Card,
    Trained,
    in_words,
    record,
    standing,
)

# All that is trained here, by registered name.
OUTCOMES = {one.name: one for one in (BUY, LAPSE, OPEN, CLICK, CATEGORY)}


def train_propensity(
    workspace: Workspace,
    as_of: datetime,
    horizon_days: int = 30,
    seed: int = 0,
    progress: Progress = silent,
    *,
    promote: bool = True,
) -> Trained:
    """Who will buy within the horizon. Args and errors as of ``train_outcome``."""
    period = Period(as_of, horizon_days, seed)
    return train_outcome(workspace, BUY, period, progress, promote=promote)


def train_outcome(
    workspace: Workspace,
    outcome: Outcome,
    period: Period,
    progress: Progress = silent,
    *,
    promote: bool = True,
) -> Trained:
    """Let trees, a linear model and blends race on the past; measure the best on what follows.

    The racers learn from the earlier windows and are calibrated, and chosen, on the window before
    the test window. The winner is measured on the test window, beside plain rankings calibrated in
    the same way and beside the champion; then it is fitted again, with the test window to
    calibrate on: the latest closed one. What was measured is kept beside it. Where the history
    reaches back a year, both are moved by what the season did then between the same two windows.

    Args:
        period: the last test outcome is closed by its ``as_of``; its ``seed`` draws the features of
            each tree, and the sample of members where there are very many.
        promote: whether it becomes the champion when it passes every gate.

    Raises:
        TrainingError: too little history, or a test window nothing can be told from.
        FeatureError: features cannot be built.
    """
    split = outcome.rows(workspace, period, progress)
    asked = Asked(outcome.asked, period.horizon_days, period.seed)
    progress(outcome.name, 0, 2)
    found = race(split.train, split.calibrate, asked)
    season, ahead = season_ahead(found.model, split)
    measured = shifted(found.model, season)
    progress(outcome.name, 1, 2)
    champion = standing(
        workspace,
        outcome.name,
        lambda folder: comparable(outcome.shape.read(folder), asked, split.test.names),
        split.measured_from,
    )
    account = account_of(found, promised(measured, champion.model, split, outcome), split, asked)
    account = replace(
        account,
        params={**account.params, "season": round(season, 4), "season_ahead": round(ahead, 4)},
        facts={**account.facts, **champion.facts},
        card=Card(outcome.purpose, outcome.limits),
        measured=outcome.shape.kept(workspace, measured, split.known),
    )
    again = shifted(fit_again(found.winner, split.known, split.test, asked), ahead)
    kept = outcome.shape.kept(workspace, again, split.known.followed_by(split.test))
    trained = record(workspace, outcome.name, kept, account, promote=promote)
    progress(outcome.name, 2, 2)
    return trained


def promised(
    model: Propensity, champion: Propensity | None, split: Split, outcome: Outcome
) -> Promises:
    """What the model, the champion and the plain rankings say of the test rows."""
    test = split.test
    plain = calibrated_rankings(
        outcome.rankings(split.calibrate), split.calibrate, outcome.rankings(test)
    )
    theirs = None if champion is None else champion.predict(test.values, test.names)
    return Promises(test, model.predict(test.values, test.names), plain, theirs)


def comparable(champion: Propensity, asked: Asked, names: Collection[str]) -> Propensity:
    """``champion``, if it answers what is asked from features among ``names``.

    Raises:
        ModelError: another outcome or horizon, or a feature that is no longer there.
    """
    if (champion.outcome, champion.horizon_days) != (asked.outcome, asked.horizon_days):
        raise ModelError(
            f"answers {champion.outcome!r} within {champion.horizon_days} days, "
            f"not {asked.outcome!r} within {asked.horizon_days}"
        )
    missing = sorted(set(champion.names) - set(names))
    if missing:
        raise ModelError(f"reads feature {missing[0]!r}, which is no longer there")
    return champion


def account_of(found: Race, promises: Promises, split: Split, asked: Asked) -> Account:
    """All that the record keeps of the race ``found`` but the words of its card."""
    comparisons = compare(promises)
    calibration_error = comparisons[-1].ours
    params = {
        **growth(len(split.train.happened)),
        "rounds": ROUNDS,
        "seed": asked.seed,
        "horizon_days": asked.horizon_days,
        "model": found.winner.name,
        "linear_penalty": found.winner.penalty,
        **{
            f"race log loss {name}".replace(" ", "_"): round(loss, 6)
            for name, loss in found.losses.items()
        },
        "features": len(split.train.names),
        "train_windows": len(np.unique(split.train.moments)),
        "train_rows": len(split.train.happened),
        "train_rate": round(float(split.train.happened.mean()), 6),
        "test_rows": len(split.test.happened),
        "test_rate": round(float(split.test.happened.mean()), 6),
        "calibration_slope": round(found.model.calibration.slope, 6),
        "calibration_intercept": round(found.model.calibration.intercept, 6),
    }
    facts = {
        "data_window": split.words,
        FEATURE_MOMENTS: in_words(split.feature_moments),
        "feature_service": SERVICE,
        "dataset_digest": split.digest(),
        KNOWN_UNTIL: split.measured_from.isoformat(),
        MEASURED_FROM: split.measured_from.isoformat(),
    }
    checks = (calibration_check(promises, calibration_error),)
    return Account(comparisons, params, facts, charts(promises), checks=checks)
