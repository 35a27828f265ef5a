"""An RFC 9457 problem, as the scorer tells it and its client reads it."""

from __future__ import annotations

from pydantic import BaseModel

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:pushwise:problem:"


class FieldProblem(BaseModel):
    """One field at fault. ``pointer`` is a JSON pointer (RFC 6901) into the body or the query."""

    pointer: str
    code: str
    detail: str


class Problem(BaseModel):
    """An RFC 9457 problem. ``type`` is stable; ``detail`` is for people and may change."""

    type: str
    title: str
    status: int
    detail: str
    fix: list[str] = []
    errors: list[FieldProblem] = []
