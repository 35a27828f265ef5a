"""What is known of an experiment's results: the readout made last, while a new one is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from dashboard.experiment_report import ExperimentReport
from serving.experiment_entry import Entry
from serving.experiment_errors import ReadoutUnderWay
from serving.readout_process import ReadoutProcess

MOMENTS = 6  # that the curves have beside the planned looks
GOOD_FOR = timedelta(minutes=5)
Document: TypeAlias = Mapping[str, Any]
Health: TypeAlias = Literal["good", "bad", "wait", "unknown"]


@dataclass(frozen=True, slots=True)
class Seen:
    """results: read last; None before the first. under_way: whether a new one is being made."""

    results: Document | None
    under_way: bool

    @property
    def brief(self) -> bool:
        """Whether the results lack the earlier moments that the curves are made of."""
        return self.results is not None and "srm" in self.results and "history" not in self.results

    @property
    def as_of(self) -> str:
        """The moment of the results; empty where there are none."""
        return "" if self.results is None else str(self.results["as_of"])


def last_seen(readouts: ReadoutProcess | None, entry: Entry) -> Seen:
    """What was read last. Begins nothing."""
    if readouts is None:
        return Seen(None, False)
    experiment_id = entry.experiment_id
    return Seen(readouts.last(experiment_id), readouts.under_way(experiment_id))


def ask_anew(readouts: ReadoutProcess | None, entry: Entry, now: datetime) -> Seen:
    """The same, and where it is old, or of before a change, a new one is begun beside us."""
    seen = last_seen(readouts, entry)
    if readouts is None or entry.started_at is None or seen.under_way:
        return seen
    if is_good(seen, entry, now) and not seen.brief:
        return seen
    first = seen.results is None  # soon there; what the curves need takes several times as long
    try:
        readouts.results(entry, None, 0 if first else MOMENTS)
    except ReadoutUnderWay:  # enough others wait; whoever looks again asks again
        return seen
    return last_seen(readouts, entry)


def is_good(seen: Seen, entry: Entry, now: datetime) -> bool:
    """Whether the results are of the experiment as it is, and of the last minutes."""
    found = seen.results
    if found is None or found.get("version", entry.version) != entry.version:
        return False
    return now - datetime.fromisoformat(found["as_of"]) < GOOD_FOR


def report_of(entry: Entry, results: Document) -> ExperimentReport:
    """What the report shows, of a document with earlier moments."""
    alone = {name: value for name, value in results.items() if name != "history"}
    arms = [arm.name for arm in entry.declared.arms]
    return ExperimentReport(
        experiment=entry.experiment,
        state=entry.state,
        started_at=datetime.fromisoformat(results["started_at"]),
        results=alone,
        history=(*results.get("history", ()), alone),
        funnel={arm: results["funnel"][arm] for arm in arms if arm in results["funnel"]},
    )


def health_of(results: Document | None) -> Health:
    """The worst of the checks: split, members in two arms, guardrails."""
    if results is None or "srm" not in results:
        return "unknown"
    states = [
        one["state"]
        for contrast in results["contrasts"]
        if contrast["role"] == "candidate"
        for one in contrast["guardrails"]
    ]
    split = results["srm"]["passed"]
    if split is False or results["exposure"]["crossed"] or "broken" in states:
        return "bad"
    return "wait" if split is None or "open" in states else "good"
