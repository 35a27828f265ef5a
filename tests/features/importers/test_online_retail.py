"""Online Retail: messy sheets in, clean events out, every line accounted for."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.importers.categories import LEAST_ITEMS, head_nouns
from features.importers.online_retail import import_online_retail
from features.ingest.redrive import quarantined
from features.workspace import Workspace, open_workspace
from tests.features.stored import stored

Line = tuple[str, str, str, int, str, float, float | None, str]
LAMP: Line = ("536365", "21730", "GLASS LAMP", 6, "2010-12-01 08:26:00", 4.25, 17850.0, "France")
BAG: Line = ("536365", "85123a", "LUNCH BAG", 2, "2010-12-01 08:26:00", 2.55, 17850.0, "France")


def first_sheet(path: Path, *lines: Line) -> Path:
    names = ["Invoice", *_NAMES, "Price", "Customer ID", "Country"]
    pq.write_table(pa.table(_columns(names, lines)), path)
    return path


def second_sheet(path: Path, *lines: Line) -> Path:
    """Other names, whole numbers for invoices, 0 for an unknown customer."""
    columns = _columns(["InvoiceNo", *_NAMES, "UnitPrice", "CustomerID", "Country"], lines)
    columns["InvoiceNo"] = [int(str(invoice)) for invoice in columns["InvoiceNo"]]
    columns["CustomerID"] = [customer or 0.0 for customer in columns["CustomerID"]]
    pq.write_table(pa.table(columns), path)
    return path


_NAMES = ("StockCode", "Description", "Quantity", "InvoiceDate")


def _columns(names: Sequence[str], lines: Sequence[Line]) -> dict[str, list[object]]:
    columns = zip(*lines, strict=True)
    return {name: list(values) for name, values in zip(names, columns, strict=True)}


def changed(line: Line, **values: object) -> Line:
    names = ("invoice", "stock", "title", "quantity", "moment", "price", "customer", "country")
    row = dict(zip(names, line, strict=True)) | values
    return tuple(row.values())  # type: ignore[return-value]  # the same fields in the same order


def test_a_line_is_an_event_in_utc(workspace: Workspace, tmp_path: Path) -> None:
    july = changed(LAMP, moment="2010-07-01 09:30:00")
    report = import_online_retail(workspace, [first_sheet(tmp_path / "a.parquet", july)])
    assert (report.sources.rows, report.sources.accepted) == (1, 1)
    [event] = stored(workspace, "events")
    assert event["occurred_at"] == datetime(2010, 7, 1, 8, 30, tzinfo=UTC)
    assert (event["member_id"], event["type"], event["order_id"]) == ("17850", "purchase", "536365")
    assert (event["quantity"], event["unit_price"]) == (6.0, Decimal("4.2500"))
    [member] = stored(workspace, "members")
    assert (member["member_id"], member["region"], member["joined_at"]) == ("17850", "France", None)
    [item] = stored(workspace, "items")
    assert (item["item_id"], item["title"]) == ("21730", "GLASS LAMP")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"customer": None}, "unknown_customer"),
        ({"customer": 0.0}, "unknown_customer"),
        ({"invoice": "A563185"}, "adjustment"),
        ({"stock": "POST"}, "adjustment"),
        ({"stock": "m"}, "adjustment"),
        ({"stock": "BANK CHARGES"}, "adjustment"),
        ({"stock": "ADJUST2"}, "adjustment"),
        ({"price": 0.0}, "adjustment"),
        ({"moment": "1/12/2010 8:26"}, "bad_time"),
    ],
)
def test_a_line_that_sells_nothing_to_anybody_is_quarantined_with_its_reason(
    workspace: Workspace, tmp_path: Path, values: dict[str, object], reason: str
) -> None:
    path = first_sheet(tmp_path / "a.parquet", LAMP, changed(BAG, **values))
    report = import_online_retail(workspace, [path])
    assert (report.sources.rows, report.sources.accepted) == (2, 1)
    assert report.sources.quarantined == {reason: 1}
    [entry] = quarantined(workspace, "online-retail")
    assert (entry.source, entry.line, entry.reason) == (str(path), 2, reason)
    assert [member["member_id"] for member in stored(workspace, "members")] == ["17850"]


@pytest.mark.parametrize("values", [{"invoice": "C536379", "quantity": -1}, {"quantity": -1}])
def test_a_cancellation_is_a_refund(
    workspace: Workspace, tmp_path: Path, values: dict[str, object]
) -> None:
    import_online_retail(workspace, [first_sheet(tmp_path / "a.parquet", changed(BAG, **values))])
    [event] = stored(workspace, "events")
    assert (event["type"], event["quantity"], event["item_id"]) == ("refund", -1.0, "85123A")


@pytest.mark.parametrize("order", list(itertools.permutations([0, 1, 2])))
@pytest.mark.parametrize("together", [True, False])
def test_overlapping_sheets_give_each_line_once_in_any_order(
    tmp_path: Path, order: tuple[int, ...], together: bool
) -> None:
    before = changed(LAMP, invoice="500000", moment="2009-12-01 07:45:00")
    after = changed(LAMP, invoice="581587", moment="2011-12-09 12:50:00")
    sheets = [
        first_sheet(tmp_path / "a.parquet", before, LAMP, LAMP, BAG),  # the lamp is there twice
        second_sheet(tmp_path / "b.parquet", BAG, LAMP, LAMP, after, changed(BAG, customer=None)),
        second_sheet(tmp_path / "c.parquet", before, BAG, LAMP, LAMP, after),
    ]
    workspace = open_workspace(tmp_path / "workspace")
    chosen = [sheets[index] for index in order]
    calls = [chosen] if together else [[sheet] for sheet in chosen]
    reports = [import_online_retail(workspace, paths) for paths in calls]
    assert sum(report.sources.rows for report in reports) == 14
    assert sum(report.sources.accepted for report in reports) == 5
    assert sum(report.sources.duplicate for report in reports) == 8
    assert len(stored(workspace, "events")) == 5


def test_the_workspace_remembers_how_public_data_are_read(
    workspace: Workspace, tmp_path: Path
) -> None:
    import_online_retail(workspace, [first_sheet(tmp_path / "a.parquet", LAMP)])
    conventions = open_workspace(workspace.root).conventions
    assert conventions.consent_when_missing
    assert conventions.default_margin_rate == 0.3


def test_a_csv_export_is_taken_and_another_file_is_refused_by_column(
    workspace: Workspace, tmp_path: Path
) -> None:
    good, bad = tmp_path / "a.csv", tmp_path / "b.csv"
    header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
    good.write_text(f"{header}\n536365,85123A,BAG,6,2010-12-01 08:26:00,2.55,17850,France\n")
    bad.write_text(f"{header},Colour\n")
    report = import_online_retail(workspace, [good, bad])
    assert report.sources.accepted == 1
    assert "b.csv: column 'Colour' is not in the contract of Online Retail" in (
        report.sources.files[1].refused
    )


def test_a_category_is_the_noun_that_a_title_ends_with() -> None:
    titles = [f"{colour} BAG" for colour in ("RED", "BLUE")] * (LEAST_ITEMS // 2)
    assert head_nouns([*titles, "LUNCH BAG RED RETROSPOT", "JUMBO BAGS", "ODD THING", "", None])[
        -5:
    ] == ["bag", "bag", None, None, None]


@pytest.mark.data
@pytest.mark.slow
def test_of_the_real_sheets_every_line_is_accounted_for(workspace: Workspace, data: Path) -> None:
    folder = data / "online_retail"
    raw = [folder / "raw_2009_2010.parquet", folder / "raw_2010_2011.parquet"]
    sources = import_online_retail(workspace, raw).sources
    assert sources.rows == 1_056_743
    assert sources.accepted + sources.duplicate + sum(sources.quarantined.values()) == sources.rows
    assert sources.quarantined["unknown_customer"] == 107_927 + 133_358
    joined = import_online_retail(workspace, [folder / "online_retail_2y_purchases.parquet"])
    assert joined.sources.rows == 1_019_652
    assert joined.sources.accepted == 0
    assert joined.sources.quarantined["unknown_customer"] == 228_608
    assert joined.sources.duplicate + sum(joined.sources.quarantined.values()) == 1_019_652
