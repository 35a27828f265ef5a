"""The ledger: nothing is promised that is not there, whatever happens in between."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from benchmarks.paced_push import recount
from decisions.pacing import CONTACTS, MONEY, Use, takes
from serving import ledger
from serving.ledger import Claim
from serving.log import Claims, Log, LoggedDecision
from serving.moments import iso

ON_BOTH_ENGINES = True
NOW = datetime(2026, 5, 1, tzinfo=UTC)
MOST = {MONEY: 10, CONTACTS: 6, "offer:a": 3, "offer:b": 4, "channel:push": 5}


def decision(member: str, offer: str | None) -> LoggedDecision:
    return LoggedDecision(
        decision_id=f"of-{member}", push_id="spring", channel="push", member_id=member,
        offer_id=offer, probability=1.0, decided_at=iso(NOW), candidates="[]", arm="policy",
        policy="p", release="r", context=None, answer="{}", terms='{"planned": {"money": 1}}',
    )  # fmt: skip


def keep(
    log: Log,
    member: str,
    offer: str | None = "a",
    cost: int = 1,
    *,
    hours: int = 1,
    at: datetime = NOW,
    most: Mapping[str, int] = MOST,
) -> bool:
    """Whether the decision was kept, asked at ``at`` and good for ``hours`` after the start."""
    made = decision(member, offer)
    claim = Claim(
        made.decision_id,
        takes(offer, "push", cost) if offer else {},
        {MONEY: 1},
        iso(NOW + timedelta(hours=hours)),
    )
    kept = log.keep_decisions([made], (), Claims(most, {made.decision_id: claim}, at))
    return member in kept


def report(log: Log, member: str, told: str, number: int = 0) -> None:
    outcome = {
        "event_id": f"{member}-{told}-{number}", "decision_id": f"of-{member}", "type": told,
        "occurred_at": iso(NOW),
    }  # fmt: skip
    assert log.keep_outcomes([outcome], NOW).refused == ()


def spending(log: Log, at: datetime = NOW) -> tuple[int, int]:
    """(reserved, spent) money."""
    use = log.used("spring", at).get(MONEY, Use())
    return use.reserved, use.spent


def test_money_is_reserved_with_the_decision_and_spent_when_it_was_sent(log: Log) -> None:
    assert keep(log, "m1", cost=4)
    assert spending(log) == (4, 0)
    report(log, "m1", "sent")
    assert spending(log) == (0, 4)
    report(log, "m1", "delivered")
    report(log, "m1", "failed")
    assert spending(log) == (0, 4), "what was sent is spent once, and stays so"


def test_what_does_not_fit_is_not_kept_and_leaves_no_trace(log: Log) -> None:
    assert keep(log, "m1", cost=10)
    before = log.used("spring", NOW)
    assert not keep(log, "m2", cost=1)
    assert log.used("spring", NOW) == before
    assert log.decided("spring", ["m2"]) == {}
    assert keep(log, "m2", cost=0), "one that costs nothing still fits"


@pytest.mark.parametrize("name", ["money", "contacts", "offer:a", "channel:push"])
def test_each_limit_holds_to_the_unit(log: Log, name: str) -> None:
    kept = [keep(log, f"m{number}", most={name: 2}) for number in range(4)]
    assert kept == [True, True, False, False]


def test_a_message_that_failed_or_that_nobody_sent_gives_its_money_back(log: Log) -> None:
    keep(log, "m1", cost=3)
    report(log, "m1", "failed")
    assert spending(log) == (0, 0)
    keep(log, "m2", cost=10, hours=1)
    assert not keep(log, "m3", cost=1)
    late = NOW + timedelta(hours=1)
    assert keep(log, "m3", cost=10, hours=9, at=late), "the expired reserve is there again"
    assert spending(log, late) == (10, 0)


def test_reading_gives_back_what_expired_once(log: Log) -> None:
    keep(log, "m1", cost=3, hours=1)
    later = NOW + timedelta(hours=2)
    assert [spending(log, later), spending(log, later)] == [(0, 0), (0, 0)]
    assert log.used("spring", later) == recount(log)


def test_many_that_expired_are_given_back_over_several_calls(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "AT_ONCE", 2)
    for number in range(3):
        keep(log, f"m{number}", cost=1)
    later = NOW + timedelta(hours=1)
    assert [spending(log, later) for _ in range(3)] == [(1, 0), (0, 0), (0, 0)]


def test_sent_after_it_expired_counts_if_it_fits_and_is_late_if_not(log: Log) -> None:
    later = NOW + timedelta(hours=1)
    for member in ("m1", "m2"):
        keep(log, member, cost=4)
    assert spending(log, later) == (0, 0)
    report(log, "m1", "sent")
    assert spending(log, later) == (0, 4)
    assert keep(log, "m3", cost=6, hours=9, at=later)
    report(log, "m2", "sent")
    assert spending(log, later) == (6, 4)
    with log.reading() as connection:
        states = connection.exec_driver_sql(
            "SELECT decision_id FROM reservations WHERE state='late'"
        )
        assert states.scalars().all() == ["of-m2"]


def test_an_outcome_may_name_push_and_member_instead_of_the_decision(log: Log) -> None:
    keep(log, "m1", cost=4)
    outcome = {
        "event_id": "o1", "push_id": "spring", "member_id": "m1", "type": "sent",
        "occurred_at": iso(NOW),
    }  # fmt: skip
    stranger = {**outcome, "event_id": "o2", "member_id": "nobody"}
    assert log.keep_outcomes([stranger, outcome, outcome], NOW).accepted == 2
    assert spending(log) == (0, 4)


def test_a_member_decided_already_reserves_nothing_again(log: Log) -> None:
    keep(log, "m1", cost=4)
    first = log.decided("spring", ["m1"])["m1"]
    assert keep(log, "m1", offer="b", cost=5)
    assert log.decided("spring", ["m1"])["m1"] == first
    assert spending(log) == (4, 0)
    assert log.used("spring", NOW)["asked"].spent == 1


def test_a_commit_that_a_crash_cut_off_left_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with Log(path) as log:
        keep(log, "m1", cost=4)
    torn = sqlite3.connect(path, isolation_level=None)
    torn.execute("BEGIN IMMEDIATE")
    torn.execute("UPDATE limits_used SET reserved = 9")
    torn.execute("UPDATE reservations SET state = 'activated'")
    torn.close()  # no commit
    with Log(path) as log:
        assert spending(log) == (4, 0)
        assert log.used("spring", NOW) == recount(log)


MEMBERS = st.sampled_from([f"m{number}" for number in range(12)])


class Ledger(RuleBasedStateMachine):
    """Any interleaving of what engines and scorers do, beside a plain model of it in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "log.db"
        self.log = Log(self.path)
        self.at = NOW
        self.reports = 0
        # By member: state, what it takes, hours until it expires.
        self.held: dict[str, tuple[str, dict[str, int], int]] = {}

    def teardown(self) -> None:
        self.log.close()
        self.folder.cleanup()

    def taken(self) -> dict[str, int]:
        counted = [amounts for state, amounts, _ in self.held.values() if state in "reserved spent"]
        return {name: sum(one.get(name, 0) for one in counted) for name in MOST}

    def fits(self, amounts: dict[str, int]) -> bool:
        taken = self.taken()
        return all(taken[name] + amounts.get(name, 0) <= most for name, most in MOST.items())

    def expire(self) -> None:
        for member, (state, amounts, hours) in self.held.items():
            if state == "reserved" and NOW + timedelta(hours=hours) <= self.at:
                self.held[member] = ("given back", amounts, hours)

    @rule(
        member=MEMBERS, offer=st.sampled_from(["a", "b", None]), cost=st.integers(0, 5),
        hours=st.integers(1, 6),
    )  # fmt: skip
    def decide(self, member: str, offer: str | None, cost: int, hours: int) -> None:
        self.expire()
        again = member in self.held
        amounts = takes(offer, "push", cost) if offer else {}
        expected = again or self.fits(amounts)
        assert keep(self.log, member, offer, cost, hours=hours, at=self.at) == expected
        if expected and not again:
            self.held[member] = ("reserved", amounts, hours)
            self.expire()

    @rule(member=MEMBERS, told=st.sampled_from(["sent", "delivered", "failed", "converted"]))
    def report(self, member: str, told: str) -> None:
        self.reports += 1
        report(self.log, member, told, self.reports)
        if member not in self.held or told == "converted":
            return
        state, amounts, hours = self.held[member]
        if told == "failed":
            after = "given back" if state == "reserved" else state
        elif state == "given back":
            after = "spent" if self.fits(amounts) else "late"
        else:
            after = "spent" if state == "reserved" else state
        self.held[member] = (after, amounts, hours)

    @rule(hours=st.integers(1, 2))
    def wait(self, hours: int) -> None:
        self.at += timedelta(hours=hours)

    @rule()
    def crash(self) -> None:
        """A transaction is cut off, and the scorer starts again."""
        torn = sqlite3.connect(self.path, isolation_level=None)
        torn.execute("BEGIN IMMEDIATE")
        torn.execute("UPDATE limits_used SET reserved = 0, spent = 99")
        torn.execute("UPDATE reservations SET state = 'expired'")
        torn.close()
        self.log.close()
        self.log = Log(self.path)

    @invariant()
    def counters_tell_what_the_rows_do_and_no_limit_is_passed(self) -> None:
        self.expire()
        used = self.log.used("spring", self.at)
        assert used == recount(self.log)
        for name, most in MOST.items():
            assert used.get(name, Use()).taken == self.taken()[name] <= most
        assert used.get("asked", Use()).spent == len(self.held)


@pytest.mark.slow
def test_no_order_of_events_passes_a_limit_or_loses_count() -> None:
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=30, stateful_step_count=30, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
