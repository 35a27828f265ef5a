"""Pictures of a model's quality, as figures that belong to nobody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics import cumulative_gain, reliability
from training.uplift import MeanEffect

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def reliability_plot(outcomes: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> Figure:
    """Promised against happened, in bins of equal size; on the diagonal a promise is kept."""
    figure = _figure()
    bins = reliability(outcomes, probabilities)
    # Two standard errors of a share, as a guide to the eye.
    error = 2 * np.sqrt(bins.happened * (1 - bins.happened) / bins.members)
    axes = figure.subplots()
    most = float(max(bins.promised.max(), bins.happened.max(), 0.01)) * 1.05
    axes.plot([0, most], [0, most], color="grey", linestyle=":", label="promise kept")
    axes.errorbar(bins.promised, bins.happened, yerr=error, marker="o", capsize=3, label="model")
    axes.set(xlabel="promised probability", ylabel="share who bought", title="Reliability")
    axes.legend()
    return figure


def gain_plot(
    outcomes: NDArray[np.bool_], scores: Mapping[str, NDArray[np.float64]], deciles: int = 10
) -> Figure:
    """Share of all buyers reached when the best tenth, two tenths, … are approached, by ranking."""
    figure = _figure()
    axes = figure.subplots()
    share = np.arange(deciles + 1) / deciles
    axes.plot(share, share, color="grey", linestyle=":", label="at random")
    for name, values in scores.items():
        reached = cumulative_gain(outcomes, values, deciles)
        axes.plot(share, np.concatenate([[0.0], reached]), marker="o", label=name)
    axes.set(xlabel="share of members", ylabel="share of buyers", title="Cumulative gain")
    axes.legend()
    return figure


def lift_plot(
    outcomes: NDArray[np.bool_], scores: NDArray[np.float64], deciles: int = 10
) -> Figure:
    """How many times the average rate each tenth has, best tenth first."""
    figure = _figure()
    reached = np.diff(cumulative_gain(outcomes, scores, deciles), prepend=0.0)
    axes = figure.subplots()
    axes.bar(np.arange(1, deciles + 1), reached * deciles)
    axes.axhline(1.0, color="grey", linestyle=":")
    axes.set(xlabel="tenth of members by score", ylabel="times the average", title="Lift")
    return figure


def _figure(height: float = 4.0) -> Figure:
    # A figure made without pyplot joins no global list and draws with Agg, with no display.
    from matplotlib.figure import Figure

    return Figure(figsize=(6, height), layout="constrained")


def effect_plot(names: Sequence[str], effects: Sequence[MeanEffect]) -> Figure:
    """Mean effect of each offer on conversions, with 90 % intervals."""
    figure = _figure(height=max(4.0, 1 + 0.22 * len(names)))
    axes = figure.subplots()
    places = np.arange(len(names))
    means = [100 * effect.mean for effect in effects]
    errors = [164.5 * effect.error if np.isfinite(effect.error) else 0.0 for effect in effects]
    axes.errorbar(means, places, xerr=errors, fmt="o", capsize=3)
    axes.axvline(0, color="grey", linestyle=":")
    axes.set_yticks(places, names)
    axes.set(xlabel="percentage points", title="Mean effect on conversion")
    return figure


def uplift_plot(promised: Sequence[float], happened: Sequence[MeanEffect]) -> Figure:
    """Predicted and measured uplift by equal parts of the members, best first."""
    figure = _figure()
    axes = figure.subplots()
    places = np.arange(1, len(promised) + 1)
    axes.errorbar(
        places,
        [100 * effect.mean for effect in happened],
        yerr=[164.5 * effect.error for effect in happened],
        fmt="o",
        capsize=3,
        label="measured, 90 % interval",
    )
    axes.plot(places, [100 * value for value in promised], marker="x", label="predicted")
    axes.axhline(0, color="grey", linestyle=":")
    axes.set_xticks(places)
    axes.set(xlabel="part of the members, best first", ylabel="percentage points", title="Uplift")
    axes.legend()
    return figure
