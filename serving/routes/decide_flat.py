"""One decision for template engines that can post a form, or JSON without nesting."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from pydantic_core import from_json
from starlette.requests import Request

from serving.auth import Requires
from serving.deciding import Call
from serving.errors import MalformedForm, MalformedJson, Overloaded, UnsupportedMediaType
from serving.parts import FromApp
from serving.problems import documented
from serving.routes.decisions import Deadline, decide_flat, seconds
from serving.schemas import MAX_CONTEXT, Context, FlatDecision, Id, Strict

router = APIRouter(prefix="/v1", tags=["decisions"], dependencies=[Depends(Requires("decide"))])
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
_EXAMPLE = {"push_id": "spring", "member_id": "15098", "page": "home"}


class FlatAsked(Strict):
    """What is beside the ids is context, kept with the decision."""

    push_id: Id
    member_id: Id
    context: Context


def _schema(value: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[^\\x00]+$"}
    return {
        "type": "object",
        "required": ["push_id", "member_id"],
        "properties": {"push_id": text, "member_id": text},
        "additionalProperties": value,
        "maxProperties": MAX_CONTEXT + 2,
        "examples": [_EXAMPLE],
    }


_TEXT = {"type": "string", "maxLength": 256, "pattern": "^[^\\x00]*$"}
_VALUES: dict[str, Any] = {
    "anyOf": [
        _TEXT,
        {"type": "boolean"},
        {"type": "number", "minimum": -(2**53), "maximum": 2**53},
        {"type": "null"},
    ]
}
_BODY = {
    "required": True,
    "content": {_JSON: {"schema": _schema(_VALUES)}, _FORM: {"schema": _schema(_TEXT)}},
}


@router.post(
    "/decide",
    responses=documented(MalformedForm, UnsupportedMediaType, Overloaded),
    openapi_extra={"requestBody": _BODY},
)
async def decide_posted(
    request: Request, parts: FromApp, deadline_ms: Deadline = None
) -> FlatDecision:
    """The same as `GET /v1/decide`, from a form or flat JSON; further fields are context."""
    asked = _asked(_fields(request.headers.get("content-type", ""), await request.body()))
    call = Call(asked.push_id, {asked.member_id: asked.context or None}, seconds(deadline_ms))
    return await decide_flat(parts, call)


def _fields(content_type: str, body: bytes) -> dict[str, Any]:
    match content_type.partition(";")[0].strip().lower():
        case "application/json":
            try:
                fields = from_json(body, allow_inf_nan=False)
            except ValueError as error:
                raise MalformedJson from error
            if not isinstance(fields, dict):
                raise MalformedJson
            return fields
        case "application/x-www-form-urlencoded":
            return _form(body)
        case _:
            raise UnsupportedMediaType


def _form(body: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, strict_parsing=True, errors="strict",
            max_num_fields=MAX_CONTEXT + 2,
        )  # fmt: skip
    except ValueError as error:
        raise MalformedForm from error
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise MalformedForm
    return fields


def _asked(fields: dict[str, Any]) -> FlatAsked:
    """Raises ``RequestValidationError`` with places as in the body, where nothing nests."""
    ids = {name: fields.pop(name) for name in ("push_id", "member_id") if name in fields}
    try:
        return FlatAsked.model_validate({**ids, "context": fields})
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        for fault in faults:
            fault["loc"] = ("body", *(part for part in fault["loc"] if part != "context"))
        raise RequestValidationError(faults) from error
