"""What the log holds, added up by hour and day, and brought up to date row by row.

A monitor, and the page, read these sums and never the log's rows again: the first time everything
of the last weeks is added up, after that only what came since. They name pushes, channels, reasons
and types, and no member.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from features.workspace import Workspace, write_atomically

WEEKS = 6  # that are kept
SPLIT = "\x00"  # between channel and push: no name holds it
Counts = dict[str, int]
_FORMAT = 2


def hour_of(moment: datetime) -> str:
    """Such as ``2026-05-01T13``, UTC: what the log's moments begin with."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H")


@dataclass(slots=True)
class Tally:
    """decisions_seq, outcomes_seq: numbers of the newest rows that are in.

    decided, sends: decisions, and those for an offer, by hour. degraded: decisions made with less
    than everything, by hour and what was missing. outcomes: by hour received and type.
    asked: decisions by day and push. contacts: sends, left: unsubscriptions after a send of that
    day, by day and channel, ``SPLIT``, push.
    """

    decisions_seq: int = 0
    outcomes_seq: int = 0
    decided: Counts = field(default_factory=Counter)
    sends: Counts = field(default_factory=Counter)
    degraded: dict[str, Counts] = field(default_factory=dict)
    outcomes: dict[str, Counts] = field(default_factory=dict)
    asked: dict[str, Counts] = field(default_factory=dict)
    contacts: dict[str, Counts] = field(default_factory=dict)
    left: dict[str, Counts] = field(default_factory=dict)

    def forget_before(self, moment: datetime) -> None:
        """Drop hours and days that nobody asks for any more."""
        first = hour_of(moment)
        for name in _SUMS:
            sums: dict[str, Any] = getattr(self, name)
            for key in [key for key in sums if key < first[: len(key)]]:
                del sums[key]

    def hours(self, name: str, until: datetime) -> list[int]:
        """Of ``decided`` or ``sends``, by full hour, oldest first, the last one ending at or before
        ``until``; from the first hour known on."""
        sums: Counts = getattr(self, name)
        if not sums:
            return []
        start = datetime.strptime(min(sums), "%Y-%m-%dT%H").replace(tzinfo=UTC)
        stop = until.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        count = int((stop - start) / timedelta(hours=1))
        return [sums.get(hour_of(start + timedelta(hours=hour)), 0) for hour in range(count)]

    def between(self, name: str, since: datetime, until: datetime) -> Counter[str]:
        """One of the sums of sums, from the hour (or day) of ``since`` to before that of
        ``until``, added up."""
        total: Counter[str] = Counter()
        for key, counts in getattr(self, name).items():
            if hour_of(since)[: len(key)] <= key < hour_of(until)[: len(key)]:
                total.update(counts)
        return total

    def to_json(self) -> dict[str, Any]:
        return {"format": _FORMAT, **{one.name: getattr(self, one.name) for one in fields(self)}}

    def save(self, workspace: Workspace) -> None:
        write_atomically(_path(workspace), json.dumps(self.to_json()).encode())

    @classmethod
    def load(cls, workspace: Workspace) -> Self:
        """The one kept last; an empty one where there is none that this version reads, which the
        log then fills again."""
        try:
            found: dict[str, Any] = json.loads(_path(workspace).read_bytes())
            return cls(**found) if found.pop("format") == _FORMAT else cls()
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
            return cls()


_SUMS = ("decided", "sends", "degraded", "outcomes", "asked", "contacts", "left")


def _path(workspace: Workspace) -> Path:
    return workspace.monitor / "tally.json"
