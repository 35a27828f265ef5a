"""Moments as people give them on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

from features.errors import FeatureError
from features.workspace import Workspace


def as_of_moment(workspace: Workspace, given: str | None) -> datetime:
    """``given`` (ISO 8601; UTC without an offset), else the start of the newest event's day.

    Raises:
        FeatureError: not a time.
        TrainingError: no ``given`` and no events.
    """
    if given is None:
        from training.frames import newest_day

        return newest_day(workspace)
    try:
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        raise FeatureError(
            f"--as-of {given!r} is not an ISO 8601 time, such as 2026-05-01 or "
            "2026-05-01T09:30:00+08:00"
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
