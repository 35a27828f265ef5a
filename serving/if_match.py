"""The headers ``If-Match`` and ``If-None-Match`` of a call."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header

from serving.preconditions import Conditions


def conditions(
    if_match: Annotated[str | None, Header(max_length=1000)] = None,
    if_none_match: Annotated[str | None, Header(max_length=1000)] = None,
) -> Conditions:
    """``If-Match``: ETags that may be current, or ``*``. ``If-None-Match: *``: only make, never
    change."""
    tags = tuple(tag.strip() for tag in (if_match or "").split(",") if tag.strip())
    return Conditions(tags, (if_none_match or "").strip() == "*")


Wanted = Annotated[Conditions, Depends(conditions)]
