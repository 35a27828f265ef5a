"""The charts of a model's quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.scores import MeanEffect
from training.charts import Chart, Series
from training.evaluation.metrics import cumulative_gain, reliability

_WIDE_90 = 1.645  # half a 90 % interval in standard errors


def reliability_plot(outcomes: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> Chart:
    """Promised against happened, in bins of equal size; on the diagonal a promise is kept."""
    bins = reliability(outcomes, probabilities)
    # Two standard errors of a share, as a guide to the eye.
    error = 2 * np.sqrt(bins.happened * (1 - bins.happened) / bins.members)
    most = float(max(bins.promised.max(), bins.happened.max(), 0.01)) * 1.05
    return Chart(
        "Reliability",
        "promised probability",
        "share to whom it happened, ± 2 standard errors",
        (
            Series("promise kept", (0.0, most), (0.0, most), "guide"),
            Series("model", bins.promised.tolist(), bins.happened.tolist(), "line", error.tolist()),
        ),
    )


def gain_plot(
    outcomes: NDArray[np.bool_], scores: Mapping[str, NDArray[np.float64]], deciles: int = 10
) -> Chart:
    """Share of all buyers reached when the best tenth, two tenths, … are approached, by ranking."""
    share = (np.arange(deciles + 1) / deciles).tolist()
    found = {name: cumulative_gain(outcomes, values, deciles) for name, values in scores.items()}
    return Chart(
        "Cumulative gain",
        "share of members",
        "share of buyers",
        (
            Series("at random", share, share, "guide"),
            *(Series(name, share, [0.0, *reached.tolist()]) for name, reached in found.items()),
        ),
    )


def lift_plot(outcomes: NDArray[np.bool_], scores: NDArray[np.float64], deciles: int = 10) -> Chart:
    """How many times the average rate each tenth has, best tenth first."""
    reached = np.diff(cumulative_gain(outcomes, scores, deciles), prepend=0.0)
    tenths = list(range(1, deciles + 1))
    return Chart(
        "Lift",
        "tenth of members by score",
        "times the average",
        (
            Series("model", tenths, (reached * deciles).tolist(), "bars"),
            Series("average", (0.5, deciles + 0.5), (1.0, 1.0), "guide"),
        ),
    )


def effect_plot(names: Sequence[str], effects: Sequence[MeanEffect]) -> Chart:
    """Mean effect of each offer on conversions, with 90 % intervals."""
    return Chart(
        "Mean effect on conversion",
        "offer",
        "percentage points, 90 % interval",
        (_points("effect", list(names), effects), _zero(names)),
    )


def _points(
    name: str, places: Sequence[float] | Sequence[str], effects: Sequence[MeanEffect]
) -> Series:
    means = [100 * effect.mean for effect in effects]
    errors = [100 * _WIDE_90 * effect.error for effect in effects]
    widths = [error if np.isfinite(error) else 0.0 for error in errors]
    return Series(name, places, means, "points", widths)


def _zero(places: Sequence[float] | Sequence[str]) -> Series:
    return Series("no effect", places, [0.0] * len(places), "guide")
