"""Drift of features and of estimates: are they spread as they were?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from experiments.watching import stability_p
from serving.monitors.levels import found
from serving.monitors.result import Result, State
from serving.monitors.thresholds import Thresholds

FEATURES, SCORES = "feature_drift", "score_drift"
BINS = 10
LEAST = 200  # members in each sample, before an index is told
LEAST_SHARE = 0.5  # of the recent decisions, of pushes that the reference has too


@dataclass(frozen=True, slots=True)
class Drifted:
    """The index of one subject. now, before: members behind it. words: what is compared."""

    subject: str
    index: float
    now: float
    before: float
    bins: int
    words: str = ""


def drift(
    monitor: str, subjects: Sequence[Drifted], limits: Thresholds, as_of: datetime
) -> list[Result]:
    """Alert where an index is beyond its limit and beyond chance over all subjects together."""
    chances = [stability_p(one.index, one.now, one.before, one.bins) for one in subjects]
    stands = found(chances, limits.alarm_rate)
    return [
        _judged(monitor, one, real, limits, as_of)
        for one, real in zip(subjects, stands, strict=True)
    ]


def _judged(monitor: str, one: Drifted, real: bool, limits: Thresholds, as_of: datetime) -> Result:
    words = f"stability index {one.index:.2f}, limit {limits.psi:g}{one.words}"
    state: State = "ok"
    if min(one.now, one.before) < LEAST:
        state, words = "cannot_say", f"fewer than {LEAST} members to compare{one.words}"
    elif real and one.index > limits.psi_warn:
        state = "alert" if one.index > limits.psi else "warn"
    return Result(monitor, one.subject, state, words, as_of, one.index, limits.psi)


def mixed(
    recent: Mapping[str, NDArray[np.float64]], before: Mapping[str, NDArray[np.float64]]
) -> Drifted | None:
    """The index of an estimate over the pushes that both periods have, in the recent mix.

    Pushes go to different members, so a change of pushes alone would pass for drift: each push of
    ``before`` is weighed as ``recent`` has it.

    Args:
        recent, before: values by push.

    Returns:
        Its subject is empty. None where ``LEAST_SHARE`` of the recent values have no counterpart.
    """
    from features.health import stability

    common = [push for push in recent if len(before.get(push, ()))]
    size = sum(len(recent[push]) for push in common)
    if not common or size < LEAST_SHARE * sum(len(one) for one in recent.values()):
        return None
    weight = {push: len(recent[push]) / size for push in common}
    edges = _edges([before[push] for push in common], list(weight.values()))
    shares_now, shares_before = np.zeros(len(edges) + 1), np.zeros(len(edges) + 1)
    for push in common:
        shares_now += weight[push] * _shares(recent[push], edges)
        shares_before += weight[push] * _shares(before[push], edges)
    effective = 1 / sum(weight[push] ** 2 / len(before[push]) for push in common)
    return Drifted("", stability(shares_before, shares_now), size, effective, len(edges) + 1)


def _edges(samples: list[NDArray[np.float64]], weights: list[float]) -> NDArray[np.float64]:
    """Bounds of bins that hold equal weight; a value that many share is a bin of its own."""
    values = np.concatenate(samples)
    weight = np.concatenate(
        [np.full(len(one), each / len(one)) for one, each in zip(samples, weights, strict=True)]
    )
    order = np.argsort(values, kind="stable")
    places = np.searchsorted(np.cumsum(weight[order]), np.arange(1, BINS) / BINS - 1e-12)
    bounds = values[order][np.minimum(places, len(values) - 1)]
    return np.unique(np.concatenate([np.nextafter(bounds, -np.inf), bounds]))


def _shares(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    place = np.searchsorted(edges, values, side="left")
    counts: NDArray[np.float64] = np.bincount(place, minlength=len(edges) + 1) / len(values)
    return counts
