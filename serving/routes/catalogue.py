"""What can be sent: offers and pushes, put by whoever plans them, waiting for the next release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Response
from starlette.requests import Request

from serving.auth import Requires, key_id
from serving.catalogue import Catalogue, Given, Kept, Version
from serving.catalogue_entry import Kind, check_offers, in_release, offers_named, read_entry
from serving.catalogue_schemas import (
    CatalogueOffer,
    CataloguePush,
    OfferGiven,
    OfferPage,
    OfferRow,
    PushGiven,
    PushPage,
    PushRow,
)
from serving.errors import (
    InvalidEntry,
    PreconditionFailed,
    PushIsHistory,
    PushNotPut,
    UnknownOffer,
    UnknownVersion,
)
from serving.if_match import Wanted
from serving.parts import FromApp, Parts
from serving.preconditions import Conditions
from serving.problems import documented
from serving.schemas import Id

router = APIRouter(prefix="/v1", tags=["catalogue"])
MOST_ON_A_PAGE = 200
_WRITES = [Depends(Requires("catalog:write"))]
_READS = [Depends(Requires("decide", ("catalog:write",)))]
EntryId = Annotated[Id, Path()]
After = Annotated[str, Query(max_length=256, pattern=r"^[^\x00]*$")]
Limit = Annotated[int, Query(ge=1, le=MOST_ON_A_PAGE)]
Number = Annotated[int | None, Query(ge=1, le=2**31)]
_ETAG = {"ETag": {"description": "Names the version.", "schema": {"type": "string"}}}
_MADE: dict[int | str, dict[str, Any]] = {
    200: {"description": "This version was the newest already.", "headers": _ETAG},
    201: {"description": "A version was made.", "headers": _ETAG},
}
_FOUND: dict[int | str, dict[str, Any]] = {200: {"headers": _ETAG}}


@router.put(
    "/offers/{offer_id}",
    dependencies=_WRITES,
    responses={
        **documented(InvalidEntry, PreconditionFailed),
        **_MADE,
        201: {**_MADE[201], "model": CatalogueOffer},
    },
)
def put_offer(
    offer_id: EntryId,
    given: Annotated[OfferGiven, Body()],
    wanted: Wanted,
    request: Request,
    response: Response,
    parts: FromApp,
) -> CatalogueOffer:
    """A row of the table `offers`. The same again makes no version; a change makes one."""
    row = read_entry("offers", offer_id, given, parts.decider.release)
    kept = parts.catalogue.put(
        Given("offers", offer_id, row, datetime.now(UTC), key_id(request)), wanted
    )
    _head(response, kept)
    return _offer(kept.version, parts)


@router.put(
    "/pushes/{push_id}",
    dependencies=_WRITES,
    responses={
        **documented(InvalidEntry, PreconditionFailed, PushIsHistory),
        **_MADE,
        201: {**_MADE[201], "model": CataloguePush},
    },
)
def put_push(
    push_id: EntryId,
    given: Annotated[PushGiven, Body()],
    wanted: Wanted,
    request: Request,
    response: Response,
    parts: FromApp,
) -> CataloguePush:
    """A row of the table `pushes`. It is decided once a release was built with it; once its
    `send_at` has passed, it can no longer be changed."""
    kept = kept_push(push_id, given, key_id(request), wanted, parts)
    _head(response, kept)
    return _push(kept.version, parts)


def kept_push(
    push_id: str,
    given: Mapping[str, object],
    by: str | None,
    conditions: Conditions,
    parts: Parts,
) -> Kept:
    """Put a push: what the call and the dashboard share.

    Raises:
        InvalidEntry: a field does not fit.
        PreconditionFailed, PushIsHistory, LogUnavailable: see ``Catalogue.put``.
    """
    release = parts.decider.release
    row = read_entry("pushes", push_id, given, release)
    put = parts.catalogue.among("offers", offers_named(row))
    check_offers(row, release.offers.keys() | put)
    return parts.catalogue.put(Given("pushes", push_id, row, datetime.now(UTC), by), conditions)


@router.get(
    "/offers/{offer_id}",
    dependencies=_READS,
    responses={**documented(UnknownOffer, UnknownVersion), **_FOUND},
)
def offer(
    offer_id: EntryId, response: Response, parts: FromApp, version: Number = None
) -> CatalogueOffer:
    """The newest version, or the one asked for."""
    found = _find("offers", offer_id, version, parts)
    response.headers["ETag"] = found.etag
    return _offer(found, parts)


@router.get(
    "/pushes/{push_id}",
    dependencies=_READS,
    responses={**documented(PushNotPut, UnknownVersion), **_FOUND},
)
def push(
    push_id: EntryId, response: Response, parts: FromApp, version: Number = None
) -> CataloguePush:
    """The newest version, or the one asked for."""
    found = _find("pushes", push_id, version, parts)
    response.headers["ETag"] = found.etag
    return _push(found, parts)


@router.get("/offers", dependencies=_READS, responses=documented())
def offers(parts: FromApp, after: After = "", limit: Limit = 50) -> OfferPage:
    """The catalogue's offers by id, each in its newest version."""
    found = parts.catalogue.page("offers", after, limit)
    return OfferPage(offers=[_offer(one, parts) for one in found], next=_next(found, limit))


@router.get("/pushes", dependencies=_READS, responses=documented())
def pushes(parts: FromApp, after: After = "", limit: Limit = 50) -> PushPage:
    """The catalogue's pushes by id, each in its newest version."""
    found = parts.catalogue.page("pushes", after, limit)
    return PushPage(pushes=[_push(one, parts) for one in found], next=_next(found, limit))


def _head(response: Response, kept: Kept) -> None:
    response.status_code = 201 if kept.fresh else 200
    response.headers["ETag"] = kept.version.etag


def _find(kind: Kind, entry_id: str, number: int | None, parts: Parts) -> Version:
    catalogue: Catalogue = parts.catalogue
    found = catalogue.find(kind, entry_id, number)
    if found is not None:
        return found
    if number is not None and catalogue.find(kind, entry_id) is not None:
        raise UnknownVersion
    raise UnknownOffer if kind == "offers" else PushNotPut


def _next(found: Sequence[Version], limit: int) -> str | None:
    return found[-1].entry_id if len(found) == limit else None


def _offer(version: Version, parts: Parts) -> CatalogueOffer:
    return CatalogueOffer(offer=OfferRow.model_validate(version.row), **_about(version, parts))


def _push(version: Version, parts: Parts) -> CataloguePush:
    return CataloguePush(push=PushRow.model_validate(version.row), **_about(version, parts))


def _about(version: Version, parts: Parts) -> dict[str, Any]:
    release = parts.decider.release
    return {
        "version": version.number,
        "changed_at": version.changed_at,
        "changed_by": version.changed_by,
        "in_release": in_release(version.kind, version.entry_id, version.row, release),
        "release": release.versions.release,
    }
