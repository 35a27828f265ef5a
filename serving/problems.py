"""Errors as RFC 9457 problems: on the wire, in the documents, and for faults of the framework."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from serving.errors import (
    BodyTooDeep,
    BodyTooLarge,
    BodyTooSlow,
    ExpiredKey,
    HeadersTooLarge,
    LogUnavailable,
    MalformedJson,
    MissingKey,
    RateLimited,
    ServiceError,
    TooManyValues,
    UnknownKey,
    UrlTooLong,
    WrongScope,
)
from serving.problem import MEDIA_TYPE, TYPE, FieldProblem, Problem


def documented(*errors: type[ServiceError]) -> dict[int | str, dict[str, Any]]:
    """The ``responses=`` of a route that may raise ``errors``, besides what any call may meet."""
    codes: dict[int | str, list[str]] = {422: ["invalid_request"]}
    usual: tuple[type[ServiceError], ...] = (
        MalformedJson,
        BodyTooDeep, BodyTooSlow, BodyTooLarge, TooManyValues, UrlTooLong, HeadersTooLarge,
        MissingKey, UnknownKey, ExpiredKey, WrongScope, RateLimited, LogUnavailable,
    )  # fmt: skip
    for error in (*usual, *errors):
        codes.setdefault(error.status, []).append(error.code)
    return {
        status: {"model": Problem, "description": ", ".join(names)}
        for status, names in sorted(codes.items(), key=str)
    }


def problem_of(error: ServiceError) -> Problem:
    """What the caller is told of ``error``."""
    return Problem(
        type=TYPE + error.code,
        title=error.code.replace("_", " "),
        status=error.status,
        detail=str(error),
        fix=list(error.fix),
        errors=list(error.errors),
    )


def problem_response(error: ServiceError) -> Response:
    headers = error.headers
    if isinstance(error, RateLimited):
        headers = {**headers, "Retry-After": str(error.retry_after)}
    return _response(problem_of(error), headers)


def fault_response() -> Response:
    """The answer to a fault of ours; what went wrong is in the log only."""
    return _response(
        Problem(
            type=TYPE + "internal",
            title="internal",
            status=500,
            detail="a fault of the scorer; its log tells more under the request id",
        )
    )


def install(app: FastAPI, fields: Iterable[str]) -> None:
    """Answer every error of ``app`` as a problem; faults of ours are ``Observed``'s to answer.

    Args:
        fields: our own field names. A pointer ends before any other name, since that is the
            caller's text.
    """
    ours = frozenset(fields)

    async def service_error(_: Request, error: Exception) -> Response:
        if not isinstance(error, ServiceError):
            raise error
        return problem_response(error)

    async def invalid_request(_: Request, error: Exception) -> Response:
        if not isinstance(error, RequestValidationError):
            raise error
        return _invalid(error.errors(), ours)

    async def http_error(_: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        return _http(error)

    app.add_exception_handler(ServiceError, service_error)
    app.add_exception_handler(RequestValidationError, invalid_request)
    app.add_exception_handler(HTTPException, http_error)


def _invalid(errors: Sequence[Mapping[str, Any]], ours: frozenset[str]) -> Response:
    if any(error["type"] == "json_invalid" for error in errors):
        return problem_response(MalformedJson())
    faults = [
        FieldProblem(pointer=_pointer(error["loc"], ours), code=error["type"], detail=error["msg"])
        for error in errors[:20]
    ]
    return _response(
        Problem(
            type=TYPE + "invalid_request",
            title="invalid request",
            status=422,
            detail=f"{len(errors)} fields do not fit; the first is at {faults[0].pointer or '/'}",
            fix=["see /openapi.json for the fields and their limits"],
            errors=faults,
        )
    )


def _http(error: HTTPException) -> Response:
    if error.status_code == 400:
        return problem_response(MalformedJson())
    title = HTTPStatus(error.status_code).phrase
    return _response(
        Problem(
            type=TYPE + title.lower().replace(" ", "_"),
            title=title.lower(),
            status=error.status_code,
            detail=f"{title}; see /openapi.json for the calls there are",
        ),
        error.headers or {},
    )


def _pointer(location: Sequence[str | int], ours: frozenset[str]) -> str:
    """``("body", "members", 3, "member_id")`` as ``/members/3/member_id``.

    What stands in the path, the query or a header is met only where a route declares its name.
    """
    parts: list[str] = []
    for part in location[1:]:
        if location[0] == "body" and not isinstance(part, int) and part not in ours:
            break
        parts.append(f"/{part}")
    return "".join(parts)


def _response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(
        problem.model_dump(exclude_defaults=True),
        problem.status,
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )
