"""What was promised of a push before it went out: by its plan, and decision by decision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select

from serving import tables
from serving.log import Log

_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Logged:
    """What the estimates that decided expect of the decisions in the log.

    contacts: decisions for an offer. gain: money beyond no send, or conversions where those are
    the objective. orders: conversions that would not have come. evidence: contacts by what their
    estimates rest on. releases: that decided.
    """

    contacts: int
    gain: float
    orders: float
    evidence: Mapping[str, int]
    releases: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "releases": list(self.releases)}


def logged_promise(log: Log, push_id: str) -> Logged | None:
    """Of the push's decisions in ``log``; None where it has none.

    Raises:
        LogUnavailable: the log cannot be read.
    """
    made = tables.decisions.c
    asked = select(made.seq, made.answer).where(made.push_id == push_id).order_by(made.seq)
    contacts, gain, orders, after, found = 0, 0.0, 0.0, 0, False
    evidence, releases = dict[str, int](), dict[str, None]()
    while True:
        with log.reading() as connection:
            page = connection.execute(asked.where(made.seq > after).limit(_AT_ONCE)).all()
        if not page:
            break
        found, after = True, page[-1].seq
        for row in page:
            answer = json.loads(row.answer)
            releases[answer["release"]] = None
            estimates = answer["estimates"]
            if not answer["send"] or estimates is None:
                continue
            contacts += 1
            gain += estimates["expected_gain"] or 0.0
            orders += estimates["uplift"] or 0.0
            grade = estimates["evidence"] or "none"
            evidence[grade] = evidence.get(grade, 0) + 1
    return Logged(contacts, gain, orders, evidence, tuple(releases)) if found else None


@dataclass(frozen=True, slots=True)
class Planned:
    """A whole audience that was planned over HTTP; summary: see
    ``serving.audience_summary.Summary.to_json``. audience_id: its folder has the frontier."""

    audience_id: str
    summary: Mapping[str, Any]


def planned_promise(log: Log, push_id: str) -> Planned | None:
    """The newest finished plan of the push in ``log``; None where there is none.

    Raises:
        LogUnavailable: the log cannot be read.
    """
    jobs = tables.audiences.c
    done = select(jobs.audience_id, jobs.asked, jobs.summary).where(
        jobs.state == "done", jobs.summary.is_not(None)
    )
    with log.reading() as connection:
        for row in connection.execute(done.order_by(jobs.seq.desc())):
            if json.loads(row.asked)["push_id"] == push_id:
                return Planned(row.audience_id, json.loads(row.summary))
    return None
