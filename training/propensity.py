"""Train the purchase propensity: who will buy within the horizon, sent a push or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from features.progress import Progress, silent
from features.workspace import Workspace
from models.calibration import fit_platt
from models.propensity import KIND, Propensity
from models.trees import Trees
from training.charts import Chart
from training.errors import TrainingError
from training.evaluation.baselines import recency_rank, rfm_rank_sum
from training.evaluation.metrics import BinaryQuality, binary_quality
from training.frames import (
    SERVICE,
    LabelledRows,
    Windows,
    first_event,
    label_windows,
    labelled_rows,
)
from training.plots import gain_plot, lift_plot, reliability_plot
from training.trained import (
    FEATURE_MOMENTS,
    Account,
    Comparison,
    Trained,
    in_words,
    record,
)

STAGE = "propensity"
# Small on purpose; each tree sees a third of the features, many of which say the same. Chosen on
# Online Retail before 2011-10 and on the synthetic market. Never class weights, which ruin the
# probabilities.
SETTINGS: Mapping[str, object] = {
    "objective": "binary",
    "num_leaves": 15,
    "learning_rate": 0.03,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.3,
}
ROUNDS = 300
# Threads that wait for each other after every split cost more than they save on few rows: ten
# times as much where the cores are shared.
ONE_THREAD_BELOW = 200_000


def train_propensity(
    workspace: Workspace,
    as_of: datetime,
    horizon_days: int = 30,
    seed: int = 0,
    progress: Progress = silent,
) -> Trained:
    """Train on the past, calibrate on a later window, measure on the last one before ``as_of``.

    What is measured is what is kept: the model is not fitted again on the test window. The
    baselines are calibrated on the same window, so that every figure compares.

    Args:
        as_of: the last test outcome is closed by then.
        seed: draws the features of each tree, and the sample of members where there are very many.

    Raises:
        TrainingError: too little history, no purchases, or a test window nothing can be told from.
        FeatureError: features cannot be built.
    """
    if horizon_days < 1:
        raise TrainingError(f"horizon is {horizon_days} days, wanted 1 or more")
    windows = label_windows(first_event(workspace, as_of), as_of, timedelta(days=horizon_days))
    rows = labelled_rows(workspace, windows, seed, progress)
    progress(STAGE, 0, 2)
    model = fit_propensity(rows.at(*windows.train), rows.at(windows.calibrate), horizon_days, seed)
    progress(STAGE, 1, 2)
    account = _account(model, rows, windows, seed)
    trained = record(workspace, KIND, model, account)
    progress(STAGE, 2, 2)
    return trained


def fit_propensity(
    train: LabelledRows, calibrate: LabelledRows, horizon_days: int, seed: int = 0
) -> Propensity:
    """Fit the trees on ``train`` and the calibration on the later ``calibrate``.

    The same rows and seed give the same model. Features that say nothing, or
    outcomes of one class only, give everybody the rate of the calibration window.

    Raises:
        TrainingError: no rows, or the calibration rows begin before the last training rows.
    """
    import lightgbm

    if not len(train.bought) or not len(calibrate.bought):
        raise TrainingError("no rows to train or calibrate on")
    if train.moments.max() >= calibrate.moments.min():
        raise TrainingError(
            f"calibration begins {calibrate.moments.min()}, "
            f"wanted after the last training rows of {train.moments.max()}"
        )
    settings = {
        **SETTINGS,
        "seed": seed,
        "num_threads": 1 if len(train.bought) < ONE_THREAD_BELOW else 0,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    categories = [train.names.index(name) for name in sorted(train.categories & {*train.names})]
    data = lightgbm.Dataset(
        train.values, train.bought.astype(np.float64), categorical_feature=categories
    )
    trees = Trees(lightgbm.train(settings, data, num_boost_round=ROUNDS), train.names)
    scores = trees.score(calibrate.values, calibrate.names)
    return Propensity(trees, horizon_days, fit_platt(scores, calibrate.bought))


def baseline_scores(rows: LabelledRows) -> dict[str, NDArray[np.float64]]:
    """The plain rankings, by name; aligned with the rows of one moment."""
    recency = rows.column("recency_days")
    orders, spend = rows.column("orders_life"), rows.column("spend_life")
    return {"rfm": rfm_rank_sum(recency, orders, spend), "recency": recency_rank(recency)}


def compare(
    model: Propensity, calibrate: LabelledRows, test: LabelledRows
) -> tuple[Comparison, ...]:
    """Figures of the model on ``test`` beside those of the baselines; the AUC decides."""
    ours = binary_quality(test.bought, model.predict(test.values, test.names))
    earlier, later = baseline_scores(calibrate), baseline_scores(test)
    theirs = {
        name: binary_quality(
            test.bought, fit_platt(earlier[name], calibrate.bought).probability(later[name])
        )
        for name in later
    }

    def comparison(metric: str, higher_is_better: bool) -> Comparison:
        def value(quality: BinaryQuality) -> float:
            return float(asdict(quality)[metric])

        others = {name: value(quality) for name, quality in theirs.items()}
        return Comparison(metric, value(ours), others, higher_is_better)

    return (
        comparison("auc", True),
        comparison("average_precision", True),
        comparison("log_loss", False),
        comparison("calibration_error", False),
    )


def _account(model: Propensity, rows: LabelledRows, windows: Windows, seed: int) -> Account:
    calibrate, test = rows.at(windows.calibrate), rows.at(windows.test)
    train = rows.at(*windows.train)
    params = {
        **SETTINGS,
        "rounds": ROUNDS,
        "seed": seed,
        "horizon_days": model.horizon_days,
        "features": len(model.trees.names),
        "train_windows": len(windows.train),
        "train_rows": len(train.bought),
        "train_rate": round(float(train.bought.mean()), 6),
        "test_rows": len(test.bought),
        "test_rate": round(float(test.bought.mean()), 6),
        "calibration_slope": round(model.calibration.slope, 6),
        "calibration_intercept": round(model.calibration.intercept, 6),
    }
    facts = {
        "data_window": windows.words,
        FEATURE_MOMENTS: in_words((*windows.train, windows.calibrate)),
        "feature_service": SERVICE,
        "dataset_digest": rows.digest(),
    }
    return Account(compare(model, calibrate, test), params, facts, _figures(model, test))


def _figures(model: Propensity, test: LabelledRows) -> dict[str, Chart]:
    promised = model.predict(test.values, test.names)
    return {
        "reliability": reliability_plot(test.bought, promised),
        "gain": gain_plot(test.bought, {"model": promised, **baseline_scores(test)}),
        "lift": lift_plot(test.bought, promised),
    }
