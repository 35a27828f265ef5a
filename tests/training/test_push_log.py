"""The log of past pushes: outcomes inside their windows, and what cannot be learned from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.ingest.load import ingest_rows
from features.workspace import Workspace
from tests.conftest import MarketWorkspace
from training.errors import TrainingError
from training.push_log import NO_SEND, push_log

SENT = datetime(2026, 1, 1, tzinfo=UTC)
LATER = SENT + timedelta(days=60)


def day(number: float) -> str:
    return (SENT + timedelta(days=number)).isoformat()


def put(workspace: Workspace, table: str, *rows: dict[str, Any]) -> None:
    report = ingest_rows(workspace, table, rows, "test")
    assert report.accepted == len(rows), report


def decision(member: str, offer: str | None, probability: float = 0.5) -> dict[str, Any]:
    return {
        "decision_id": f"d-{member}", "push_id": "new-year", "member_id": member,
        "offer_id": offer, "probability": probability, "decided_at": day(0),
    }  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """One push to four members with a window of 14 days, and nothing that followed yet."""
    made = Workspace(tmp_path)
    put(made, "offers", {"offer_id": "ten", "kind": "percent_off", "value": 10})
    put(
        made,
        "pushes",
        {
            "push_id": "new-year", "channel": "push", "send_at": day(0), "offer_ids": ["ten"],
            "attribution_days": 14,
        },
    )  # fmt: skip
    put(made, "decisions", *[decision(m, "ten" if m in "ab" else None) for m in "abcd"])
    put(made, "members", *[{"member_id": m} for m in "abcd"])
    put(made, "events", {"event_id": "e0", "member_id": "a", "type": "view", "occurred_at": day(0)})
    return made


def outcome(number: int, kind: str, at: float, **more: Any) -> dict[str, Any]:
    return {"event_id": f"o{number}", "type": kind, "occurred_at": day(at), **more}


def test_outcomes_count_inside_the_window_by_decision_or_by_member_and_push(
    workspace: Workspace,
) -> None:
    put(
        workspace,
        "outcomes",
        outcome(1, "converted", 2, decision_id="d-a", value=100, margin=30),
        outcome(2, "redeemed", 2, decision_id="d-a", value=10),
        outcome(3, "converted", 13, member_id="c", push_id="new-year", value=50, margin=20),
        outcome(4, "converted", 15, decision_id="d-b", value=70, margin=20),
    )
    log = push_log(workspace, LATER)
    assert log.rows["member_id"].tolist() == ["a", "b", "c", "d"]
    assert log.offer.tolist() == [0, 0, NO_SEND, NO_SEND]
    assert log.converted.tolist() == [True, False, True, False]
    assert log.redeemed.tolist() == [True, False, False, False]
    assert log.margin.tolist() == [30, 0, 20, 0]
    assert log.revenue.tolist() == [100, 0, 50, 0]
    assert log.coupon.tolist() == [10, 0, 0, 0]


def test_who_unsubscribed_inside_the_window_is_told_and_through_which_channel(
    workspace: Workspace,
) -> None:
    put(
        workspace,
        "outcomes",
        outcome(1, "unsubscribed", 2, decision_id="d-a"),
        outcome(2, "unsubscribed", 20, member_id="b", push_id="new-year"),
        outcome(3, "unsubscribed", 3, member_id="c", push_id="new-year"),
    )
    log = push_log(workspace, LATER)
    assert log.unsubscribed.tolist() == [True, False, True, False]
    assert log.channel.tolist() == ["push"] * 4


def test_where_no_conversion_is_reported_purchases_count_with_refunds_taken_off(
    workspace: Workspace,
) -> None:
    put(workspace, "items", {"item_id": "i", "margin_rate": 0.5, "price": 40})
    line = {"item_id": "i", "unit_price": 40, "quantity": 2}
    put(
        workspace,
        "events",
        {"event_id": "e1", "member_id": "a", "type": "purchase", "occurred_at": day(3), **line},
        {"event_id": "e2", "member_id": "a", "type": "refund", "occurred_at": day(5),
         "item_id": "i", "unit_price": 40, "quantity": 1},
        {"event_id": "e3", "member_id": "c", "type": "purchase", "occurred_at": day(4),
         "unit_price": 10, "discount": 2},
        {"event_id": "e4", "member_id": "d", "type": "purchase", "occurred_at": day(20), **line},
    )  # fmt: skip
    log = push_log(workspace, LATER)
    assert log.converted.tolist() == [True, False, True, False]
    assert log.revenue.tolist() == pytest.approx([40, 0, 8, 0])
    assert log.margin.tolist() == pytest.approx([20, 0, 8 * 0.3, 0])


def test_a_conversion_is_in_scope_when_the_push_is_about_what_was_bought(
    workspace: Workspace,
) -> None:
    put(
        workspace,
        "offers",
        {"offer_id": "tea", "kind": "content", "categories": ["tea"]},
        {"offer_id": "mug", "kind": "content", "item_ids": ["mug-1"]},
    )
    push = {"push_id": "teatime", "channel": "push", "send_at": day(0), "attribution_days": 14}
    put(workspace, "pushes", {**push, "offer_ids": ["tea", "mug"]})
    for member, offer in zip("abcd", ("tea", None, None, "mug"), strict=True):
        about = {**decision(member, offer), "push_id": "teatime", "decision_id": f"t-{member}"}
        put(workspace, "decisions", about)
    put(workspace, "items", {"item_id": "green", "category": "tea"})
    bought = {"type": "purchase", "occurred_at": day(3), "unit_price": 4}
    put(
        workspace,
        "events",
        {"event_id": "e1", "member_id": "a", "item_id": "green", **bought},
        {"event_id": "e2", "member_id": "b", "item_id": "mug-1", **bought},
        {"event_id": "e3", "member_id": "c", "category": "cakes", **bought},
    )
    log = push_log(workspace, LATER)
    everything = log.push == 0
    assert log.converted[~everything].tolist() == [True, True, True, False]
    assert log.in_scope[~everything].tolist() == [True, True, False, False]
    assert log.in_scope[everything].tolist() == log.converted[everything].tolist()


def test_a_window_that_is_still_open_is_not_learned_from(workspace: Workspace) -> None:
    with pytest.raises(TrainingError, match="no decisions of pushes whose attribution window"):
        push_log(workspace, SENT + timedelta(days=13))


def test_purchases_that_became_known_later_are_not_seen(workspace: Workspace) -> None:
    late = {"event_id": "e1", "member_id": "a", "type": "purchase", "occurred_at": day(3)}
    put(workspace, "events", {**late, "received_at": day(70)})
    assert push_log(workspace, LATER).converted.sum() == 0
    assert push_log(workspace, LATER + timedelta(days=30)).converted.sum() == 1


def test_the_margin_rate_is_that_of_the_newest_version_of_an_item(workspace: Workspace) -> None:
    for rate in (0.1, 0.5):
        put(workspace, "items", {"item_id": "i", "margin_rate": rate})
    put(
        workspace,
        "events",
        {"event_id": "e1", "member_id": "a", "type": "purchase", "occurred_at": day(3),
         "item_id": "i", "unit_price": 40},
    )  # fmt: skip
    versions_known = datetime.now(UTC) + timedelta(days=1)
    assert push_log(workspace, versions_known).margin.tolist() == [20, 0, 0, 0]
    assert push_log(workspace, LATER).margin.tolist() == [4, 0, 0, 0]


def sent(root: Path, *decisions: dict[str, Any], offers: tuple[str, ...] = ("ten",)) -> Workspace:
    """One push that offered ``ten``, with these decisions; ``offers`` are in the offers table."""
    made = Workspace(root)
    put(made, "offers", *[{"offer_id": o, "kind": "percent_off", "value": 10} for o in offers])
    push = {"push_id": "new-year", "channel": "push", "send_at": day(0), "offer_ids": ["ten"]}
    put(made, "pushes", push)
    put(made, "decisions", *decisions)
    return made


def test_a_log_without_members_left_out_is_refused(tmp_path: Path) -> None:
    workspace = sent(tmp_path, decision("a", "ten"), decision("b", "ten"))
    with pytest.raises(TrainingError, match="every one of the 2 past decisions sent something"):
        push_log(workspace, LATER)


def test_a_log_without_chance_is_refused(tmp_path: Path) -> None:
    workspace = sent(tmp_path, decision("a", "ten", 1.0), decision("b", None, 1.0))
    with pytest.raises(TrainingError, match="made with probability 1"):
        push_log(workspace, LATER)


@pytest.mark.parametrize("probability", [1.0, 0.0])
def test_a_log_without_chance_can_be_asked_for_and_knows_no_probability(
    tmp_path: Path, probability: float
) -> None:
    workspace = sent(tmp_path, decision("a", "ten", probability), decision("b", None, probability))
    log = push_log(workspace, LATER, observational=True)
    assert np.isnan(log.probability).all()
    assert not log.drawn


def test_where_chance_chose_asking_changes_nothing(workspace: Workspace) -> None:
    log = push_log(workspace, LATER, observational=True)
    assert log.drawn
    assert log.probability.tolist() == [0.5] * 4


def test_a_log_without_anybody_left_out_is_refused_however_it_is_asked_for(tmp_path: Path) -> None:
    workspace = sent(tmp_path, decision("a", "ten", 1.0), decision("b", "ten", 1.0))
    with pytest.raises(TrainingError, match="every one of the 2 past decisions sent something"):
        push_log(workspace, LATER, observational=True)


def test_each_decision_says_when_its_window_ends(workspace: Workspace) -> None:
    until = push_log(workspace, LATER).rows["until"]
    assert set(until) == {pd.Timestamp(SENT + timedelta(days=14))}


def test_an_offer_that_is_not_in_the_offers_table_is_named(tmp_path: Path) -> None:
    workspace = sent(tmp_path, decision("a", "ten"), decision("b", None), offers=("twenty",))
    with pytest.raises(TrainingError, match="offer 'ten' was a candidate of a past push"):
        push_log(workspace, LATER)


def test_decisions_without_a_choice_are_left_out(tmp_path: Path) -> None:
    barred = [decision(f"barred{n}", None, 1.0) for n in range(5)]
    workspace = sent(tmp_path, decision("a", "ten"), decision("b", None), *barred)
    assert push_log(workspace, LATER).rows["member_id"].tolist() == ["a", "b"]


@pytest.mark.slow
def test_a_long_log_is_thinned_by_whole_members(ingested: MarketWorkspace) -> None:
    whole = push_log(ingested.workspace, ingested.as_of)
    thin = push_log(ingested.workspace, ingested.as_of, most=len(whole) // 3)
    assert 0.2 * len(whole) < len(thin) < 0.5 * len(whole)
    kept = set(thin.rows["member_id"])
    of_kept = whole.rows["member_id"].isin(kept).sum()
    assert of_kept == len(thin)
