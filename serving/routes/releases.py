"""Which release is served: listed, published, rolled back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from serving.auth import Requires
from serving.erasure_schemas import ReleasePublished, ReleaseShown, ReleasesShown
from serving.errors import NoPublishing, ReleaseRefused, UnknownRelease
from serving.parts import FromApp, Parts
from serving.problems import documented
from serving.publishing import Publishing
from serving.schemas import Id

router = APIRouter(prefix="/v1", tags=["releases"], dependencies=[Depends(Requires("publish"))])


@router.get("/releases", responses=documented(NoPublishing, ReleaseRefused))
def releases(parts: FromApp) -> ReleasesShown:
    """The releases of the workspace, oldest first."""
    shown = [
        ReleaseShown(
            release_id=one.release_id,
            as_of=one.as_of,
            created_at=one.created_at,
            published=one.current,
        )
        for one in _publishing(parts).listed()
    ]
    return ReleasesShown(releases=shown)


@router.post(
    "/releases/{release_id}:publish",
    responses=documented(UnknownRelease, ReleaseRefused, NoPublishing),
)
def publish(release_id: Annotated[Id, Path()], parts: FromApp) -> ReleasePublished:
    """Point every worker at a release that the trainer signed; they take it over within a second,
    and keep the old one where its golden answers are wrong."""
    return ReleasePublished(published=_publishing(parts).publish(release_id))


@router.post("/releases:rollback", responses=documented(ReleaseRefused, NoPublishing))
def rollback(parts: FromApp) -> ReleasePublished:
    """Point at the release that was published before."""
    return ReleasePublished(published=_publishing(parts).rollback())


def _publishing(parts: Parts) -> Publishing:
    if parts.publishing is None:
        raise NoPublishing
    return parts.publishing
