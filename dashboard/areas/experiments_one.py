"""One experiment: health first, then what it changed, what may be done, and who did what."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from starlette.responses import Response

from dashboard.areas.experiments_reading import (
    Seen,
    ask_anew,
    health_of,
    is_good,
    last_seen,
    report_of,
)
from dashboard.charts.figure import safe_cell
from dashboard.experiment_report import ARM_COLUMNS, told_in
from dashboard.experiment_verdict import last_look_in, verdict_in
from dashboard.numbers import told
from dashboard.terms import term
from dashboard.web.errors import NotFound
from dashboard.web.visit import Visit
from experiments.declaration import to_json
from serving.experiment_audit import Audited
from serving.experiment_entry import Entry
from serving.experiments import Book
from serving.lifecycle import Reading
from serving.moments import iso
from serving.readout_process import ReadoutProcess

_CHANGES = 100  # of the trail, on the page; its file has all
_ALL = 1_000_000


def shown(
    visit: Visit, typed: Mapping[str, str] = MappingProxyType({}), problem: str = ""
) -> Response:
    """The page.

    Args:
        typed: fields of the form for a decision, which are kept in it. problem: why that form
            could not be carried out yet.
    """
    entry = found(visit)
    trail = Book(visit.ground.log).audit(entry.experiment_id, 0, _ALL)[-_CHANGES:]
    seen = ask_anew(readouts_of(visit), entry, visit.now)
    return visit.page(
        "experiments/one.html",
        503 if problem else 200,
        typed=typed,
        problem=problem,
        trail=[(one, changed_words(visit, one)) for one in reversed(trail)],
        **_to_do(visit, entry, seen),
        unfinished=_unfinished(entry),
        **readout_values(visit, entry, seen),
    )


def steps(visit: Visit) -> Response:
    """The piece with what may be done, once the verdict that it needs is there; until then
    nothing."""
    entry = found(visit)
    values = _to_do(visit, entry, last_seen(readouts_of(visit), entry))
    if values["awaited"]:
        return Response(status_code=204)
    return visit.page("experiments/steps.html", entry=entry, typed={}, **values)


def _to_do(visit: Visit, entry: Entry, seen: Seen) -> dict[str, Any]:
    """What the steps are made of. awaited: whether the verdict of the experiment as it was stopped
    is being read, by which an arm is chosen."""
    stopped = entry.state == "stopped" and entry.declared.mode == "live"
    awaited = stopped and seen.under_way and not is_good(seen, entry, visit.now)
    return {"arms": decidable(entry, seen), "awaited": awaited}


def readout(visit: Visit) -> Response:
    """The piece with the results, once there are others than those ``seen``; until then nothing."""
    entry = found(visit)
    seen = last_seen(readouts_of(visit), entry)
    if seen.as_of != visit.query("seen"):
        seen = ask_anew(readouts_of(visit), entry, visit.now)
    elif seen.under_way:
        return Response(status_code=204)
    return visit.page("experiments/readout.html", **readout_values(visit, entry, seen))


def readout_values(visit: Visit, entry: Entry, seen: Seen) -> dict[str, Any]:
    """What the piece with the results needs."""
    values: dict[str, Any] = {
        "entry": entry,
        "seen": seen,
        "health": health_of(seen.results),
        "readable": readouts_of(visit) is not None,
        "live": entry.declared.mode == "live",
    }
    if seen.results is None or not values["live"]:
        return values
    values |= told_in(report_of(entry, seen.results), visit.language)
    values["sentence"] = verdict_in(visit.language, seen.results, seen.results["verdict"])
    history = seen.results.get("history", ())
    said = last_look_in(visit.language, seen.results, history)
    values["last_look"] = None if said is None else said[0]
    return values


def decidable(entry: Entry, seen: Seen) -> Sequence[tuple[str, str, bool | None]]:
    """Arms that an experiment may be decided for: name, release, and whether the verdict allows
    it; None where none was read of the experiment as it is. The control always may go on."""
    arms, found = entry.declared.arms, seen.results
    fresh = found is not None and found.get("version", entry.version) == entry.version
    if found is None or not fresh or "contrasts" not in found:
        return [(arm.name, arm.release, None) for arm in arms]
    allowed = {entry.declared.control, *Reading.told_by(found).allows}
    return [(arm.name, arm.release, arm.name in allowed) for arm in arms]


def _unfinished(entry: Entry) -> bool:
    """Whether something is left to do: also of a decision whose release was not published yet."""
    decision = entry.decision
    if decision is None:
        return True
    return decision.published is None and bool(entry.declared.arm(decision.arm).release)


def results_file(visit: Visit) -> Response:
    entry = found(visit)
    results = last_seen(readouts_of(visit), entry).results
    if results is None:
        raise NotFound("this experiment has not been read out yet; open its page and wait")
    return _json(visit, f"{entry.experiment_id}-results.json", results)


def arms_file(visit: Visit) -> Response:
    entry = found(visit)
    results = last_seen(readouts_of(visit), entry).results
    if results is None or "contrasts" not in results:
        raise NotFound("this experiment has not been read out yet; open its page and wait")
    rows = [[one[name] for name in ARM_COLUMNS] for one in results["arms"]]
    return _csv(visit, f"{entry.experiment_id}-arms.csv", ARM_COLUMNS, rows)


def declaration_file(visit: Visit) -> Response:
    entry = found(visit)
    return _json(visit, f"{entry.experiment_id}.json", to_json(entry.experiment))


def trail_file(visit: Visit) -> Response:
    entry = found(visit)
    trail = Book(visit.ground.log).audit(entry.experiment_id, 0, _ALL)
    columns = ("version", "at", "by", "action", "why", "changed")
    rows = [
        [one.version, iso(one.at), one.by, one.action, one.why, json.dumps(one.changed)]
        for one in trail
    ]
    return _csv(visit, f"{entry.experiment_id}-trail.csv", columns, rows)


def found(visit: Visit) -> Entry:
    """The experiment of the address. Raises ``UnknownExperiment``."""
    return Book(visit.ground.log).find(visit.path("experiment_id"))


def readouts_of(visit: Visit) -> ReadoutProcess | None:
    parts = visit.ground.parts
    return None if parts is None else parts.readouts


def changed_words(visit: Visit, one: Audited) -> str:
    """What a line of the trail changed, in short."""
    if "experiment" in one.changed:
        return ""
    words = []
    for name, values in one.changed.items():
        before, after = values["before"], values["after"]
        if name == "arms" and isinstance(before, list):
            words += _shares(before, after)
        elif name == "state":
            words.append(f"{term(visit.words, before)} → {term(visit.words, after)}")
        elif name == "decision" and after is not None:
            words.append(visit.words("decided for %(arm)s", arm=after["arm"]))
        elif name not in ("slots", "looks"):
            words.append(name)
    return ", ".join(words)


def _shares(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[str]:
    old = {arm["name"]: arm["share"] for arm in before}
    return [
        f"{arm['name']} {told(old.get(arm['name']), 'share', decimals=1)} → "
        f"{told(arm['share'], 'share', decimals=1)}"
        for arm in after
        if old.get(arm["name"]) != arm["share"]
    ]


def _json(visit: Visit, name: str, document: Mapping[str, Any]) -> Response:
    text = json.dumps(document, ensure_ascii=False, indent=1)
    return visit.file(name, text, "application/json")


def _csv(
    visit: Visit, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> Response:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe_cell(cell) for cell in row])
    return visit.file(name, file.getvalue(), "text/csv; charset=utf-8")
