"""An insight: a name and how its document is made; a refresh makes several, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from features.insights.prepared import keep
from features.progress import Progress
from features.workspace import Workspace

STAGE = "insights"
Make = Callable[[Workspace, datetime, Progress], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Insight:
    """What can be prepared.

    name: of its document. make: workspace, moment (UTC) and progress to the document, plain JSON.
    """

    name: str
    make: Make


@dataclass(frozen=True, slots=True)
class Refreshed:
    """How making one insight ended: error is None where its document was kept.

    seconds: it took.
    """

    name: str
    seconds: float
    error: Exception | None = None


def refresh(
    workspace: Workspace, insights: Sequence[Insight], as_of: datetime, progress: Progress
) -> Iterator[Refreshed]:
    """Make and keep each of ``insights``, as known at ``as_of``; one that fails stops no other.

    Where one fails, its document of before stays. ``progress`` hears of each before it is made, and
    of what it does meanwhile.
    """
    for place, insight in enumerate(insights):
        progress(STAGE, place, len(insights))
        began = datetime.now(UTC)
        error: Exception | None = None
        try:
            document = insight.make(workspace, as_of, progress)
            keep(workspace, insight.name, document, as_of=as_of, made_at=datetime.now(UTC))
        except Exception as failed:  # the caller tells of each; the others go on
            error = failed
        yield Refreshed(insight.name, (datetime.now(UTC) - began).total_seconds(), error)
    progress(STAGE, len(insights), len(insights))
