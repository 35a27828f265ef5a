"""The header ``Idempotency-Key`` of a call."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header
from starlette.requests import Request

from serving.auth import key_id
from serving.idempotency import Once


async def once_of(
    request: Request,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            pattern=r"^[\x21-\x7e]+$",
            description="Names this call for a week: sent again, it gets its answer again.",
        ),
    ] = None,
) -> Once | None:
    """The call as it must be done once; None where it carries no key."""
    if key is None:
        return None
    route = f"{request.method} {request.url.path}"
    return Once.of(key_id(request), key, route, await request.body())


IfOnce = Annotated[Once | None, Depends(once_of)]
