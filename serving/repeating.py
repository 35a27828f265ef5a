"""The header ``Idempotency-Key`` of a call."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header
from pydantic import StringConstraints, TypeAdapter
from starlette.requests import Request

from serving.auth import key_id
from serving.direct import header_of
from serving.idempotency import Once

NAME = "Idempotency-Key"
_Key = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]
_KEY: TypeAdapter[str] = TypeAdapter(_Key)


async def once_of(
    request: Request,
    key: Annotated[
        _Key | None,
        Header(
            alias=NAME,
            description="Names this call for a week: sent again, it gets its answer again.",
        ),
    ] = None,
) -> Once | None:
    """The call as it must be done once; None where it carries no key."""
    if key is None:
        return None
    route = f"{request.method} {request.url.path}"
    return Once.of(key_id(request), key, route, await request.body())


async def read_once(request: Request) -> Once | None:
    """The same, without FastAPI's help. Raises ``RequestValidationError``."""
    return await once_of(request, header_of(request, NAME, _KEY))


IfOnce = Annotated[Once | None, Depends(once_of)]
