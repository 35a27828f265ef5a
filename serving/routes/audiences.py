"""Whole audiences: asked for, worked on beside the scorer, handed out behind the guard."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import IO, Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import StreamingResponse

from decisions.rules import RuleError
from serving.audience_export import Export
from serving.audience_folder import AudienceFolder
from serving.audiences import Audience, Wanted
from serving.auth import Requires
from serving.catalogue import missing_push
from serving.errors import (
    AudienceEnded,
    AudienceGone,
    AudienceNotDone,
    InvalidRule,
    NoParquet,
    UnknownAudience,
    UnknownPush,
)
from serving.parts import FromApp, Parts
from serving.problems import documented
from serving.schemas import (
    AudienceAsked,
    AudienceFailure,
    AudienceFrontier,
    AudienceJob,
    AudiencePage,
    AudienceProgress,
    Id,
)

router = APIRouter(
    prefix="/v1/audiences", tags=["audiences"], dependencies=[Depends(Requires("audience:export"))]
)
MOST_ON_A_PAGE = 1000
_CHUNK = 1 << 20
_MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
AudienceId = Annotated[Id, Path()]


@router.post("", status_code=202, responses=documented(UnknownPush, InvalidRule))
def ask_for_audience(asked: AudienceAsked, parts: FromApp, response: Response) -> AudienceJob:
    """Plan a push for everybody. The job waits its turn; `GET` it until its state is `done`.

    The same body gives the same job for as long as the release is the same.
    """
    release = parts.decider.release
    if asked.push_id not in release.pushes:
        unknown = UnknownPush(release.versions.release, len(release.pushes))
        raise missing_push(parts.catalogue, asked.push_id, unknown)
    if asked.rule is not None:
        try:
            release.check_rule(asked.rule)
        except RuleError as error:
            raise InvalidRule from error
    wanted = Wanted(**asked.model_dump())
    found = parts.audiences.ask(wanted, release.versions.release, datetime.now(UTC))
    response.headers["Location"] = f"/v1/audiences/{found.audience_id}"
    return _shown(found)


@router.get("/{audience_id}", responses=documented(UnknownAudience))
def audience(audience_id: AudienceId, parts: FromApp) -> AudienceJob:
    """How far it is, and once it is done, what the push promises."""
    return _shown(parts.audiences.find(audience_id))


@router.post("/{audience_id}:cancel", responses=documented(UnknownAudience, AudienceEnded))
def cancel(audience_id: AudienceId, parts: FromApp) -> AudienceJob:
    """Stop it for good. Cancelled again, it stays cancelled."""
    return _shown(parts.audiences.cancel(audience_id, datetime.now(UTC)))


@router.get(
    "/{audience_id}/members", responses=documented(UnknownAudience, AudienceNotDone, AudienceGone)
)
def members(
    audience_id: AudienceId,
    parts: FromApp,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_ON_A_PAGE)] = 100,
) -> AudiencePage:
    """The members ranked after `after`, best first, without those not to be contacted by now."""
    found = _export(audience_id, parts).page(after, limit)
    return AudiencePage(
        audience_id=audience_id, members=found.rows, left_out=found.left_out, next=found.next
    )


@router.get(
    "/{audience_id}/frontier",
    responses=documented(UnknownAudience, AudienceNotDone, AudienceGone),
)
def frontier(audience_id: AudienceId, parts: FromApp) -> AudienceFrontier:
    """What more or less money would bring: points from nothing to all that pays."""
    found = _export(audience_id, parts).folder.frontier()
    return AudienceFrontier.model_validate({"audience_id": audience_id, **found})


@router.get(
    "/{audience_id}/file",
    response_class=StreamingResponse,
    responses=documented(UnknownAudience, AudienceNotDone, AudienceGone, NoParquet),
)
def file(
    audience_id: AudienceId,
    parts: FromApp,
    format: Annotated[Literal["csv", "ndjson", "parquet"], Query()] = "csv",  # noqa: A002 - DESIGN
) -> StreamingResponse:
    """Everybody in one file, without those who must not be contacted by now.

    Of CSV and NDJSON the list is read again while the file goes out; when that fails, the
    connection ends before the file does.
    """
    export = _export(audience_id, parts)
    content = _chunks(export.parquet()) if format == "parquet" else _begun(export.lines(format))
    name = f'attachment; filename="{audience_id}.{format}"'
    return StreamingResponse(
        content, media_type=_MEDIA[format], headers={"Content-Disposition": name}
    )


def _export(audience_id: str, parts: Parts) -> Export:
    found = parts.audiences.find(audience_id)
    if found.state != "done":
        raise AudienceNotDone(found.state)
    folder = AudienceFolder.open(parts.audience_files / found.audience_id)
    return Export(folder, parts.log, parts.decider.release)


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same, with its head and first members read: what fails by then is still a problem."""
    return chain([next(pieces, b""), next(pieces, b"")], pieces)


def _chunks(content: IO[bytes]) -> Iterator[bytes]:
    with content:
        while chunk := content.read(_CHUNK):
            yield chunk


def _shown(found: Audience) -> AudienceJob:
    progress, failure = found.progress, found.failure
    return AudienceJob(
        audience_id=found.audience_id,
        push_id=found.wanted.push_id,
        release=found.release,
        state=found.state,
        progress=AudienceProgress(stage=progress.stage, done=progress.done, total=progress.total),
        created_at=found.created_at,
        updated_at=found.updated_at,
        failure=None if failure is None else AudienceFailure.model_validate(failure),
        summary=None if found.summary is None else dict(found.summary),
    )
