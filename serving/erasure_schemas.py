"""What the calls about erasing, exporting and publishing say."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from models.lifetime_values import LifetimeValue
from serving.erasures import State
from serving.schemas import Id


class ErasureAsked(BaseModel):
    """Members to forget: for good, everywhere."""

    model_config = ConfigDict(extra="forbid")

    member_ids: Annotated[list[Id], Field(min_length=1, max_length=1000)]


class ErasureShown(BaseModel):
    """``recorded``: the scorer holds nothing of them and takes in nothing; the workspace's files
    are still to be gone through. ``done``: no file holds them, but for what ``left`` names.

    removed: rows or files that were removed so far, by where they were.
    """

    erasure_id: str
    state: State
    members: int
    asked_at: datetime
    updated_at: datetime
    removed: dict[str, int]
    left: list[str]


class MemberExport(BaseModel):
    """What the scorer holds of a member: the rows of its log by table, the features of the
    release in use by name, and what it expects of them; null where it cannot say. The workspace's
    own tables: ``pushwise members export``."""

    member_id: str
    release: str
    log: dict[str, list[dict[str, Any]]]
    features: dict[str, float | str | None]
    lifetime_value: LifetimeValue | None


class ReleaseShown(BaseModel):
    """as_of, created_at: empty where the release does not read."""

    release_id: str
    as_of: str
    created_at: str
    published: bool


class ReleasesShown(BaseModel):
    releases: list[ReleaseShown]


class ReleasePublished(BaseModel):
    """The release that workers take over within a second, if its golden answers are right."""

    published: str
