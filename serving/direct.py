"""Calls with a JSON body, read without FastAPI's dependencies.

On the busiest route FastAPI takes longer to find out what an endpoint wants than the endpoint to
answer. The endpoint's signature stays what the documents are made of; what is accepted is the same.
"""

from __future__ import annotations

from email.message import Message
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import Request

Body = TypeVar("Body", bound=BaseModel)
Value = TypeVar("Value")

_JSON = "application/json"


async def body_of(request: Request, model: type[Body]) -> Body:
    """The body as ``model``. Raises ``RequestValidationError``."""
    declared = request.headers.get("content-type", "")
    if declared != _JSON and not _is_json(declared):
        fault = {
            "type": "content_type",
            "loc": ("body",),
            "msg": "the body is not declared as JSON; send Content-Type: application/json",
        }
        raise RequestValidationError([fault])
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        raise RequestValidationError(_at("body", error)) from error


def header_of(request: Request, name: str, kind: TypeAdapter[Value]) -> Value | None:
    """The header ``name`` as ``kind``, None where it is absent.

    Raises ``RequestValidationError``.
    """
    given = request.headers.get(name)
    if given is None:
        return None
    try:
        return kind.validate_python(given)
    except ValidationError as error:
        raise RequestValidationError(_at("header", error)) from error


def _at(where: str, error: ValidationError) -> list[dict[str, Any]]:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [{**one, "loc": (where, *one["loc"])} for one in found]


def _is_json(declared: str) -> bool:
    message = Message()
    message["content-type"] = declared
    kind, sub = message.get_content_maintype(), message.get_content_subtype()
    return kind == "application" and (sub == "json" or sub.endswith("+json"))
