"""What offers do on average, no deeper one less than a shallower one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Offer
from experiments.scores import MeanEffect, Scores
from models.effect import DEEPENING, Level, Levels, ladder_of
from training.uplift import shrunk


def fit_levels(
    offers: Sequence[Offer], effects: NDArray[np.float64], offsets: NDArray[np.float64]
) -> Levels:
    """Levels of the offers that were sent.

    Args:
        effects, offsets: (m,) of each offer, NaN where it never was sent; no lower for a deeper
            offer, see ``rising_in_depth``.
    """
    by_offer = {
        offer.offer_id: Level(float(effects[j]), float(offsets[j]))
        for j, offer in enumerate(offers)
        if not np.isnan(effects[j])
    }
    ladders = {
        key: tuple({offers[j].value: by_offer[offers[j].offer_id] for j in rungs}.items())
        for key, rungs in _ladders(offers, ~np.isnan(effects)).items()
    }
    pooled = float(np.nanmean(effects)) if by_offer else 0.0
    return Levels(by_offer, ladders, pooled)


def shrunk_means(scores: Scores, sent: NDArray[np.bool_]) -> tuple[MeanEffect, ...]:
    """Mean effects by offer moved towards the common one; errors as they were.

    An offer never sent gets no effect (0, infinite error): its score holds the learners' belief
    and no outcome.
    """
    effects = scores.effects()
    known = [
        effect if sent[j] else MeanEffect(0.0, float("inf")) for j, effect in enumerate(effects)
    ]
    moved, _ = shrunk(known)
    return tuple(MeanEffect(mean, effect.error) for mean, effect in zip(moved, known, strict=True))


def rising_in_depth(offers: Sequence[Offer], effects: Sequence[MeanEffect]) -> NDArray[np.float64]:
    """(m,) the means nearest to ``effects`` that do not fall with depth, NaN where none is known.

    Source: the pool adjacent violators algorithm (Ayer et al., Annals of Mathematical Statistics
    26, 1955), weighed by precision.
    """
    error = np.array([effect.error for effect in effects])
    known = np.isfinite(error)
    rising = np.where(known, [effect.mean for effect in effects], np.nan)
    least = max(0.1 * float(np.median(error[known])) if known.any() else 0.0, 1e-12)
    weight = 1 / np.maximum(error, least) ** 2
    for rungs in _ladders(offers, known).values():
        blocks: list[tuple[float, float, list[int]]] = []
        for j in rungs:
            mean, total, members = float(rising[j]), float(weight[j]), [j]
            while blocks and blocks[-1][0] > mean:
                before, its, theirs = blocks.pop()
                mean = (before * its + mean * total) / (its + total)
                total, members = its + total, theirs + members
            blocks.append((mean, total, members))
        for mean, _, members in blocks:
            rising[members] = mean
    return rising


def _ladders(offers: Sequence[Offer], known: NDArray[np.bool_]) -> dict[str, list[int]]:
    """Offers that differ in depth alone, the shallowest first."""
    ladders: dict[str, list[int]] = defaultdict(list)
    for j, offer in enumerate(offers):
        if known[j] and offer.kind in DEEPENING:
            ladders[ladder_of(offer)].append(j)
    return {key: sorted(rungs, key=lambda j: offers[j].value) for key, rungs in ladders.items()}
