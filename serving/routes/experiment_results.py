"""What an experiment shows."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from starlette.concurrency import run_in_threadpool

from experiments.design import Mode
from serving.auth import Requires
from serving.experiment_entry import Entry
from serving.experiment_errors import (
    AnotherMode,
    NoReadout,
    ReadoutFailed,
    ReadoutUnderWay,
    UnknownExperiment,
    WrongMoment,
    WrongState,
)
from serving.experiment_results_schema import ExperimentResults, ShadowResults
from serving.parts import FromApp, Parts
from serving.problems import documented
from serving.schemas import Id
from serving.shadow_results import shadow_results

router = APIRouter(prefix="/v1/experiments", tags=["experiments"])
WAIT_SECONDS = 20.0  # then the caller is asked to come again; what is under way goes on
_READS = [Depends(Requires("experiments:read", ("experiments", "audience:export")))]


@router.get(
    "/{experiment_id}/results",
    dependencies=_READS,
    responses=documented(
        UnknownExperiment,
        AnotherMode,
        WrongState,
        WrongMoment,
        NoReadout,
        ReadoutUnderWay,
        ReadoutFailed,
    ),
)
async def results(
    experiment_id: Annotated[Id, Path()],
    parts: FromApp,
    as_of: Annotated[datetime | None, Query()] = None,
) -> ExperimentResults:
    """What its arms earned, with intervals, the checks and the verdict: of now, or as it was known
    at `as_of`. A first readout takes seconds; where it takes longer, ask again."""
    reading = await run_in_threadpool(_begun, parts, experiment_id, as_of)
    waiting = asyncio.wrap_future(reading)
    done, _ = await asyncio.wait({waiting}, timeout=WAIT_SECONDS)
    if not done:
        waiting.add_done_callback(_heard)
        raise ReadoutUnderWay
    return ExperimentResults.model_validate(waiting.result())


@router.get(
    "/{experiment_id}/shadow",
    dependencies=_READS,
    responses=documented(UnknownExperiment, AnotherMode, WrongState, WrongMoment),
)
def shadow(
    experiment_id: Annotated[Id, Path()],
    parts: FromApp,
    as_of: Annotated[datetime | None, Query()] = None,
) -> ShadowResults:
    """What the arms of a shadow experiment would have decided beside the answers that were given:
    until now, or before `as_of`."""
    entry, moment = _asked(parts, experiment_id, as_of, "shadow")
    told = shadow_results(parts.log, entry, moment or datetime.now(UTC))
    return ShadowResults.model_validate(told.to_json())


def _begun(parts: Parts, experiment_id: str, as_of: datetime | None) -> Future[dict[str, Any]]:
    entry, moment = _asked(parts, experiment_id, as_of, "live")
    if parts.readouts is None:
        raise NoReadout
    return parts.readouts.results(entry, moment)


def _asked(
    parts: Parts, experiment_id: str, as_of: datetime | None, mode: Mode
) -> tuple[Entry, datetime | None]:
    entry = parts.book.find(experiment_id)
    if entry.declared.mode != mode:
        raise AnotherMode(entry.declared.mode)
    if entry.started_at is None:
        raise WrongState(entry.state, "running")
    if as_of is not None:
        if as_of.tzinfo is None:
            raise WrongMoment
        as_of = as_of.astimezone(UTC)
        if not entry.started_at < as_of <= datetime.now(UTC):
            raise WrongMoment
    return entry, as_of


def _heard(waiting: asyncio.Future[dict[str, Any]]) -> None:
    """A failure that nobody waited for is in the scorer's log."""
    if not waiting.cancelled():
        waiting.exception()
