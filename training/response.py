"""Train the response model: what each offer changes, from past pushes decided at random."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Offer
from features.feature_moments import feature_moments
from features.progress import Progress, silent
from features.workspace import Workspace
from models.errors import ModelError
from models.leaving import Leaving
from models.response import KIND, ResponseModel
from training.charts import Chart
from training.decided_frame import decided_frame
from training.errors import TrainingError
from training.frames import SERVICE
from training.observational import estimated
from training.plots import effect_plot
from training.push_log import PushLog, push_log
from training.response_fit import FittedResponse, fit_response
from training.response_measure import Later, Measured, measure
from training.rule_evidence import FOLDER, Court, rule_evidence
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

STAGE = "response"
OBSERVATIONAL = "observational"
MEASURED_ON = "measured_on"
ONE_PUSH = "members left out of one push"
# The share of pushes, latest first, that the model is measured on before it is fitted on all.
_LATER = 0.25
_PURPOSE = (
    "Says how much a push changes what each member does, offer by offer: whom to contact, and with "
    "what. It learned from past pushes{how}."
)
_LIMITS = (
    "An offer never sent is estimated from offers like it, and marked `prior`.",
    "It knows what sending did in the season and market of its past pushes.",
    "In a channel that no past push used, effects are taken to be the same, and marked `prior`.",
    "Effects on members to whom the past pushes could not go are beyond the data.",
)
_OBSERVATIONAL_LIMIT = (
    "Members were not chosen at random and the probabilities are estimated: if they were chosen "
    "for something that no feature tells, the effects are wrong, and nothing here can show it. "
    "Leave some members out at random."
)


def train_response(
    workspace: Workspace,
    as_of: datetime,
    seed: int = 0,
    progress: Progress = silent,
    *,
    observational: bool = False,
    promote: bool = True,
) -> Trained:
    """Fit on the pushes before ``as_of``, measured on the latest of them.

    A model of the earlier pushes is measured on the later ones; what is kept is then fitted on
    all. Of the earlier ones, those whose window reaches into the later period are left out of what
    is measured, as long as others are there. With one push only there is no later period: a quarter
    of its members stand in for it, and the facts say so.

    Args:
        observational: where no push was drawn by chance, estimate the probabilities, and mark
            every estimate ``observational``. Has no effect where one was.
        promote: False keeps the model as challenger whatever gates it passes.

    Raises:
        TrainingError: no closed pushes, none decided at random and not ``observational``, too
            little overlap, or too few conversions.
        FeatureError: features cannot be built.
    """
    known = with_features(
        workspace, push_log(workspace, as_of, observational=observational), progress
    )
    if not known.log.drawn:
        known = _weighed(known, seed)
    rate = workspace.conventions.default_unsubscribe_rate
    progress(STAGE, 0, 3)
    split = _split(known.log)
    twin = _fit(known.part(split.earlier), seed, rate)
    progress(STAGE, 1, 3)
    later = known.part(split.later)
    champion = standing(
        workspace,
        KIND,
        lambda folder: _comparable(folder, known.names, known.log.offers),
        split.measured_from,
    )
    measured = measure(twin.model, Later(later.log, later.values, later.names), champion.model)
    progress(STAGE, 2, 3)
    fitted = _fit(known, seed, rate)
    account = Account(
        measured.comparisons,
        _params(fitted, known.log, seed),
        {**_facts(fitted, known, split), **measured.facts, **champion.facts},
        _figures(fitted, known.log, measured),
        _card(known),
        measured=twin.model,
        checks=measured.checks,
        beside={FOLDER: _court(workspace, known, fitted)},
    )
    trained = record(workspace, KIND, fitted.model, account, promote=promote)
    progress(STAGE, 3, 3)
    return trained


@dataclass(frozen=True, eq=False)
class Known:
    """The log with features of its rows at their moments, and a hash of the whole.

    called: what offers call a category, by its name in features. categories: features that hold
    codes. overlap: what the estimated probabilities rest on; empty where chance drew them.
    """

    log: PushLog
    values: NDArray[np.float32]
    names: tuple[str, ...]
    called: Mapping[str, str]
    categories: tuple[str, ...]
    digest: str
    overlap: str = ""

    def part(self, rows: NDArray[np.bool_]) -> Known:
        """Some of the decisions."""
        return replace(self, log=self.log.part(rows), values=self.values[rows])


def with_features(workspace: Workspace, log: PushLog, progress: Progress = silent) -> Known:
    """Build the features at the moments of the decisions in ``log``, and read them.

    Raises:
        FeatureError: features cannot be built.
    """
    from features.encode import encode, encoding
    from features.inputs import vocabulary_file
    from features.vocabulary import Vocabulary

    frame = decided_frame(workspace, log, progress)
    codes = encoding(workspace)
    values = encode(frame, codes)
    sha = hashlib.sha256("\n".join(codes.names).encode())
    for array in (np.nan_to_num(values, nan=-1e30), log.offer, log.probability, log.converted):
        sha.update(np.ascontiguousarray(array).tobytes())
    path = vocabulary_file(workspace)
    words = Vocabulary.load(path) if path.exists() else Vocabulary((), ())
    categories = tuple(codes.categories)
    return Known(log, values, codes.names, words.called, categories, sha.hexdigest())


def _weighed(known: Known, seed: int) -> Known:
    """With estimated probabilities, and only where they can be estimated."""
    found = estimated(known.log, known.values, known.names, known.categories, seed)
    return replace(
        known, log=found.log, values=known.values[found.kept], overlap=found.overlap.told
    )


def _fit(known: Known, seed: int, unsubscribe_rate: float) -> FittedResponse:
    """``unsubscribe_rate`` stands where the log tells none."""
    fitted = fit_response(
        known.log, known.values, known.names, seed, known.called, known.categories
    )
    model = fitted.model
    if model.leaving.evidence == "prior":
        model = replace(model, leaving=Leaving.assumed(unsubscribe_rate))
    return replace(fitted, model=replace(model, drawn=not known.overlap))


@dataclass(frozen=True, eq=False)
class _Split:
    """earlier, later: (n,) the rows to learn from, and to measure on. on: the latter in words.

    known_until: what the earlier rows know; measured_from: where the later ones begin.
    """

    earlier: NDArray[np.bool_]
    later: NDArray[np.bool_]
    known_until: datetime
    measured_from: datetime
    on: str


def left_out(log: PushLog) -> NDArray[np.bool_]:
    """(n,) decisions of the members whom a model of one push alone does not learn from.

    By id, so that a later training leaves the same members out.
    """
    found = [zlib.crc32(str(one).encode()) % 1000 for one in log.rows["member_id"]]
    return np.asarray(np.array(found) < 1000 * _LATER)


def _split(log: PushLog) -> _Split:
    decided, until = log.rows["as_of"], log.rows["until"]
    if len(np.unique(log.push)) == 1:
        later = left_out(log)
        begin = decided.min().to_pydatetime()
        return _Split(~later, later, begin, begin, ONE_PUSH)
    begun = decided.groupby(log.push).min().sort_values()
    latest = begun.index[-max(1, int(len(begun) * _LATER)) :]
    later = np.asarray(np.isin(log.push, latest))
    begin = decided[later].min()
    closed = ~later & np.asarray(until <= begin)
    if closed.any():
        end = until[closed].max().to_pydatetime()
        return _Split(closed, later, end, begin.to_pydatetime(), "latest pushes")
    begin = begin.to_pydatetime()
    on = "latest pushes, into which the windows of all earlier ones reach"
    return _Split(~later, later, begin, begin, on)


def _comparable(folder: Path, names: tuple[str, ...], offers: tuple[Offer, ...]) -> ResponseModel:
    """The champion, if it can answer from the features there are.

    Raises:
        TrainingError: it cannot.
    """
    model = ResponseModel.load(folder)
    try:
        model.estimate(np.full((1, len(names)), np.nan, dtype=np.float32), names, offers)
    except ModelError as error:
        raise TrainingError(f"does not answer from the features of today: {error}") from error
    return model


def _court(workspace: Workspace, known: Known, fitted: FittedResponse) -> Court:
    """What rules are judged by."""
    from features.encode import encoding

    drawn = not known.overlap
    evidence = rule_evidence(known.log, known.values, fitted.out, fitted.scores, drawn=drawn)
    return Court(evidence, encoding(workspace))


def _params(fitted: FittedResponse, log: PushLog, seed: int) -> Mapping[str, object]:
    return {
        "seed": seed,
        "decisions": len(log),
        "pushes": len(np.unique(log.push)),
        "offers": len(log.offers),
        "conversion_rate": round(float(log.converted.mean()), 6),
        "weights": str(fitted.model.effect.weights),
        "personal_share": fitted.gate.personal,
        **{f"nuisance_{name}": kind for name, kind in fitted.nuisances.items()},
    }


def _facts(fitted: FittedResponse, known: Known, split: _Split) -> Mapping[str, str]:
    decided = known.log.rows["as_of"]
    facts = {
        "data_window": f"{decided.min():%Y-%m-%d} to {decided.max():%Y-%m-%d}",
        FEATURE_MOMENTS: in_words(feature_moments(decided)),
        "feature_service": SERVICE,
        "dataset_digest": known.digest,
        MEASURED_ON: split.on,
        KNOWN_UNTIL: split.known_until.isoformat(),
        MEASURED_FROM: split.measured_from.isoformat(),
        "evidence": OBSERVATIONAL if known.overlap else "randomised",
        "heterogeneity": fitted.gate.verdict,
        "calibration_slope": f"{fitted.slope.mean:.2f} ± {fitted.slope.error:.2f}",
        "unsubscribed_by_a_send": _risk(fitted, known),
        "effect_by_channel": ", ".join(
            f"{name} × {factor:.2f}" for name, factor in fitted.model.channels.items()
        ),
    }
    return facts | ({"overlap": known.overlap} if known.overlap else {})


def _risk(fitted: FittedResponse, known: Known) -> str:
    leaving = fitted.model.leaving
    risk = leaving.risk(known.values, known.names)
    return f"{risk.mean():.3%} of sends ({leaving.evidence}), by {leaving.told_by}"


def _figures(fitted: FittedResponse, log: PushLog, measured: Measured) -> dict[str, Chart]:
    names = [offer.offer_id for offer in log.offers]
    return {"effects": effect_plot(names, fitted.effects), **measured.charts}


def _card(known: Known) -> Card:
    if known.overlap:
        how = ", whose members were not chosen at random"
        return Card(_PURPOSE.format(how=how), (_OBSERVATIONAL_LIMIT, *_LIMITS))
    return Card(_PURPOSE.format(how=" that chance had a part in"), _LIMITS)
