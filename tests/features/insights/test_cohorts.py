"""New members by cohort: who bought, what, and who came back by when."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.insights.buying import first_purchases, month_of
from features.insights.cohorts import new_members
from features.workspace import Workspace
from tests.features.given import Given, Row, events, found, write_batch

START = datetime(2026, 1, 1, tzinfo=UTC)
AS_OF = datetime(2026, 8, 1, tzinfo=UTC)


def bought(member: str, day: float, price: float = 10, **more: Any) -> Row:
    return {"member_id": member, "type": "purchase", "occurred_at": START + timedelta(days=day),
            "unit_price": price, **more}  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """40 joined on 1 May: half bought 10 days later, and half of those again after 20 more; 40
    joined on 20 July, and nobody has bought."""
    workspace = Workspace(tmp_path_factory.mktemp("cohorts"))
    spring = [{"member_id": f"s{n}", "joined_at": START + timedelta(days=120)} for n in range(40)]
    summer = [{"member_id": f"j{n}", "joined_at": START + timedelta(days=200)} for n in range(40)]
    rows = [bought("early", 0), *(bought(f"s{n}", 130, 10 + n) for n in range(20))]
    rows += [bought(f"s{n}", 150) for n in range(10)]
    # Other ways to spell the same: more lines of an order, an order of the same day, a refund.
    rows += [bought("s0", 130.1, 3), {**bought("s0", 131), "type": "refund"}]
    write_batch(workspace, "events", events(*rows))
    write_batch(workspace, "members", [*spring, *summer])
    return workspace


@pytest.fixture(scope="module")
def document(shop: Workspace) -> dict[str, Any]:
    return new_members(shop, AS_OF)


def test_a_cohort_by_hand(document: dict[str, Any]) -> None:
    spring = document["by_joining"]["cohorts"][0]
    assert (spring["month"], spring["members"], spring["buyers"]) == ("2026-05", 40, 20)
    assert spring["conversion"]["30"]["value"] == pytest.approx(0.5)
    assert spring["basket"]["told"] == "20 members, wanted 30"
    assert spring["second"]["30"]["told"] == "20 members bought first, wanted 30"


def test_a_cohort_that_has_just_joined_is_too_early_to_tell(document: dict[str, Any]) -> None:
    summer = document["by_joining"]["cohorts"][1]
    assert (summer["month"], summer["members"], summer["buyers"]) == ("2026-07", 40, 0)
    assert summer["conversion"]["30"]["reason"] == "too_early"


def test_the_document_is_plain_json(document: dict[str, Any]) -> None:
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_who_has_not_bought_again_is_watched_on_and_not_counted_as_having(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    rows = [bought("early", 0), *(bought(f"m{n}", 100) for n in range(60))]
    rows += [bought(f"m{n}", 105) for n in range(15)]
    write_batch(workspace, "events", events(*rows))
    document = new_members(workspace, AS_OF)
    assert document["by_joining"]["reason"] == "no_joining_dates"
    (cohort,) = [c for c in document["by_first_purchase"]["cohorts"] if c["members"] > 1]
    assert cohort["second"]["30"]["value"] == pytest.approx(0.25)
    second, third, _ = document["curves"]
    assert [one["value"] for one in second["points"][:2]] == pytest.approx([0.0, 0.25])
    assert {one["value"] for one in third["points"]} == {0.0}


def test_first_purchases_are_days_with_an_order(given: Given) -> None:
    rows = events(
        bought("anna", 1.0, 5, order_id="a"), bought("anna", 3.5, 7, order_id="a"),
        bought("anna", 1.2, 2, order_id="b"), bought("anna", 9.0, 4), bought("anna", 20, 4),
        bought("anna", 30, 4), bought("anna", 31, 4), {**bought("ben", 2), "type": "refund"},
        bought("cleo", 5, known_at=AS_OF),
    )  # fmt: skip
    given.tables(events=rows)
    from features.insights.moved import ground
    from features.progress import silent

    with ground(given.workspace, silent) as (_, rolled):
        table = found(first_purchases(rolled.lines, AS_OF))
    day = (START - datetime(1970, 1, 1, tzinfo=UTC)).days
    assert table.index.tolist() == ["anna"]  # ben bought nothing, of cleo nothing is known yet
    row = table.loc["anna"]
    assert row.basket == 14.0
    assert [row[f"bought_{n}"] - day for n in (1, 2, 3, 4)] == [1, 9, 20, 30]


def test_months_are_those_of_the_calendar(given: Given) -> None:
    given.tables(events=events(*(bought(f"m{n}", n * 13.7) for n in range(60))))
    from features.insights.moved import ground
    from features.progress import silent

    with ground(given.workspace, silent) as (_, rolled):
        lines = rolled.lines.select("day", "second", month=month_of(rolled.lines.day)).execute()
    for second, month in zip(lines.second, lines.month, strict=True):
        when = datetime.fromtimestamp(second, UTC)
        assert month == when.year * 12 + when.month - 1


def test_what_members_bought_before_they_joined_is_no_conversion(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    rows = [bought("early", 0), *(bought(f"m{n}", 20 + n % 3) for n in range(60))]
    rows += [bought(f"m{n}", 130) for n in range(15)]
    write_batch(workspace, "events", events(*rows))
    joined = START + timedelta(days=120)
    members = [{"member_id": f"m{n}", "joined_at": joined} for n in range(60)]
    write_batch(workspace, "members", members)
    (cohort,) = new_members(workspace, AS_OF)["by_joining"]["cohorts"]
    assert (cohort["members"], cohort["buyers"]) == (60, 15)
    assert cohort["conversion"]["30"]["value"] == pytest.approx(0.25)
