"""Any order, repetition, delay or restart of the outcomes gives the same readout, bit for bit.

Each run of a machine leaves the rows that ended up in its tables; all runs are then read out in one
query, each by members and arms of its own, and compared with the stream as it was sent. One machine
delivers to the scorer's log and the real ingest. The other, which can afford many more runs, stands
on what ingest promises: the first row of an id stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)  # fmt: skip

from console.scorer_log import take_scorer_log
from features.experiment_moments import grouped_moments
from features.experiment_outcomes import members_outcomes
from features.exposures import Counting, exposures
from features.ingest.load import ingest_rows
from features.tables import open_tables
from features.workspace import Workspace
from serving.drain import Exported, newest, waiting
from serving.log import Log
from tests.features.given import AS_OF, Row, ago, write_batch
from tests.features.stored import stored

NAMES = (
    "gain", "margin", "revenue", "conversions", "cost", "coupon", "sends", "reached", "redeemed",
    "unsubscribed", "complained", "judged", "before_margin", "before_converted",
)  # fmt: skip
COUNTING = Counting("x", AS_OF, 14.0, 28.0, "gain", "before_margin", cap=30.0)
MEMBERS = ("ann", "ben", "cat", "dan", "eve", "fay")
OFFERS = [
    {"offer_id": "ten", "kind": "amount_off", "contact_cost": "0.1", "redemption_cost": "0.5"}
]
DECISIONS: list[Row] = [
    {
        "decision_id": f"{member}-{push}", "push_id": push, "member_id": member,
        "offer_id": None if place % 3 == 2 else "ten", "probability": 0.5,
        "decided_at": ago(20 - place - 3 * ((push == "plain") == (place < 3))),
        "experiment": "x", "arm": ("new", "old", "none")[place % 3],
    }
    for place, member in enumerate(MEMBERS) for push in ("telling", "plain")
]  # fmt: skip


def _outcome(number: int, decision: int, kind: str, days: float, value: str | None) -> Row:
    made = DECISIONS[decision % len(DECISIONS)]
    by_id = {"decision_id": made["decision_id"]}
    by_pair = {"member_id": made["member_id"], "push_id": made["push_id"]}
    when = made["decided_at"] + timedelta(days=days)
    named: Mapping[str, Any] = by_pair if number % 3 == 0 else by_id
    given = {} if value is None else {"value": value}
    return {
        "event_id": f"o{number}", **named, **given, "type": kind, "occurred_at": when.isoformat(),
        "received_at": (when + timedelta(days=number % 2)).isoformat(),
    }  # fmt: skip


def _line(number: int, member: int, kind: str, days: float, price: str, order: str) -> Row:
    return {
        "event_id": f"e{number}", "member_id": MEMBERS[member], "type": kind, "unit_price": price,
        "order_id": order, "occurred_at": ago(days).isoformat(),
        "received_at": ago(days - number % 3).isoformat(),
    }  # fmt: skip


OUTCOMES = [
    _outcome(0, 0, "sent", 0.1, None), _outcome(1, 0, "opened", 0.2, None),
    _outcome(2, 0, "redeemed", 1, "3.3333"), _outcome(3, 0, "converted", 1, "19.9999"),
    _outcome(4, 2, "converted", 2, "7.77"), _outcome(5, 4, "converted", 3, "11.01"),
    _outcome(6, 1, "redeemed", 2, "1.5"), _outcome(9, 3, "unsubscribed", 4, None),
    _outcome(8, 6, "complained", 2, None), _outcome(7, 7, "failed", 0.1, None),
    _outcome(10, 8, "delivered", 0.1, None), _outcome(11, 8, "converted", 30, "99"),
]  # fmt: skip
EVENTS = [
    _line(0, 0, "purchase", 30, "12.34", "r0"), _line(1, 0, "purchase", 14, "45.67", "r1"),
    _line(2, 0, "refund", 5, "5.67", "r1"), _line(3, 1, "purchase", 13, "0.0001", "r2"),
    _line(4, 2, "purchase", 12, "33.33", "r3"), _line(5, 2, "purchase", 12, "66.67", "r3"),
    _line(6, 3, "refund", 11, "10", "r9"), _line(7, 4, "purchase", 3, "1000", "r4"),
    _line(8, 5, "purchase", 8, "21.1", "r5"), _line(9, 5, "refund", 1, "1.1", "r5"),
    _line(10, 3, "purchase", 9, "5.5", "r6"), _line(11, 3, "refund", 4, "5.5", "r6"),
]  # fmt: skip
STREAM = [("outcomes", row) for row in OUTCOMES] + [("events", row) for row in EVENTS]
Taken = Mapping[str, Sequence[Row]]


class Stream(RuleBasedStateMachine):
    """A sender whose rows arrive at least once, in any order."""

    left_behind: ClassVar[list[Taken]]

    @initialize(order=st.permutations(range(len(STREAM))))
    def begin(self, order: list[int]) -> None:
        self.order, self.sent = order, 0

    @rule(rows=st.integers(1, 8))
    def send(self, rows: int) -> None:
        self._send(rows)

    @rule(rows=st.integers(1, 20), hours=st.integers(0, 50))
    def send_again(self, rows: int, hours: int) -> None:
        """What was sent last comes once more, and later."""
        late = timedelta(hours=hours)
        again = [STREAM[place] for place in self.order[max(0, self.sent - rows) : self.sent]]
        self.take([(table, {**row, "received_at": (AS_OF - late).isoformat()})
                   for table, row in reversed(again)])  # fmt: skip

    @rule()
    def restart(self) -> None:
        """The receiver goes down and comes back."""

    def teardown(self) -> None:
        if hasattr(self, "order"):
            self._send(len(STREAM))
            self.left_behind.append(self.tables())

    def _send(self, rows: int) -> None:
        self.take([STREAM[place] for place in self.order[self.sent : self.sent + rows]])
        self.sent = min(self.sent + rows, len(STREAM))

    def take(self, rows: Sequence[tuple[str, Row]]) -> None:
        raise NotImplementedError

    def tables(self) -> Taken:
        raise NotImplementedError


class Promised(Stream):
    """What ingest promises: the first row of an id stays, wherever it stands in the table."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: dict[tuple[str, str], Row] = {}

    def take(self, rows: Sequence[tuple[str, Row]]) -> None:
        for table, row in rows:
            self.taken.setdefault((table, row["event_id"]), row)

    def tables(self) -> Taken:
        return {
            name: [_read(row) for (table, _), row in self.taken.items() if table == name]
            for name in ("outcomes", "events")
        }


class Ingested(Stream):
    """The scorer's log, and the tables that it is taken over into."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.workspace = Workspace(Path(self.folder.name))
        self.log = Log.of(self.workspace)

    def take(self, rows: Sequence[tuple[str, Row]]) -> None:
        outcomes = [row for table, row in rows if table == "outcomes"]
        events = [row for table, row in rows if table == "events"]
        if outcomes:
            self.log.keep_outcomes(outcomes, AS_OF)
        if events:
            self.log.keep_events(events, AS_OF)

    @rule(table=st.sampled_from(("outcomes", "events")))
    def die_between_ingest_and_mark(self, table: Exported) -> None:
        rows = waiting(self.log, table, newest(self.log, table))
        ingest_rows(self.workspace, table, rows, "the scorer's")

    @rule()
    def take_over(self) -> None:
        take_scorer_log(self.workspace)

    def restart(self) -> None:
        self.log.close()
        self.log = Log.of(self.workspace)

    def teardown(self) -> None:
        super().teardown()
        self.log.close()
        self.folder.cleanup()

    def tables(self) -> Taken:
        take_scorer_log(self.workspace)
        return {name: stored(self.workspace, name) for name in ("outcomes", "events")}


def _read(row: Row) -> Row:
    """The row with its times as times, as a table has them."""
    times = ("occurred_at", "received_at")
    return {**row, **{name: datetime.fromisoformat(row[name]) for name in times}}


def _of_run(run: int, row: Row) -> Row:
    own = {
        name: f"{run}:{row[name]}"
        for name in ("member_id", "decision_id", "order_id", "arm", "event_id")
        if row.get(name) is not None
    }
    return {**row, **own}


def read_out(workspace: Workspace, runs: Sequence[Taken]) -> list[dict[str, Any]]:
    """The moments of each run, by arm."""
    everybody = {"decisions": DECISIONS}
    for name in ("decisions", "outcomes", "events"):
        rows = [
            _of_run(run, row)
            for run, taken in enumerate(runs) for row in {**everybody, **taken}[name]
        ]  # fmt: skip
        write_batch(workspace, name, rows)
    write_batch(workspace, "offers", OFFERS)
    tables = open_tables(workspace)
    exposed = exposures(tables, COUNTING)
    members = members_outcomes(tables, exposed, COUNTING, tables.engine.keep)
    found: list[dict[str, Any]] = [{} for _ in runs]
    for group in grouped_moments(members, ("arm",), NAMES):
        run, arm = group.key[0].split(":")
        found[int(run)][arm] = (group.count, group.mean.tolist(), group.comoment.tolist())
    tables.close()
    return found


@pytest.mark.slow
def test_however_outcomes_come_in_the_readout_is_the_same(tmp_path: Path) -> None:
    as_sent = Promised()
    as_sent.take(STREAM)
    Stream.left_behind = [as_sent.tables()]
    quietly = settings(database=None, print_blob=False)
    run_state_machine_as_test(
        Promised, settings=settings(quietly, max_examples=1000, stateful_step_count=8)
    )
    promised = len(Stream.left_behind)
    run_state_machine_as_test(
        Ingested, settings=settings(quietly, max_examples=10, stateful_step_count=6)
    )
    assert promised >= 1001
    assert len(Stream.left_behind) >= promised + 10
    first, *others = read_out(Workspace(tmp_path), Stream.left_behind)
    assert {arm: found[0] for arm, found in first.items()} == {"new": 2, "old": 2, "none": 2}
    assert first["new"][1][0] != 0
    differ = [run for run, found in enumerate(others, start=1) if found != first]
    assert not differ, f"runs {differ[:5]} of {len(others)} read out otherwise"
