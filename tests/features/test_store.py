"""Features through Feast: point in time for training, the same values online and in a snapshot."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from features.build import build_features
from features.encode import encoding
from features.store import (
    StoreError,
    apply,
    export_snapshot,
    materialize,
    online_row,
    training_frame,
)
from features.workspace import Workspace
from tests.features.given import AS_OF, Given, ago, events, small_shop, write_batch

BUILT = (ago(60), ago(30), AS_OF)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("shop"))
    small_shop(workspace)
    build_features(workspace, BUILT)
    return workspace


def asked(*pairs: tuple[str, datetime]) -> pd.DataFrame:
    return pd.DataFrame(
        [(f"row{number}", member, as_of) for number, (member, as_of) in enumerate(pairs)],
        columns=["row_id", "member_id", "as_of"],
    )


def stored(shop: Workspace, view: str, as_of: datetime) -> pd.DataFrame:
    files = (shop.features / view).glob("*.parquet")
    frame = pd.concat([pd.read_parquet(path) for path in files])
    return frame[frame["feature_time"] == as_of].set_index("member_id")


def test_registers_the_views_present(shop: Workspace) -> None:
    assert apply(shop) == (
        "purchases", "price", "clickstream", "affinity", "membership", "contacts", "lifecycle",
        "popularity", "offers",
    )  # fmt: skip


def test_no_class_of_feast_was_compiled_anew_to_check_types(shop: Workspace) -> None:
    import typeguard
    from feast import Entity, FeatureView

    apply(shop)
    for made in (Entity.__init__, FeatureView.__init__):
        assert not any("typeguard" in word for word in made.__code__.co_names)
        assert not any("check_argument" in word for word in made.__code__.co_names)
    assert typeguard.typechecked.__module__.startswith("typeguard")  # for others as it was


def test_rows_come_back_as_asked(shop: Workspace) -> None:
    rows = asked(("m005", AS_OF), ("m001", BUILT[0]), ("m005", BUILT[1]), ("m005", AS_OF))
    rows.index = pd.Index([7, 3, 9, 1])
    frame = training_frame(shop, "member", rows)
    pd.testing.assert_frame_equal(frame[["row_id", "member_id", "as_of"]], rows)
    for (_, row), got in zip(rows.iterrows(), frame["spend_life"], strict=True):
        wanted = stored(shop, "purchases", row["as_of"]).loc[row["member_id"], "spend_life"]
        assert got == wanted
    assert tuple(frame.columns[3:]) == encoding(shop).names


def test_a_row_sees_the_newest_build_before_it(shop: Workspace) -> None:
    between = BUILT[1] + timedelta(days=3)
    frame = training_frame(shop, "member", asked(("m001", between), ("m001", BUILT[1])))
    assert frame["tenure_days"].nunique() == 1


def test_a_build_made_today_is_seen_by_moments_long_past(shop: Workspace) -> None:
    # Its rows were created after every moment asked for; hiding them would empty training sets.
    frame = training_frame(shop, "member", asked(("m001", BUILT[0])))
    assert not math.isnan(frame["orders_life"][0])


def test_a_member_who_did_nothing_is_not_dropped(shop: Workspace) -> None:
    frame = training_frame(shop, "member", asked(("zoë", AS_OF), ("nobody", AS_OF)))
    assert frame["lifecycle"].tolist() == ["never_bought", None]
    assert frame["orders_life"][0] == 0
    assert math.isnan(frame["orders_life"][1])


def test_items_have_a_service_of_their_own(shop: Workspace) -> None:
    rows = pd.DataFrame({"row_id": [1], "item_id": ["i3"], "as_of": [AS_OF]})
    frame = training_frame(shop, "item", rows)
    assert frame["category"].tolist() == ["cat 3"]
    assert frame["price"].tolist() == [4.0]


def test_offers_have_a_service_of_their_own(shop: Workspace) -> None:
    rows = pd.DataFrame({"row_id": [1, 2], "offer_id": ["tips", "coupon"], "as_of": [AS_OF] * 2})
    frame = training_frame(shop, "offer", rows)
    assert frame["kind"].tolist() == ["content", "percent_off"]
    assert frame["contacts_life"][0] == 0 < frame["contacts_life"][1]
    assert math.isnan(frame["open_rate"][0])
    materialize(shop, AS_OF)
    online = online_row(shop, "offer", "coupon")
    assert online.pop("kind") == "percent_off"
    for name, value in online.items():
        assert value == pytest.approx(frame[name][1], nan_ok=True), name


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (asked(("m001", ago(61))), r"no features are built as of 2026-03-01.*first build is of"),
        (asked(("m001", AS_OF)).drop(columns="as_of"), r"rows have no column 'as_of'; found:"),
        (asked(("m001", AS_OF)).assign(as_of=datetime(2026, 5, 1)), r"as_of has no offset"),  # noqa: DTZ001 a naive time is the mistake under test
        (asked(("m001", AS_OF)).assign(as_of=pd.Series([pd.NaT])), r"as_of is missing in a row"),
        (asked(("m001", AS_OF), ("m002", AS_OF)).assign(row_id=1), r"row_id is not unique"),
        (asked(("m001", AS_OF))[:0], r"no rows were asked for"),
    ],
)
def test_wrong_rows_are_refused(shop: Workspace, rows: pd.DataFrame, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        training_frame(shop, "member", rows)


def test_an_unknown_service_is_named(shop: Workspace) -> None:
    with pytest.raises(StoreError, match=r"no feature service 'offers'; there are: member, item"):
        training_frame(shop, "offers", asked(("m001", AS_OF)))


def test_materialising_says_nothing(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    materialize(shop, AS_OF)
    assert capsys.readouterr().out == ""


def test_an_unknown_member_is_missing_online(shop: Workspace) -> None:
    materialize(shop, AS_OF)
    row = online_row(shop, "member", "nobody")
    assert row["lifecycle"] is None
    assert isinstance(row["recency_days"], float)
    assert math.isnan(row["recency_days"])


def test_a_snapshot_needs_a_build_of_its_moment(shop: Workspace) -> None:
    with pytest.raises(StoreError, match=r"run `pushwise features build --as-of 2026-04-30T"):
        export_snapshot(shop, ago(1))


def test_a_store_without_features_says_how_to_build_them(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"run `pushwise features build` first"):
        apply(Workspace(tmp_path))


def test_a_view_that_is_gone_leaves_the_service(given: Given) -> None:
    workspace = given.workspace
    small_shop(workspace, members=8)
    build_features(workspace, [AS_OF])
    apply(workspace)
    (workspace.tables / "decisions" / "a.parquet").unlink()
    build_features(workspace, [AS_OF])
    frame = training_frame(workspace, "member", asked(("m001", AS_OF)))
    assert "contacts_30d" not in frame.columns


def test_what_is_learned_later_does_not_reach_a_past_training_row(given: Given) -> None:
    workspace = given.workspace
    small_shop(workspace, members=8)
    build_features(workspace, [ago(30)])
    rows = asked(("m001", ago(30)), ("m002", ago(30)))
    before = training_frame(workspace, "member", rows)
    late = {"member_id": "m001", "type": "purchase", "unit_price": 999, "category": "cat 1"}
    poison = [
        {**late, "occurred_at": ago(20)},
        {**late, "occurred_at": ago(40), "received_at": ago(10)},
    ]
    more = [{**row, "event_id": f"late{place}"} for place, row in enumerate(events(*poison))]
    write_batch(workspace, "events", more, "b")
    build_features(workspace, [ago(30), datetime(2026, 5, 2, tzinfo=UTC)])
    pd.testing.assert_frame_equal(training_frame(workspace, "member", rows), before)
