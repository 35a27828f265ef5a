"""Train the response model: what each offer changes, from past pushes decided at random."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from features.progress import Progress, silent
from features.workspace import Workspace
from models.response import KIND
from training.charts import Chart
from training.frames import SERVICE
from training.learning import ROUNDS
from training.moments import feature_moments
from training.plots import effect_plot, uplift_plot
from training.push_log import PushLog, push_log
from training.response_fit import FittedResponse, fit_response
from training.response_measure import Measured, measure
from training.trained import FEATURE_MOMENTS, Account, Trained, in_words, record

STAGE = "response"
# The share of pushes, latest first, that the model is measured on before it is fitted on all.
_LATER = 0.25


def train_response(
    workspace: Workspace, as_of: datetime, seed: int = 0, progress: Progress = silent
) -> Trained:
    """Fit on the pushes before ``as_of``, measured on the latest of them.

    A model of the earlier pushes is measured on the later ones; what is kept is then fitted on
    all. With one push only there is no later period: a quarter of its members stand in for it,
    and the facts say so.

    Raises:
        TrainingError: no closed pushes, none decided at random, or too few conversions.
        FeatureError: features cannot be built.
    """
    log = push_log(workspace, as_of)
    known = _features(workspace, log, progress)
    progress(STAGE, 0, 2)
    later = _later(log)
    earlier = fit_response(
        _part(log, ~later), known.values[~later], known.names, seed, known.called
    )
    measured = measure(earlier.model, _part(log, later), known.values[later], known.names)
    progress(STAGE, 1, 2)
    fitted = fit_response(log, known.values, known.names, seed, known.called)
    account = Account(
        measured.comparisons,
        _params(fitted, log, seed),
        _facts(fitted, log, known.digest),
        _figures(fitted, log, measured),
    )
    trained = record(workspace, KIND, fitted.model, account)
    progress(STAGE, 2, 2)
    return trained


@dataclass(frozen=True, eq=False)
class _Known:
    """Features of the log's rows at their moments, and a hash of the whole.

    called: what offers call a category, by its name in features.
    """

    values: NDArray[np.float32]
    names: tuple[str, ...]
    called: Mapping[str, str]
    digest: str


def _features(workspace: Workspace, log: PushLog, progress: Progress) -> _Known:
    from features.build import build_features
    from features.encode import encode, encoding
    from features.inputs import vocabulary_file
    from features.store import apply, training_frame
    from features.vocabulary import Vocabulary

    build_features(workspace, feature_moments(log.rows["as_of"]), progress)
    apply(workspace)
    codes = encoding(workspace)
    values = encode(training_frame(workspace, SERVICE, log.rows), codes)
    sha = hashlib.sha256("\n".join(codes.names).encode())
    for array in (np.nan_to_num(values, nan=-1e30), log.offer, log.probability, log.converted):
        sha.update(np.ascontiguousarray(array).tobytes())
    path = vocabulary_file(workspace)
    words = Vocabulary.load(path) if path.exists() else Vocabulary((), ())
    return _Known(values, codes.names, words.called, sha.hexdigest())


def _later(log: PushLog) -> NDArray[np.bool_]:
    """(n,) the rows to measure on: the latest pushes, or a quarter of one push's members."""
    pushes = len(log.candidates)
    if pushes == 1:
        members = np.unique(log.rows["member_id"].to_numpy(dtype=str), return_inverse=True)[1]
        return np.asarray(members % round(1 / _LATER) == 0)
    begun = log.rows.groupby(log.push)["as_of"].min().sort_values()
    latest = begun.index[-max(1, int(pushes * _LATER)) :]
    return np.asarray(np.isin(log.push, latest))


def _part(log: PushLog, rows: NDArray[np.bool_]) -> PushLog:
    return replace(
        log,
        rows=log.rows[rows].reset_index(drop=True),
        push=log.push[rows],
        offer=log.offer[rows],
        probability=log.probability[rows],
        converted=log.converted[rows],
        redeemed=log.redeemed[rows],
        margin=log.margin[rows],
        revenue=log.revenue[rows],
        coupon=log.coupon[rows],
    )


def _params(fitted: FittedResponse, log: PushLog, seed: int) -> Mapping[str, object]:
    rates, gains, ridge, offers = fitted.model.effect.weights
    return {
        "rounds": ROUNDS,
        "seed": seed,
        "decisions": len(log),
        "pushes": len(log.candidates),
        "offers": len(log.offers),
        "conversion_rate": round(float(log.converted.mean()), 6),
        "weight_of_rates": round(rates, 6),
        "weight_of_gains": round(gains, 6),
        "weight_of_ridge": round(ridge, 6),
        "weight_of_offer_means": round(offers, 6),
        "personal_share": fitted.gate.personal,
    }


def _facts(fitted: FittedResponse, log: PushLog, digest: str) -> Mapping[str, str]:
    start, end = log.rows["as_of"].min(), log.rows["as_of"].max()
    measured_on = "latest pushes" if len(log.candidates) > 1 else "members left out of one push"
    return {
        "data_window": f"{start:%Y-%m-%d} to {end:%Y-%m-%d}",
        FEATURE_MOMENTS: in_words(feature_moments(log.rows["as_of"])),
        "feature_service": SERVICE,
        "dataset_digest": digest,
        "measured_on": measured_on,
        "heterogeneity": fitted.gate.verdict,
        "calibration_slope": f"{fitted.slope.mean:.2f} ± {fitted.slope.error:.2f}",
    }


def _figures(fitted: FittedResponse, log: PushLog, measured: Measured) -> dict[str, Chart]:
    names = [offer.offer_id for offer in log.offers]
    return {
        "effects": effect_plot(names, fitted.effects),
        "uplift_by_fifth": uplift_plot(measured.promised, measured.happened),
    }
