"""What of an experiment's members counts, when, and once: a worked example, and the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.experiment_moments import grouped_moments, spans
from features.experiment_outcomes import members_outcomes
from features.experiment_segments import with_segments
from features.exposures import Counting, exposures
from features.record import BuildRecord, Built, view_file
from tests.features.given import AS_OF, Given, Row, ago

COUNTING = Counting("x", AS_OF, 14.0, 28.0, "gain", "before_margin")
OFFERS = [
    {"offer_id": "coupon", "kind": "amount_off", "contact_cost": "0.10", "redemption_cost": "2"}
]
START = 20  # days ago that everybody was decided, unless they say otherwise


def decision(member: str, arm: str, offer: str | None = "coupon", **other: Any) -> Row:
    return {
        "decision_id": f"{member}-{other.get('push_id', 'p')}", "push_id": "p",
        "member_id": member, "offer_id": offer, "probability": 0.5, "decided_at": ago(START),
        "experiment": "x", "arm": arm, **other,
    }  # fmt: skip


def sale(number: str, member: str, days: float, price: int, **other: Any) -> Row:
    return {
        "event_id": number, "member_id": member, "type": "purchase", "occurred_at": ago(days),
        "unit_price": price, **other,
    }  # fmt: skip


def told(number: str, decided: str, kind: str, days: float, **other: Any) -> Row:
    return {
        "event_id": number,
        "decision_id": decided,
        "type": kind,
        "occurred_at": ago(days),
        **other,
    }


def counted(
    given: Given,
    decisions: Sequence[Row],
    events: Sequence[Row] = (),
    outcomes: Sequence[Row] = (),
    counting: Counting = COUNTING,
) -> pd.DataFrame:
    tables = given.tables(decisions=decisions, events=events, outcomes=outcomes, offers=OFFERS)
    exposed = with_segments(given.workspace, tables.engine, exposures(tables, counting))
    found: pd.DataFrame = members_outcomes(tables, exposed, counting, tables.engine.keep).execute()
    return found.set_index("member_id")


def test_each_outcome_counts_once_and_only_after_exposure(given: Given) -> None:
    decisions = [
        decision("ann", "new"),
        decision("ben", "none", None),
        decision("eve", "none", None, experiment="other"),
    ]
    events = [
        sale("1", "ann", 25, 50),  # before
        sale("2", "ann", 19, 100),
        sale("3", "ben", 10, 40, order_id="o"),  # the holdout buys too
        sale("4", "ben", 2, 10, order_id="o", type="refund"),  # of an order inside the window
        sale("5", "ben", 5, 70),  # after the window
        sale("6", "eve", 10, 999),  # of another experiment
        sale("7", "joe", 10, 999),  # of none
    ]
    outcomes = [told("8", "ann-p", "redeemed", 19, value=5), told("9", "ann-p", "opened", 19)]
    found = counted(given, decisions, events, outcomes)
    assert sorted(found.index) == ["ann", "ben"]
    ann, ben = found.loc["ann"], found.loc["ben"]
    assert (ann.arm, ann.before_margin, ann.revenue, ann.margin) == ("new", 15, 100, 30)
    assert (ann.sends, ann.reached, ann.redeemed, ann.converted) == (1, 1, 1, 1)
    assert (ann.cost, ann.coupon, ann.gain) == (Decimal("2.1"), 5, Decimal("27.9"))
    assert (ben.arm, ben.revenue, ben.margin, ben.gain, ben.conversions) == ("none", 30, 9, 9, 1)
    assert (ben.sends, ben.cost) == (0, 0)
    assert found.complete.all()


def test_windows_that_overlap_count_a_purchase_once(given: Given) -> None:
    decisions = [
        decision("ann", "new"),
        decision("ann", "new", push_id="q", decided_at=ago(18)),
        decision("ann", "new", push_id="r", decided_at=ago(2)),  # after the window of the first
    ]
    ann = counted(given, decisions, [sale("1", "ann", 15, 100)]).loc["ann"]
    assert (ann["first"], ann.revenue, ann.conversions, ann.sends) == (ago(START), 100, 1, 2)


def test_what_a_push_reports_goes_before_purchases(given: Given) -> None:
    decisions = [
        decision("ann", "new"), decision("ben", "none", None),
        decision("cat", "new", push_id="q"), decision("dan", "new", decided_at=ago(10)),
        decision("dan", "new", push_id="q", decided_at=ago(8)),
    ]  # fmt: skip
    outcomes = [
        told("1", "ann-p", "converted", 15, value=100),
        told("2", "ben-p", "converted", 14, value=20, margin=9),
        told("3", "dan-p", "converted", 9, value=10),
    ]
    events = [sale(str(10 + n), who, days, 500) for n, (who, days) in enumerate(
        (("ann", 15), ("ben", 14), ("cat", 14), ("dan", 9), ("dan", 7)))]  # fmt: skip
    found = counted(given, decisions, events, outcomes)
    assert found.revenue.to_dict() == {"ann": 100, "ben": 20, "cat": 500, "dan": 10}
    assert (found.margin["ann"], found.margin["ben"]) == (30, 9)


@pytest.mark.parametrize(("first", "revenue", "reported"), [("p", 70, 1), ("q", 100, 0)])
def test_a_sale_reported_and_bought_counts_once_in_either_arm(
    given: Given, first: str, revenue: int, reported: int
) -> None:
    """Push p reports conversions, q does not; every sale of the week both share is told twice."""
    other = "q" if first == "p" else "p"
    arms: dict[str, tuple[str, str | None]] = {"ann": ("new", "coupon"), "ben": ("none", None)}
    decisions = [
        decision(who, arm, offer, push_id=push, decided_at=ago(days))
        for who, (arm, offer) in arms.items() for push, days in ((first, 20), (other, 18))
    ]  # fmt: skip
    sales = [(who, days, price) for who in arms for days, price in ((15, 70), (7, 30))]
    events = [sale(f"e{who}{days}", who, days, price) for who, days, price in sales]
    outcomes = [
        told(f"o{who}", f"{who}-p", "converted", days, value=price)
        for who, days, price in sales if days == 15
    ]  # fmt: skip
    found = counted(given, decisions, events, outcomes)
    assert found.revenue.to_dict() == {"ann": revenue, "ben": revenue}
    assert found.reported.tolist() == [reported] * 2
    assert found.conversions.tolist() == [1 if reported else 2] * 2


def test_an_order_refunded_in_full_is_no_conversion(given: Given) -> None:
    orders = {  # bought, and given back
        "whole": ((60, 40), ()), "part": ((60, 40), (60,)), "none": ((60, 40), (40, 60)),
        "free": ((0,), ()),
    }  # fmt: skip
    decisions = [decision(who, "new") for who in (*orders, "unnamed", "two")]
    events = [
        sale(f"{who}{kind}{n}", who, day, price, order_id=who, type=kind)
        for who, (bought, back) in orders.items()
        for kind, day, prices in (("purchase", 18, bought), ("refund", 2, back))
        for n, price in enumerate(prices)
    ]
    events += [
        sale("u1", "unnamed", 18, 60), sale("u2", "unnamed", 15, 60, type="refund"),
        sale("t1", "two", 18, 60, order_id="t1"), sale("t2", "two", 17, 5, order_id="t2"),
        sale("t3", "two", 16, 60, order_id="t1", type="refund"),
        sale("b1", "part", 25, 9, order_id="b"), sale("b3", "none", 25, 9, order_id="c"),
        sale("b2", "part", 24, 9, order_id="b", type="refund"),
        sale("b4", "none", 19, 9, order_id="c", type="refund"),
    ]  # fmt: skip
    found = counted(given, decisions, events)
    assert found.conversions.to_dict() == {
        "whole": 1, "part": 1, "none": 0, "free": 1, "unnamed": 1, "two": 1,
    }  # fmt: skip
    assert found.converted["none"] == found.revenue["none"] == found.revenue["unnamed"] == 0
    assert found.before_converted[found.before_converted > 0].index.tolist() == ["none"]
    early = counted(given, decisions, events, counting=replace(COUNTING, as_of=ago(10)))
    assert early.conversions["none"] == 1  # its refunds are not known yet


def test_conversions_that_only_sends_are_reported_of_are_told(given: Given) -> None:
    decisions = [decision(f"s{number}", "new") for number in range(30)]
    decisions += [decision(f"n{number}", "none", None) for number in range(30)]
    outcomes = [
        told(f"o{number}", f"s{number}-p", "converted", 15, value=9) for number in range(12)
    ]
    one_sided = counted(given, decisions, outcomes=outcomes)
    assert spans(ibis.memtable(one_sided.reset_index()))[2:] == (0, 30)
    both = counted(given, decisions, outcomes=[*outcomes, told("x", "n1-p", "converted", 15)])
    assert spans(ibis.memtable(both.reset_index()))[2:] == (0, 0)
    few = counted(given, decisions, outcomes=outcomes[:3])
    assert spans(ibis.memtable(few.reset_index()))[2:] == (0, 0)


def test_a_late_outcome_counts_from_when_it_was_known(given: Given) -> None:
    outcomes = [told("1", "ann-p", "unsubscribed", 18, received_at=ago(3))]
    late = sale("2", "ann", 18, 100, received_at=ago(2))
    for days, expected in ((4, (0, 0)), (2.5, (1, 0)), (1, (1, 100))):
        then = replace(COUNTING, as_of=ago(days))
        ann = counted(given, [decision("ann", "new")], [late], outcomes, then).loc["ann"]
        assert (ann.unsubscribed, ann.revenue) == expected


def test_a_window_that_is_open_counts_what_is_known_so_far(given: Given) -> None:
    then = replace(COUNTING, as_of=ago(10))
    sales = [sale("1", "ann", 15, 100), sale("2", "ann", 9, 100)]
    ann = counted(given, [decision("ann", "new")], sales, counting=then).loc["ann"]
    assert (ann.revenue, ann.complete) == (100, False)
    assert counted(given, [decision("ann", "new")], counting=replace(then, as_of=ago(30))).empty


def test_who_has_two_arms_counts_in_the_first(given: Given) -> None:
    again = decision("ann", "old", push_id="q", decided_at=ago(12))
    found = counted(given, [again, decision("ann", "new"), decision("ben", "old")])
    assert found.arm.to_dict() == {"ann": "new", "ben": "old"}
    assert found.crossed.to_dict() == {"ann": True, "ben": False}


def test_a_change_of_shares_begins_an_epoch(given: Given) -> None:
    changed = replace(COUNTING, changed_at=(ago(19), ago(5)))
    decisions = [
        decision("ann", "new"), decision("ben", "new", decided_at=ago(19)),
        decision("cat", "new", decided_at=ago(1)),
    ]  # fmt: skip
    found = counted(given, decisions, counting=changed)
    assert found.epoch.to_dict() == {"ann": 0, "ben": 1, "cat": 2}


def test_only_what_was_sent_costs(given: Given) -> None:
    told_sent = [decision("ann", "new"), decision("ben", "new"), decision("cat", "new")]
    untold = [decision(name, "new", push_id="q") for name in ("dan", "eve")]
    outcomes = [
        told("1", "ann-p", "sent", 20), told("2", "ann-p", "delivered", 20),
        told("3", "ben-p", "sent", 20), told("4", "eve-q", "failed", 20),
    ]  # fmt: skip
    found = counted(given, [*told_sent, *untold], outcomes=outcomes)
    assert found.sends.to_dict() == {"ann": 1, "ben": 1, "cat": 0, "dan": 1, "eve": 0}
    assert found.reached.to_dict() == {"ann": 1, "ben": 0, "cat": 0, "dan": 1, "eve": 0}
    assert found.cost.sum() == Decimal("0.3")


def test_an_outcome_of_member_and_push_counts_once(given: Given) -> None:
    twice = [
        decision("ann", "new", decision_id=f"d{number}", decided_at=ago(START - number))
        for number in (0, 1)
    ]
    complaint = {
        "event_id": "1", "member_id": "ann", "push_id": "p", "type": "complained",
        "occurred_at": ago(15),
    }  # fmt: skip
    redeemed = {**complaint, "event_id": "2", "type": "redeemed", "value": 3}
    ann = counted(given, twice, outcomes=[complaint, redeemed]).loc["ann"]
    assert (ann.complained, ann.redeemed, ann.coupon, ann.sends) == (1, 1, 3, 2)


def test_the_deciding_metric_has_a_cap_before_and_after(given: Given) -> None:
    capped = replace(COUNTING, cap=12.5)
    events = [sale("1", "ann", 25, 100), sale("2", "ann", 15, 100), sale("3", "ben", 10, 10)]
    back = sale("4", "ben", 9, 1000, type="refund")
    found = counted(
        given, [decision("ann", "new"), decision("ben", "new")], [*events, back], counting=capped
    )
    assert found.judged.to_dict() == {"ann": Decimal("12.5"), "ben": Decimal("-12.5")}
    assert found.before_judged["ann"] == Decimal("12.5") < found.before_margin["ann"]


def test_moments_are_those_of_the_members(given: Given) -> None:
    decisions = [decision(f"m{n}", "new" if n % 3 else "old") for n in range(40)]
    events = [sale(str(n), f"m{n}", 15, n * n + 1) for n in range(0, 40, 2)]
    tables = given.tables(decisions=decisions, events=events, offers=OFFERS)
    exposed = exposures(tables, COUNTING)
    members = members_outcomes(tables, exposed, COUNTING, tables.engine.keep)
    names = ("gain", "revenue", "converted", "sends")
    frame = members.execute()
    for group in grouped_moments(members, ("arm",), names):
        values = frame[frame.arm == group.key[0]][list(names)].to_numpy(dtype=np.float64)
        off = values - values.mean(axis=0)
        assert group.count == len(values)
        assert group.mean == pytest.approx(values.mean(axis=0))
        assert group.comoment == pytest.approx(off.T @ off)


def built(given: Given, at: datetime, stage: str, tier: str) -> Built:
    """A built view of one member, ann."""
    path = view_file(given.workspace, "lifecycle", at)
    path.parent.mkdir(parents=True, exist_ok=True)
    stamp = pa.array([at], pa.timestamp("us", tz="UTC"))
    row = {"member_id": ["ann"], "feature_time": stamp, "lifecycle": [stage], "value_tier": [tier]}
    pq.write_table(pa.table(row), path)
    return Built("", {"lifecycle": 1})


def test_segments_are_those_before_exposure(given: Given) -> None:
    moments = {
        ago(150): built(given, ago(150), "new", "gold"),
        ago(START): built(given, ago(START), "slipping", "bronze"),
        ago(START - 1): built(given, ago(START - 1), "lapsed", "none"),
    }
    BuildRecord({}, {}, moments).save(given.workspace)
    decisions = [
        decision("ann", "new"), decision("ben", "new"),
        decision("cat", "new", decided_at=ago(200)),
    ]  # fmt: skip
    tables = given.tables(decisions=decisions)
    known = with_segments(given.workspace, tables.engine, exposures(tables, COUNTING)).execute()
    known = known.set_index("member_id")
    assert known.loc["ann", ["lifecycle", "value_tier"]].tolist() == ["slipping", "bronze"]
    assert known.loc["ben", "lifecycle"] == known.loc["cat", "lifecycle"] == ""
