"""Experiments: declared, started, stopped and decided, with a trail of who changed what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Response
from starlette.requests import Request

from experiments.design import Experiment
from experiments.errors import ExperimentError
from serving.auth import Requires, key_id
from serving.errors import NoPublishing, PreconditionFailed, ReleaseRefused, UnknownRelease
from serving.experiment_audit import Change
from serving.experiment_entry import Entry, State
from serving.experiment_errors import (
    ArmOffer,
    ArmPush,
    ArmRelease,
    ArmRule,
    DecidedOtherwise,
    ExperimentExists,
    InvalidExperiment,
    LayerFull,
    PushTaken,
    ReadoutUnderWay,
    UnknownExperiment,
    VerdictForbids,
    WhyWanted,
    WrongState,
)
from serving.experiment_reading import read_experiment
from serving.experiment_schemas import (
    ExperimentAudit,
    ExperimentGiven,
    ExperimentPage,
    ExperimentShown,
    PromotionGiven,
    SharesGiven,
    WhyGiven,
    shown,
    shown_change,
)
from serving.if_match import Wanted
from serving.lifecycle import Promotion, Reading, promote, start
from serving.parts import FromApp, Parts
from serving.preconditions import Conditions
from serving.problem import FieldProblem
from serving.problems import documented
from serving.schemas import Id

router = APIRouter(prefix="/v1/experiments", tags=["experiments"])
MOST_ON_A_PAGE = 200
_READ_SECONDS = 20.0  # that a promotion waits for the verdict
_WRITES = [Depends(Requires("experiments"))]
_READS = [Depends(Requires("experiments:read", ("experiments", "audience:export")))]
ExperimentId = Annotated[Id, Path()]
Limit = Annotated[int, Query(ge=1, le=MOST_ON_A_PAGE)]
Reason = Annotated[WhyGiven | None, Body()]
_ETAG = {"ETag": {"description": "Names the version.", "schema": {"type": "string"}}}
_FOUND: dict[int | str, dict[str, Any]] = {200: {"headers": _ETAG}}
_MADE: dict[int | str, dict[str, Any]] = {
    200: {"description": "It was declared so already.", "headers": _ETAG},
    201: {"description": "A draft was made.", "headers": _ETAG, "model": ExperimentShown},
}


@router.post(
    "",
    dependencies=_WRITES,
    responses={
        **documented(InvalidExperiment, ExperimentExists, PreconditionFailed), **_MADE,
    },
)  # fmt: skip
def create_experiment(
    given: ExperimentGiven, wanted: Wanted, request: Request, response: Response, parts: FromApp
) -> ExperimentShown:
    """Declare an experiment: a draft, which decides nothing until it is started. The same again
    gives the same answer."""
    kept = parts.book.create(_read(given, parts), _change(request, "", wanted))
    response.status_code = 201 if kept.fresh else 200
    return _answer(kept.entry, response)


@router.get("", dependencies=_READS, responses=documented())
def experiments(
    parts: FromApp,
    after: Annotated[str, Query(max_length=256, pattern=r"^[^\x00]*$")] = "",
    limit: Limit = 50,
    state: State | None = None,
) -> ExperimentPage:
    """The experiments by id, of one state or of all."""
    found = parts.book.page(after, limit, () if state is None else (state,))
    more = found[-1].experiment_id if len(found) == limit else None
    return ExperimentPage(experiments=[shown(one) for one in found], next=more)


@router.get(
    "/{experiment_id}",
    dependencies=_READS,
    responses={**documented(UnknownExperiment), **_FOUND},
)
def experiment(experiment_id: ExperimentId, response: Response, parts: FromApp) -> ExperimentShown:
    """What was declared, and how far it is."""
    return _answer(parts.book.find(experiment_id), response)


@router.put(
    "/{experiment_id}",
    dependencies=_WRITES,
    responses={
        **documented(UnknownExperiment, InvalidExperiment, WrongState, PreconditionFailed),
        **_FOUND,
    },
)
def revise_experiment(
    experiment_id: ExperimentId,
    given: ExperimentGiven,
    wanted: Wanted,
    request: Request,
    response: Response,
    parts: FromApp,
) -> ExperimentShown:
    """Declare a draft anew. Once it runs, nothing but its shares can be changed."""
    if given.experiment_id != experiment_id:
        detail = "experiment_id is not the one in the path"
        raise InvalidExperiment(
            FieldProblem(pointer="/experiment_id", code="another_id", detail=detail)
        )
    changed = parts.book.revise(_read(given, parts), _change(request, "", wanted))
    return _answer(changed, response)


@router.delete(
    "/{experiment_id}",
    status_code=204,
    dependencies=_WRITES,
    responses=documented(UnknownExperiment, WrongState, PreconditionFailed),
)
def delete_experiment(
    experiment_id: ExperimentId, wanted: Wanted, request: Request, parts: FromApp
) -> None:
    """Delete a draft. Its trail stays; what was started once stays for good."""
    parts.book.discard(experiment_id, _change(request, "", wanted))


@router.post(
    "/{experiment_id}:start",
    dependencies=_WRITES,
    responses={
        **documented(
            UnknownExperiment,
            WrongState,
            LayerFull,
            PushTaken,
            ArmRelease,
            ArmOffer,
            ArmPush,
            ArmRule,
            PreconditionFailed,
        ),
        **_FOUND,
    },
)
def start_experiment(
    experiment_id: ExperimentId,
    wanted: Wanted,
    request: Request,
    response: Response,
    parts: FromApp,
    given: Reason = None,
) -> ExperimentShown:
    """Let it decide from now on, in buckets of its layer that are free. The looks at its results
    are planned from this moment."""
    change = _change(request, given.why if given else "", wanted)
    started = start(parts.book, experiment_id, change, parts.publishing, parts.decider.release)
    return _answer(started, response)


@router.post(
    "/{experiment_id}:stop",
    dependencies=_WRITES,
    responses={**documented(UnknownExperiment, WrongState, PreconditionFailed), **_FOUND},
)
def stop_experiment(
    experiment_id: ExperimentId,
    wanted: Wanted,
    request: Request,
    response: Response,
    parts: FromApp,
    given: Reason = None,
) -> ExperimentShown:
    """Assign nobody any more. Outcomes of those who were in it still count."""
    change = _change(request, given.why if given else "", wanted)
    return _answer(parts.book.stop(experiment_id, change), response)


@router.put(
    "/{experiment_id}/shares",
    dependencies=_WRITES,
    responses={
        **documented(UnknownExperiment, InvalidExperiment, WrongState, PreconditionFailed),
        **_FOUND,
    },
)
def change_shares(
    experiment_id: ExperimentId,
    given: SharesGiven,
    wanted: Wanted,
    request: Request,
    response: Response,
    parts: FromApp,
) -> ExperimentShown:
    """Give the arms other shares while it runs. Who was in the experiment stays in their arm."""
    try:
        changed = parts.book.share(experiment_id, given.shares, _change(request, given.why, wanted))
    except ExperimentError as error:
        detail = "wanted a share for each arm and no other, together 1, in steps of 0.0001"
        raise InvalidExperiment(
            FieldProblem(pointer="/shares", code="shares", detail=detail)
        ) from error
    return _answer(changed, response)


@router.post(
    "/{experiment_id}:promote",
    dependencies=[Depends(Requires("publish"))],
    responses={
        **documented(
            UnknownExperiment, InvalidExperiment, WrongState, DecidedOtherwise, VerdictForbids,
            WhyWanted, NoPublishing, UnknownRelease, ReleaseRefused, PreconditionFailed,
            ReadoutUnderWay,
        ),
        **_FOUND,
    },
)  # fmt: skip
def promote_arm(
    experiment_id: ExperimentId,
    given: PromotionGiven,
    wanted: Wanted,
    request: Request,
    response: Response,
    parts: FromApp,
) -> ExperimentShown:
    """Decide a stopped experiment for an arm, by the readout's verdict. A release that wins is
    published; for the control nothing changes. Called again, it ends what was interrupted."""
    asked = Promotion(experiment_id, given.arm, given.anyway)
    change = _change(request, given.why, wanted)

    def read(entry: Entry) -> Reading | None:
        return None if parts.readouts is None else parts.readouts.reading(entry, _READ_SECONDS)

    decided = promote(parts.book, asked, change, read, parts.publishing)
    return _answer(decided, response)


@router.get("/{experiment_id}/audit", dependencies=_READS, responses=documented(UnknownExperiment))
def audit(
    experiment_id: ExperimentId,
    parts: FromApp,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Limit = 50,
) -> ExperimentAudit:
    """Who changed what, when and why, oldest first."""
    found = parts.book.audit(experiment_id, after, limit)
    if not found:  # the trail of a draft that was deleted stays
        parts.book.find(experiment_id)
    return ExperimentAudit(
        experiment_id=experiment_id,
        changes=[shown_change(one) for one in found],
        next=found[-1].seq if len(found) == limit else None,
    )


def _read(given: ExperimentGiven, parts: Parts) -> Experiment:
    put = parts.catalogue.among("offers", [arm.offer for arm in given.arms if arm.offer])
    return read_experiment(given, parts.decider.release, put)


def _change(request: Request, why: str, wanted: Conditions) -> Change:
    return Change(datetime.now(UTC), key_id(request), why, wanted)


def _answer(entry: Entry, response: Response) -> ExperimentShown:
    response.headers["ETag"] = entry.etag
    return shown(entry)
