"""Clickstreams: each source row one event, once."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from features.importers.clickstream import import_rees46, import_retailrocket
from features.ingest.redrive import quarantined
from features.workspace import Workspace
from tests.features.stored import stored

REES46 = (
    "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"
)
RETAILROCKET = "timestamp,visitorid,event,itemid,transactionid"


def written(path: Path, *lines: str) -> Path:
    text = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def test_rees46_rows_are_views_carts_and_purchases(workspace: Workspace, tmp_path: Path) -> None:
    path = written(
        tmp_path / "oct.csv.gz", REES46,
        "2019-10-01 00:00:00 UTC,view,1,9,appliances.kitchen.kettle,aqua,33.20,m1,s1",
        "2019-10-01 00:00:05 UTC,cart,1,9,appliances.kitchen.kettle,aqua,33.20,m1,s1",
        "2019-10-01 00:01:00 UTC,purchase,1,9,appliances.kitchen.kettle,aqua,30.00,m1,s1",
        "2019-10-01 00:01:00 UTC,purchase,1,9,appliances.kitchen.kettle,aqua,30.00,m1,s1",
        "2019-10-01 00:02:00 UTC,remove_from_cart,2,9,,,0.00,m2,",
        "2019-10-01 00:02:00,view,2,9,,,5,m2,s2",
        "2019-10-01 00:02:00 UTC,hover,2,9,,,5,m2,s2",
    )  # fmt: skip
    sources = import_rees46(workspace, [path]).sources
    assert (sources.rows, sources.accepted, sources.duplicate) == (7, 4, 1)
    assert sources.quarantined == {"naive_time": 1, "unknown_enum": 1}
    assert [(entry.line, entry.text[:19]) for entry in quarantined(workspace, "rees46")] == [
        (7, "2019-10-01 00:02:00"), (8, "2019-10-01 00:02:00"),
    ]  # fmt: skip
    events = sorted(stored(workspace, "events"), key=lambda event: event["occurred_at"])
    assert [event["type"] for event in events] == [
        "view", "add_to_cart", "purchase", "remove_from_cart",
    ]  # fmt: skip
    assert (events[2]["quantity"], events[2]["unit_price"]) == (1.0, Decimal(30))
    assert (events[2]["order_id"], events[1]["order_id"]) == ("s1", None)
    assert events[0]["occurred_at"] == datetime(2019, 10, 1, tzinfo=UTC)
    kettle, other = stored(workspace, "items")
    assert (kettle["category"], kettle["subcategory"]) == (
        "appliances",
        "appliances.kitchen.kettle",
    )
    assert (kettle["price"], other["category"]) == (Decimal(30), None)


def test_retailrocket_rows_are_views_carts_and_purchases(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = written(
        tmp_path / "events.csv", RETAILROCKET,
        "1433221332117,257597,view,355908,",
        "1433224214164,992329,addtocart,248676,",
        "1433222276276,599528,transaction,356475,4000",
        "1433222276276,599528,transaction,356475,4000",
        "yesterday,599528,view,356475,",
        "99999999999999999,599528,view,356475,",
    )  # fmt: skip
    sources = import_retailrocket(workspace, [path]).sources
    assert (sources.rows, sources.accepted, sources.duplicate) == (6, 3, 1)
    assert sources.quarantined == {"bad_integer": 1, "missing_value": 1}
    events = sorted(stored(workspace, "events"), key=lambda event: event["occurred_at"])
    assert [event["type"] for event in events] == ["view", "purchase", "add_to_cart"]
    assert events[1]["occurred_at"] == datetime(2015, 6, 2, 5, 17, 56, 276_000, tzinfo=UTC)
    assert (events[1]["order_id"], events[1]["quantity"]) == ("4000", 1.0)


def test_a_truncated_month_is_left_out_and_the_others_go_in(
    workspace: Workspace, tmp_path: Path
) -> None:
    rows = [f"{1433221332117 + n},{n * 7919 % 1009},view,{n}," for n in range(100_000)]
    whole = written(tmp_path / "may.csv.gz", RETAILROCKET, *rows)
    half = tmp_path / "june.csv.gz"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    sources = import_retailrocket(workspace, [half, whole]).sources
    assert "june.csv.gz: the gzip data are truncated" in sources.files[0].refused
    assert (sources.rows, sources.accepted) == (100_000, 100_000)


@pytest.mark.data
def test_the_real_sample_is_taken_whole_and_once(workspace: Workspace, data: Path) -> None:
    path = data / "rees46" / "2019-Oct-sample.csv"
    first = import_rees46(workspace, [path]).sources
    again = import_rees46(workspace, [path]).sources
    assert (first.rows, first.accepted) == (1000, 1000)
    assert (again.accepted, again.duplicate) == (0, 1000)
