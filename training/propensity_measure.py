"""How good a propensity is on the later period, beside plain rankings and the champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from models.calibration import fit_platt
from training.charts import Chart
from training.evaluation.auc import auc_difference_error
from training.evaluation.metrics import CALIBRATION_BINS, BinaryQuality, binary_quality
from training.frames import LabelledRows
from training.gates import Check, at_most
from training.plots import gain_plot, lift_plot, reliability_plot
from training.trained import Comparison

Rankings = Mapping[str, NDArray[np.float64]]
# Higher is better, or lower; the first one decides.
_METRICS = {"auc": True, "average_precision": True, "log_loss": False, "calibration_error": False}
# Promises may be wrong by a quarter of the rate on average, or by this much where that is less.
_LEAST_BOUND = 0.01


@dataclass(frozen=True, eq=False)
class Promises:
    """What was said of the test rows before they were known.

    test: the rows.
    ours: (n,) probabilities of the model.
    plain: by name, (n,) probabilities that plain rankings give, calibrated like the model.
    champion: (n,) probabilities of the model that serves; None where there is none to compare.
    """

    test: LabelledRows
    ours: NDArray[np.float64]
    plain: Rankings
    champion: NDArray[np.float64] | None = None


def calibrated_rankings(earlier: Rankings, calibrate: LabelledRows, later: Rankings) -> Rankings:
    """Plain rankings as probabilities, by Platt scaling on ``calibrate``: so every figure compares.

    Args:
        earlier: of the rows of ``calibrate``. later: of the test rows; the same names.
    """
    return {
        name: fit_platt(earlier[name], calibrate.happened).probability(ranks)
        for name, ranks in later.items()
    }


def compare(promises: Promises) -> tuple[Comparison, ...]:
    """Figures of the model beside those of the plain rankings; the AUC decides.

    Raises:
        TrainingError: it happened to nobody or to everybody, so that no ranking can be judged.
    """
    test = promises.test
    ours = binary_quality(test.happened, promises.ours)
    plain = {name: binary_quality(test.happened, said) for name, said in promises.plain.items()}
    champion, error = None, None
    if promises.champion is not None:
        champion = binary_quality(test.happened, promises.champion)
        error = auc_difference_error(
            test.happened, promises.ours, promises.champion, test.member_ids
        )
    return tuple(
        Comparison(
            metric,
            _figure(ours, metric),
            {name: _figure(quality, metric) for name, quality in plain.items()},
            higher_is_better,
            champion=None if champion is None else _figure(champion, metric),
            error=error if metric == "auc" else None,
        )
        for metric, higher_is_better in _METRICS.items()
    )


def calibration_check(promises: Promises, error: float) -> Check:
    """Whether promises are kept closely enough to count on.

    The bound is a quarter of the rate at which it happens (or does not, whichever is rarer), at
    least 0.01, and on top of it what chance alone makes of perfect promises in so few rows:
    √(2 p (1 − p) / (π n)) is the mean distance of a share from p.
    """
    test = promises.test
    rate = float(test.happened.mean())
    by_chance = np.sqrt(2 * rate * (1 - rate) * CALIBRATION_BINS / (np.pi * len(test.happened)))
    bound = max(_LEAST_BOUND, min(rate, 1 - rate) / 4) + float(by_chance)
    return at_most("calibration error", error, round(bound, 3))


def charts(promises: Promises) -> dict[str, Chart]:
    """Reliability, cumulative gain beside the plain rankings, and lift."""
    happened = promises.test.happened
    return {
        "reliability": reliability_plot(happened, promises.ours),
        "gain": gain_plot(happened, {"model": promises.ours, **promises.plain}),
        "lift": lift_plot(happened, promises.ours),
    }


def _figure(quality: BinaryQuality, metric: str) -> float:
    return float(asdict(quality)[metric])
