"""What the arms of shadow experiments would have decided, written down behind the answers.

The log is followed: each decision in a shadow experiment is made once more by every arm that did
not answer, with the inputs that it was made from. That keeps no call waiting and survives
restarts, and a decision gets its shadows once, however many scorers follow the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import Connection, select

from decisions.pacing import Terms
from experiments.assignment import NOBODY
from experiments.design import Arm
from serving import tables, upsert
from serving.errors import LogUnavailable, ReleaseGone
from serving.experiment_entry import Entry
from serving.inputs import BranchInputs
from serving.log import Log, LoggedDecision, decisions_after
from serving.moments import iso
from serving.replay import Remade, read_back
from serving.trials import variant_of

if TYPE_CHECKING:
    from serving.release import Release

PAGE = 50  # decisions at a time: what answers calls must not wait long for the interpreter
_SECONDS = 1.0  # of work in one look: who stops the scorer waits so long
_ENDED = 2**62  # number of a decision behind all of a stopped experiment
_log = structlog.get_logger("pushwise.experiments")


@dataclass(frozen=True, slots=True)
class Shadows:
    """Follows the log for shadow experiments.

    Args:
        entries: those that run, and those that ended a while ago.
        release: finds any release by its id, as replays do. Raises ``ReleaseGone``.
    """

    log: Log
    entries: Callable[[], Iterable[Entry]]
    release: Callable[[str], Release]

    def look(self) -> None:
        """Work for a while, half of the time; what is left, and a log that could not be read or
        written, waits for the next look."""
        until = monotonic() + _SECONDS
        try:
            for entry in self.entries():
                began = monotonic()
                while self.step(entry) and monotonic() < until:
                    sleep(monotonic() - began)  # the other half is for the calls
                    began = monotonic()
        except LogUnavailable:
            return

    def step(self, entry: Entry) -> int:
        """Make the next page of decisions once more; how many there were.

        Raises:
            LogUnavailable: nothing was written, and nothing is lost.
        """
        mark = f"shadow/{entry.experiment_id}"
        with self.log.reading() as connection:
            after = _done(connection, mark)
            if after is None:
                after = _before(connection, entry.started_at)
            page = decisions_after(connection, after, PAGE)
        if not page:
            return 0
        stop = None if entry.stopped_at is None else iso(entry.stopped_at)
        mine = [row for _, row in page if stop is None or row.decided_at < stop]
        done = page[-1][0] if len(mine) == len(page) else _ENDED
        self._keep(mark, done, self._rows(entry, mine))
        return len(mine)

    def _rows(self, entry: Entry, page: Sequence[LoggedDecision]) -> list[dict[str, Any]]:
        declared = entry.declared
        pushes = declared.push_ids
        asked = [row for row in page if row.inputs and (not pushes or row.push_id in pushes)]
        places = entry.running().assign([row.member_id for row in asked]).tolist()
        inside = [row for row, place in zip(asked, places, strict=True) if place != NOBODY]
        found = (
            self._shadow(entry.experiment_id, arm, row)
            for row in inside
            for arm in declared.arms
            if arm.name != declared.control
        )
        return [row for row in found if row is not None]

    def _shadow(self, experiment_id: str, arm: Arm, row: LoggedDecision) -> dict[str, Any] | None:
        """What ``arm`` would have decided in place of ``row``; None where it cannot."""
        try:
            made = self._by(arm, row)
        except ReleaseGone as error:
            _log.error("no shadow", arm=arm.name, why=str(error))
            return None
        if made is None:
            return None
        choice = made.choice()
        branch = BranchInputs(experiment_id, arm.name, 1.0, 0.0, made.situation.variant)
        answer = replace(made, inputs=replace(made.inputs, branch=branch)).decision(choice)
        return {
            "decision_id": row.decision_id,
            "experiment_id": experiment_id,
            "member_id": row.member_id,
            "arm": arm.name,
            "release": answer.release,
            "offer_id": choice.offer_id,
            "probability": choice.probability,
            "expected_gain": choice.expected_gain,
            "answer": answer.model_dump_json(),
        }

    def _by(self, arm: Arm, row: LoggedDecision) -> Remade | None:
        """``row`` as ``arm`` would make it: with what was known and left then, at own prices."""
        made = read_back(row, self.release(row.release))
        release = self.release(arm.release) if arm.release else made.release
        variant = variant_of(arm)
        push = release.pushes.get(row.push_id)
        if push is None or not variant.fits(push):
            return None
        prices = variant.prices(release.prices[row.push_id])
        terms = Terms(prices, made.situation.terms.left)
        situation = replace(made.situation, terms=terms, variant=variant, basis="model")
        return replace(made, release=release, situation=situation)

    def _keep(self, mark: str, done: int, rows: Sequence[dict[str, Any]]) -> None:
        def work(connection: Connection) -> None:
            # Who has the lock looks again: another scorer may have been here meanwhile.
            if (_done(connection, mark) or 0) >= done:
                return
            if rows:
                connection.execute(tables.shadows.insert(), list(rows))
            row = upsert.insert(connection, tables.exports).values(name=mark, seq=done)
            further = row.on_conflict_do_update(index_elements=["name"], set_={"seq": done})
            connection.execute(further)

        self.log.write(work)


def _done(connection: Connection, mark: str) -> int | None:
    """Number of the newest decision that was looked at; None before the first."""
    stood = select(tables.exports.c.seq).where(tables.exports.c.name == mark)
    return connection.execute(stood).scalar_one_or_none()


def _before(connection: Connection, moment: datetime | None) -> int:
    """Number of the newest decision made before ``moment``, 0 where there is none."""
    made = tables.decisions.c
    asked = select(made.seq).order_by(made.seq.desc()).limit(1)
    if moment is not None:
        asked = asked.where(made.decided_at < iso(moment))
    return connection.execute(asked).scalar_one_or_none() or 0
