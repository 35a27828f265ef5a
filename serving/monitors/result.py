"""What a monitor finds of one subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

State = Literal["ok", "warn", "alert", "cannot_say"]
STATES: tuple[State, ...] = ("alert", "warn", "cannot_say", "ok")  # what wants a look first
_LONGEST = 120  # characters of a subject: names are data of others


@dataclass(frozen=True, slots=True)
class Monitor:
    """title: what it watches, in a few words. runbook: its page in ``docs/runbook``."""

    title: str
    runbook: str


MONITORS: Mapping[str, Monitor] = {
    "freshness": Monitor("Feeds, features and release are new enough", "FeedsOld"),
    "feature_drift": Monitor("Features are spread as in training", "FeaturesDrift"),
    "score_drift": Monitor("Estimates are spread as after the release", "ScoresDrift"),
    "calibration": Monitor("As many convert as was predicted", "CalibrationOff"),
    "sample_ratio": Monitor("Experiments split members as set", "SharesMismatch"),
    "unsubscribes": Monitor("No more members leave than before", "UnsubscribesRise"),
    "pacing": Monitor("Pushes spend at the pace of their plan", "BudgetOffPace"),
    "volume": Monitor("As many decisions as usual", "VolumeUnusual"),
    "outcome_feed": Monitor("Sends are followed by outcomes", "OutcomesSilent"),
}


@dataclass(frozen=True, slots=True)
class Result:
    """One subject of one monitor, judged.

    monitor: a key of ``MONITORS``. words: what was found, or why it cannot be said. value, limit:
    what was held against what; None where there is no such number. as_of: the moment judged.
    """

    monitor: str
    subject: str
    state: State
    words: str
    as_of: datetime
    value: float | None = None
    limit: float | None = None

    @property
    def key(self) -> str:
        """Tells it from all other results of a run."""
        return f"{self.monitor}:{self.subject}"

    @property
    def link(self) -> str:
        """Path of its page on the dashboard."""
        return f"/health#{self.monitor}"

    @property
    def runbook(self) -> str:
        """Its page in the repository."""
        return f"docs/runbook/{MONITORS[self.monitor].runbook}.md"

    def to_json(self) -> dict[str, Any]:
        """Plain; texts of others shortened, without control characters."""
        return {
            "monitor": self.monitor,
            "subject": plain(self.subject),
            "state": self.state,
            "words": plain(self.words, 4 * _LONGEST),
            "value": _finite(self.value),
            "limit": _finite(self.limit),
            "as_of": self.as_of.isoformat(),
            "link": self.link,
            "runbook": self.runbook,
        }


def unsaid(monitor: str, why: str, as_of: datetime) -> Result:
    """Nothing can be said of any subject."""
    return Result(monitor, "all", "cannot_say", why, as_of)


def plain(text: str, most: int = _LONGEST) -> str:
    """One line of at most ``most`` characters, nothing in it that steers a terminal or a page."""
    kept = "".join(one if one.isprintable() else " " for one in text)
    return kept if len(kept) <= most else f"{kept[: most - 1]}…"


def worst(results: Sequence[Result]) -> State:
    """The worst state among ``results``; ``cannot_say`` where nothing can be said of any."""
    found = {one.state for one in results}
    order: tuple[State, ...] = ("alert", "warn", "ok")
    return next((state for state in order if state in found), "cannot_say")


def _finite(value: float | None) -> float | None:
    return value if value is not None and abs(value) < float("inf") else None
