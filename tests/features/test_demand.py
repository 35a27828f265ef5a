from __future__ import annotations

import json
import math
from datetime import timedelta
from pathlib import Path

import pytest

from features.demand import Demand, DemandError, DemandQuestion, demand
from features.demand_segments import SegmentError
from features.workspace import Conventions, Workspace
from tests.features.given import AS_OF, Row, ago, events, write_batch

QUESTION = DemandQuestion(AS_OF, window_days=28)
HOSTILE = '=cmd|"<script>alert(1)</script>'
LONG_AGO: Row = {"member_id": "old", "type": "view", "occurred_at": ago(400), "category": "sea"}


def look(member: str, days: float, item: str, kind: str = "view", **more: object) -> Row:
    return {"member_id": member, "type": kind, "occurred_at": ago(days), "item_id": item, **more}


def several(count: int, days: float, item: str, first: int = 0, kind: str = "view") -> list[Row]:
    """As many members, from number ``first`` on, each with one event."""
    return [look(f"m{number:03d}", days, item, kind) for number in range(first, first + count)]


ITEMS: list[Row] = [
    {"item_id": f"{category}-{price}", "category": category, "price": price}
    for category in ("sea", HOSTILE)
    for price in (10, 20, 30, 40, 50)
]
MEMBERS: list[Row] = [
    {"member_id": f"m{number:03d}", "region": "north" if number < 200 else "south"}
    for number in range(300)
]


def shop(workspace: Workspace, rows: list[Row], ended: dict[str, float] | None = None) -> Workspace:
    """A shop with ``rows`` of events. ended: item to the days since it was delisted."""
    items = [
        {**item, "delisted_at": ago(ended[item["item_id"]])}
        if ended and item["item_id"] in ended
        else item
        for item in ITEMS
    ]
    write_batch(workspace, "items", items)
    write_batch(workspace, "members", MEMBERS)
    write_batch(workspace, "events", events(LONG_AGO, *rows))
    return workspace


def by_region(workspace: Workspace) -> Demand:
    return demand(workspace, DemandQuestion(AS_OF, window_days=28, segments=("region",)))


def _workspace(root: Path) -> Workspace:
    return Workspace(root, Conventions(default_margin_rate=0.5))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return _workspace(tmp_path / "workspace")


def worked_example() -> list[Row]:
    """Of what costs 30, 20 members of the north want some before and 80 now; the rest is steady."""
    steady = [
        row
        for days in (40.0, 20.0)
        for price in (10, 20, 40, 50)
        for category in ("sea", HOSTILE)
        for row in several(60, days, f"{category}-{price}")
    ]
    return [
        *steady,
        *several(60, 40, f"{HOSTILE}-30"),
        *several(60, 20, f"{HOSTILE}-30"),
        *several(20, 40, "sea-30"),
        *several(70, 20, "sea-30", first=60),
        *several(10, 3, "sea-30", first=130),
        # Five of those who look at what is gone buy something else there within 14 days.
        *[
            look(f"m{number:03d}", 8, "sea-40", "purchase", quantity=1.0, unit_price=40, margin=9)
            for number in range(60, 65)
        ],
    ]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The worked example, to be looked at only."""
    root = tmp_path_factory.mktemp("demand")
    return shop(_workspace(root), worked_example(), {"sea-30": 100})


@pytest.fixture(scope="module")
def told(example: Workspace) -> Demand:
    return by_region(example)


def test_a_worked_example(told: Demand) -> None:
    report = told.report
    assert report.cannot_say == report.unmet_cannot_say == ""
    (found,) = report.findings
    assert found.segment == {"region": "north"}
    assert (found.need.category, found.need.low, found.need.high) == ("sea", 30.0, 30.0)
    who = found.evidence
    assert (who.members, who.before, who.now) == (100, 20, 80)
    # The ten of three days ago have not had their 14 days; five of the others bought.
    assert (who.judged, who.bought, who.no_item, who.no_stock) == (70, 5, 65, 0)
    # Ten prices, two of which fall into one band: a fifth of 345 looks is more than 60. Nine needs,
    # eight of them steady; five look at 40 too, buying.
    earlier, later = 8 * 60 + 20, 8 * 60 + 80 + 5
    assert report.shop_growth == pytest.approx(later / earlier)
    z = math.log((80 + 15 * later / earlier) / 35 / (later / earlier))
    assert found.growth.beyond == pytest.approx(math.exp(z))
    assert found.growth.low == pytest.approx(
        math.exp(z - 1.645 * math.sqrt(1 / (80 + 15 * later / earlier) + 1 / 35))
    )
    mean = 65 / (8 * 60 + 70)  # nobody has had 14 days since buying
    assert report.mean_unmet == pytest.approx(mean)
    assert who.unmet_share == pytest.approx((65 + 30 * mean) / 100)
    assert found.score == pytest.approx(
        math.log(found.growth.low) * 80 * (65 + 30 * mean - 100 * mean) / 100 * 6.75
    )
    served = found.remedy
    assert (served.items_before, served.items_now, served.items_gone) == (1, 1, 0)
    assert (served.for_sale, served.nearest_band, served.nearest_low) == (0, 1, 10.0)
    # Nothing was bought at 30: that much of the price is left of what was bought in the category.
    assert served.margin == pytest.approx(9 / 40 * 30)


def test_members_are_told_those_who_go_without_first(told: Demand) -> None:
    rows = told.members.to_pylist()
    assert {row["rank"] for row in rows} == {1}
    assert [row["member_id"] for row in rows[:65]] == [f"m{n:03d}" for n in range(65, 130)]
    assert [row["unmet"] for row in rows[:65]] == [True] * 65
    # Five bought, and ten have not had their 14 days.
    assert sorted(str(row["unmet"]) for row in rows[65:]) == ["False"] * 5 + ["None"] * 10
    assert rows[0]["last_wanted_at"] == ago(20)
    assert told.report.findings[0].sample == ("m065", "m066", "m067", "m068", "m069")


def test_what_is_for_sale_is_no_finding(workspace: Workspace) -> None:
    shop(workspace, worked_example())
    report = by_region(workspace).report
    assert report.growing == 1
    assert report.findings == ()
    assert "every item counts as for sale" in report.notes[0]


def test_items_whose_offers_have_no_stock_left_serve_nobody(workspace: Workspace) -> None:
    shop(workspace, worked_example())
    offers = [{"offer_id": "gone", "kind": "gift", "item_ids": ["sea-30"], "stock": 0}]
    write_batch(workspace, "offers", offers)
    (found,) = by_region(workspace).report.findings
    assert (found.evidence.no_item, found.evidence.no_stock) == (0, 65)
    write_batch(
        workspace, "offers", [{"offer_id": "left", "kind": "gift", "item_ids": ["sea-30"]}], "b"
    )
    assert by_region(workspace).report.findings == ()


def test_searches_count_at_the_price_that_the_member_usually_looks_at(
    workspace: Workspace, told: Demand
) -> None:
    searching = {"type": "search", "item_id": None, "category": "sea", "query": "boat"}
    rows = [
        {**row, **searching} if row["item_id"] == "sea-30" and row["occurred_at"] == ago(3) else row
        for row in worked_example()
    ]
    hats = [look(f"m{number:03d}", 20, f"{HOSTILE}-30") for number in range(130, 140)]
    known = {**LONG_AGO, "event_id": "first search", "type": "search"}
    shop(workspace, [known, *rows, *hats], {"sea-30": 100})
    (found,) = by_region(workspace).report.findings
    # They looked at the second band of another category, and so they search here.
    assert found.need == told.report.findings[0].need
    assert (found.evidence.before, found.evidence.now) == (20, 80)


def test_the_future_is_invisible(workspace: Workspace, told: Demand) -> None:
    shop(workspace, worked_example(), {"sea-30": 100})
    later = [
        {**row, "event_id": f"late {row['member_id']}", "received_at": AS_OF + timedelta(hours=1)}
        for row in several(250, 5, "sea-10")
    ]
    future = [{**row, "event_id": f"next {row['member_id']}"} for row in several(250, -1, "sea-20")]
    write_batch(workspace, "events", [*later, *future], "b")
    news: list[Row] = [
        {"item_id": "sea-30", "category": "sea", "price": 30, "known_at": AS_OF},
        {"item_id": "sea-31", "category": "sea", "price": 31, "known_at": AS_OF},
    ]
    write_batch(workspace, "items", news, "b")
    moved = [{**row, "region": "moved", "known_at": AS_OF} for row in MEMBERS]
    write_batch(workspace, "members", moved, "b")
    again = by_region(workspace)
    assert again.report == told.report
    assert again.members.equals(told.members)


def test_members_stay_where_they_stood_when_the_windows_began(workspace: Workspace) -> None:
    shop(workspace, worked_example(), {"sea-30": 100})
    moved = [{**row, "region": "south", "updated_at": ago(30)} for row in MEMBERS]
    write_batch(workspace, "members", moved, "b")
    assert by_region(workspace).report.findings[0].segment == {"region": "north"}


def test_where_purchases_alone_tell_that_nobody_had_bought_it_is_no_growth(
    workspace: Workspace,
) -> None:
    priced = {"quantity": 1.0, "unit_price": 10.0, "margin": 2.0}
    rows = [
        look(f"m{number:03d}", days, f"{category}-{price}", "purchase", **priced)
        for category in ("sea", HOSTILE)
        for price in (10, 30, 50)
        # Half have always bought; of the others each begins at some time, and goes on.
        for days, first, last in ((100.0, 0, 150), (40.0, 0, 200), (20.0, 0, 300))
        for number in range(first, last)
    ]
    report = demand(shop(workspace, rows), QUESTION).report
    assert report.tested
    assert report.found == 0
    assert "who had not bought can only buy more" in report.notes[-1]


def test_purchases_alone_tell_growth_and_say_what_they_cannot_tell(workspace: Workspace) -> None:
    bought: list[Row] = [
        {**row, "type": "purchase", "quantity": 1.0, "unit_price": int(str(row["item_id"])[-2:])}
        for row in worked_example()
    ]
    shop(workspace, bought, {"sea-30": 100})
    write_batch(
        workspace, "events", [{**LONG_AGO, "event_id": "x", "type": "purchase"}, *events(*bought)]
    )
    report = by_region(workspace).report
    assert "purchases alone" in report.unmet_cannot_say
    assert report.mean_unmet is None
    (found,) = report.findings
    assert found.need.category == "sea"
    assert found.evidence.unmet_share is None
    assert found.remedy.at_stake is None
    assert found.score == pytest.approx(math.log(found.growth.low) * 80 * found.remedy.margin)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "nothing was searched"),
        ([look("m001", 30, "sea-30")], "views and carts begin on 2026-04-01"),
        ([LONG_AGO, look("m001", 3, "sea-30")], "nothing to compare with"),
        ([{**LONG_AGO, "category": None}], "nothing to compare with"),
    ],
)
def test_what_cannot_be_told_is_said(workspace: Workspace, rows: list[Row], reason: str) -> None:
    write_batch(workspace, "items", ITEMS)
    write_batch(workspace, "events", events(*rows))
    told = demand(workspace, QUESTION)
    assert reason in told.report.cannot_say
    assert told.report.findings == ()
    assert told.members.num_rows == 0


def test_a_declared_attribute_may_be_named_like_a_column_and_hold_anything(tmp_path: Path) -> None:
    workspace = Workspace(
        tmp_path, Conventions(attributes={"category": "category", "band": "flag"})
    )
    shop(workspace, worked_example(), {"sea-30": 100})
    rows = [{**row, "category": HOSTILE, "band": True} for row in MEMBERS[:200]]
    write_batch(workspace, "members", rows)
    question = DemandQuestion(AS_OF, window_days=28, segments=("category", "band"))
    (found,) = demand(workspace, question).report.findings
    assert found.segment == {"category": HOSTILE, "band": "yes"}


def test_a_report_is_plain_json(told: Demand) -> None:
    document = json.loads(json.dumps(told.report.to_json(), allow_nan=False))
    assert document["findings"][0]["need"]["category"] == "sea"
    assert document["as_of"] == AS_OF.isoformat()


def test_no_such_segment_is_said_with_what_there_is(example: Workspace) -> None:
    with pytest.raises(SegmentError, match="'shoe_size' is no category that members have"):
        demand(example, DemandQuestion(AS_OF, 28, segments=("shoe_size",)))
    with pytest.raises(SegmentError, match="wanted different names"):
        demand(example, DemandQuestion(AS_OF, 28, segments=("tier", "tier")))


def test_windows_leave_time_to_buy() -> None:
    with pytest.raises(DemandError, match="windows of 14 days, wanted 15 to 366"):
        DemandQuestion(AS_OF, window_days=14)


def searches(count: int, days: float, category: str) -> list[Row]:
    """Of as many members, without a price."""
    return [
        {"member_id": f"m{n:03d}", "type": "search", "occurred_at": ago(days), "category": category}
        for n in range(count)
    ]


def test_a_need_of_any_price_is_worth_what_an_order_earns(workspace: Workspace) -> None:
    """Members of whom no price is known search what nobody ever bought."""
    bought = [
        look(f"m{n}", 100, f"{where}-40", "purchase", quantity=1.0, unit_price=40, margin=earned)
        for n, where, earned in ((210, "sea", 9), (211, "sea", 3), (212, HOSTILE, 30))
    ]
    steady = [*searches(150, 40, "sea"), *searches(150, 20, "sea"), *searches(1, 400, "sea")]
    isle = [*searches(20, 40, "isle"), *searches(150, 20, "isle")]
    (found,) = by_region(shop(workspace, [*steady, *isle, *bought])).report.findings
    assert (found.need.category, found.need.band, found.evidence.no_item) == ("isle", 0, 150)
    assert found.remedy.margin == pytest.approx(42 / 3)


def test_where_nothing_tells_what_an_order_earns_the_report_says_so(workspace: Workspace) -> None:
    rows = [*searches(1, 400, "sea"), *searches(60, 40, "sea"), *searches(60, 20, "sea")]
    assert any("none can be ranked" in one for one in by_region(shop(workspace, rows)).report.notes)


def test_what_a_shop_begins_to_record_within_the_windows_is_no_growth(workspace: Workspace) -> None:
    """Views have long been known; searches come from half-way through, and of the sea alone."""
    steady = [
        row
        for days in (40, 20)
        for category in ("sea", HOSTILE)
        for row in several(60, days, f"{category}-30")
    ]
    report = by_region(shop(workspace, [*steady, *searches(200, 20, "sea")])).report
    assert (report.shop_growth, report.growing) == (1.0, 0)
    assert f"events of type search begin on {ago(20):%Y-%m-%d}" in report.notes[0]
