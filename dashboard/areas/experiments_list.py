"""The list of experiments: what wants a decision first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from dashboard.areas.experiments_reading import Health, ask_anew, health_of, last_seen
from dashboard.experiment_report import MARK, TONE
from dashboard.experiment_verdict import last_look_in, verdict_in
from dashboard.web.visit import Visit
from serving.experiment_entry import Entry, State
from serving.experiments import Book

_MOST = 200  # that are not decided yet
_DECIDED = 50  # on a page
_READ = 4  # readouts that a look at the list begins
_OPEN: tuple[State, ...] = ("draft", "running", "stopped")
_CLOSED: tuple[State, ...] = ("decided",)
_DECIDES = ("promote", "harm", "keep", "cannot_say", "inconclusive")


@dataclass(frozen=True, slots=True)
class Line:
    """One experiment. wants: why somebody should look at it, in words; empty where nobody has to.
    health: see ``health_of``. sentence, mark, tone: of the verdict read last; else empty."""

    entry: Entry
    wants: str
    health: Health
    sentence: str
    mark: str
    tone: str


def listed(visit: Visit) -> Response:
    book = Book(visit.ground.log)
    after = visit.query("after")
    undecided = [] if after else book.page("", _MOST, _OPEN)
    _begin_reading(visit, undecided)
    lines = sorted((line_of(visit, entry) for entry in undecided), key=_urgency)
    decided = book.page(after, _DECIDED + 1, _CLOSED)
    more = decided[_DECIDED - 1].experiment_id if len(decided) > _DECIDED else ""
    return visit.page(
        "experiments/list.html", lines=lines, decided=decided[:_DECIDED], more=more, after=after,
        released=visit.ground.parts is not None,
    )  # fmt: skip


def _begin_reading(visit: Visit, entries: list[Entry]) -> None:
    parts = visit.ground.parts
    if parts is None:
        return
    for entry in [one for one in entries if one.started_at is not None][:_READ]:
        ask_anew(parts.readouts, entry, visit.now)


def line_of(visit: Visit, entry: Entry) -> Line:
    parts = visit.ground.parts
    results = None if parts is None else last_seen(parts.readouts, entry).results
    if results is None or "verdict" not in results:
        return Line(entry, wants(visit, entry, ""), health_of(results), "", "", "")
    verdict = results["verdict"]
    sentence = verdict_in(visit.language, results, verdict)
    said = last_look_in(visit.language, results, results.get("history", ()))
    if said is not None and verdict["kind"] == "wait":  # between looks the last one's stands
        sentence, verdict = said
    kind = verdict["kind"]
    return Line(
        entry, wants(visit, entry, kind), health_of(results), sentence, MARK.get(kind, "="),
        TONE.get(kind, ""),
    )  # fmt: skip


def wants(visit: Visit, entry: Entry, kind: str) -> str:
    """Why somebody should look at an experiment; empty where nobody has to.

    Args:
        kind: of the verdict read last; empty where there is none.
    """
    if entry.state == "stopped":
        return visit.words("stopped: decide which arm goes on")
    if entry.state != "running":
        return ""
    if _over(entry, visit.now):
        return visit.words("the last planned look has come: stop and decide")
    if kind in _DECIDES:
        return visit.words("there is a verdict: stop and decide")
    return ""


def _over(entry: Entry, now: datetime) -> bool:
    return bool(entry.looks) and entry.looks[-1] <= now


def _urgency(line: Line) -> tuple[bool, bool, int, str]:
    """First what wants a decision, then what is not healthy, then by how far it is."""
    order = ("stopped", "running", "draft")
    state = order.index(line.entry.state) if line.entry.state in order else len(order)
    return not line.wants, line.health != "bad", state, line.entry.experiment_id
