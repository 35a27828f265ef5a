"""Files in, contract tables out: what is taken, what is refused, and that nothing is lost."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.contract import TABLES, ContractError
from features.ingest.load import ingest, ingest_arrow, ingest_rows
from features.ingest.redrive import quarantined
from features.ingest.report import IngestReport
from features.workspace import Conventions, Workspace, open_workspace
from tests.features.stored import stored

EVENTS = "event_id,member_id,type,occurred_at,item_id,quantity,unit_price"
MAY = "2026-05-01T09:30:00+00:00"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return open_workspace(tmp_path / "workspace")


def written(path: Path, *lines: str) -> Path:
    text = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def event(number: int, **values: str) -> str:
    """A CSV line with header ``EVENTS``."""
    row = {
        "event_id": f"e{number}", "member_id": "m1", "type": "purchase", "occurred_at": MAY,
        "item_id": "i1", "quantity": "1", "unit_price": "9.99",
    }  # fmt: skip
    return ",".join((row | values).values())


def counts(report: IngestReport) -> tuple[int, int, int, Mapping[str, int]]:
    return report.rows, report.accepted, report.duplicate, report.quarantined


def test_a_csv_row_is_stored_with_its_types(workspace: Workspace, tmp_path: Path) -> None:
    report = ingest(workspace, "events", [written(tmp_path / "may.csv", EVENTS, event(1))])
    assert counts(report) == (1, 1, 0, {})
    [row] = stored(workspace)
    assert (row["event_id"], row["quantity"], row["unit_price"]) == ("e1", 1.0, Decimal("9.9900"))
    assert row["occurred_at"] == row["known_at"] == datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
    assert row["category"] is None


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.ndjson.gz", "a.parquet"])
def test_all_formats_give_the_same_rows(workspace: Workspace, tmp_path: Path, name: str) -> None:
    row = {"event_id": "e1", "member_id": "m1", "type": "view", "occurred_at": MAY, "item_id": "7"}
    path = tmp_path / name
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist([row]), path)
    elif "csv" in name:
        written(path, ",".join(row), ",".join(row.values()))
    else:
        written(path, json.dumps(row))
    first = ingest(workspace, "events", [path])
    again = ingest_rows(workspace, "events", [row], "python")
    arrow = ingest_arrow(workspace, "events", [pa.Table.from_pylist([row])], "arrow")
    assert [r.accepted for r in (first, again, arrow)] == [1, 0, 0]
    assert [r.duplicate for r in (first, again, arrow)] == [0, 1, 1]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (EVENTS + ",colour", "column 'colour' is not in the contract of events; rename or drop it"),
        ("event_id,member_id,type", "required column 'occurred_at' of events is missing"),
        (EVENTS + ",type", "column 'type' appears twice"),
    ],
)
def test_a_wrong_header_refuses_that_file_by_name(
    workspace: Workspace, tmp_path: Path, header: str, says: str
) -> None:
    bad = written(tmp_path / "bad.csv", header, event(1))
    good = written(tmp_path / "good.csv", EVENTS, event(2))
    report = ingest(workspace, "events", [bad, good])
    assert f"{bad}: {says}" in report.files[0].refused
    assert [row["event_id"] for row in stored(workspace)] == ["e2"]
    assert counts(report) == (1, 1, 0, {})


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.csv", b"", "the file is empty; wanted a header line"),
        ("empty.jsonl", b"", "the file is empty; wanted one JSON object a line"),
        ("empty.parquet", b"", "not readable as parquet"),
        ("half.parquet", b"PAR1 and then nothing", "not readable as parquet"),
        ("wide.csv", "event_id,member_id".encode("utf-16"), "the file is UTF-16; save it as UTF-8"),
        ("old.csv", "catégorie\n".encode("latin-1"), "the header is not UTF-8"),
        ("plain.csv.gz", b"event_id,member_id\n", "truncated or damaged"),
        ("notes.txt", b"hello", "the name does not say what is inside; wanted .csv"),
    ],
)
def test_an_unreadable_file_is_refused_and_the_others_go_in(
    workspace: Workspace, tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    bad = tmp_path / name
    bad.write_bytes(content)
    good = written(tmp_path / "good.csv", EVENTS, event(2))
    report = ingest(workspace, "events", [bad, tmp_path / "missing.csv", good])
    assert str(bad) in report.files[0].refused
    assert says in report.files[0].refused
    assert "missing.csv: no such file" in report.files[1].refused
    assert [row["event_id"] for row in stored(workspace)] == ["e2"]


def test_of_a_truncated_gzip_nothing_is_taken_and_the_whole_file_later(
    workspace: Workspace, tmp_path: Path
) -> None:
    rows = [event(n, member_id=f"{n * 7919 % 10007:x}") for n in range(100_000)]
    whole = written(tmp_path / "whole.csv.gz", EVENTS, "broken", *rows)
    half = tmp_path / "half.csv.gz"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    good = written(tmp_path / "good.csv", EVENTS, event(100_001))
    report = ingest(workspace, "events", [half, good])
    assert "the gzip data are truncated or damaged" in report.files[0].refused
    assert "nothing of this file was taken: fetch it again and re-run" in report.files[0].refused
    assert counts(report) == (1, 1, 0, {})
    assert list(quarantined(workspace, "events")) == []
    assert counts(ingest(workspace, "events", [whole])) == (
        100_001, 100_000, 0, {"wrong_fields": 1},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "reason", "message"),
    [
        ({"occurred_at": "2026-05-01 09:30"}, "naive_time",
         "occurred_at has no offset; add one (…+00:00) or give the file's time zone"),
        ({"quantity": "-2"}, "negative_quantity",
         "quantity is -2 in a purchase; only a refund may be negative"),
        ({"type": "bought"}, "unknown_enum", "type is none of view, search"),
        ({"member_id": ""}, "missing_value", "member_id is required"),
        ({"unit_price": "cheap"}, "bad_money", "unit_price is not a number"),
        ({"unit_price": "-1"}, "out_of_range", "unit_price is below 0"),
        ({"item_id": "a,b"}, "wrong_fields", "the row has 8 fields, the header 7"),
        ({"item_id": '"open'}, "bad_csv", "the row has a quote that never closes"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_quarantined_with_its_reason_and_the_others_go_in(
    workspace: Workspace, tmp_path: Path, values: dict[str, str], reason: str, message: str
) -> None:
    bad = event(2, **values)
    path = written(tmp_path / "may.csv", EVENTS, event(1), bad, event(3))
    report = ingest(workspace, "events", [path])
    assert counts(report) == (3, 2, 0, {reason: 1})
    [entry] = quarantined(workspace, "events")
    assert (entry.source, entry.line, entry.reason, entry.text) == (str(path), 3, reason, bad)
    assert message in entry.message
    assert [row["event_id"] for row in stored(workspace)] == ["e1", "e3"]


def test_a_row_that_is_not_utf8_is_quarantined_alone(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "may.csv"
    lines = [EVENTS, event(1), event(2, item_id="café"), event(3, item_id="thé")]
    path.write_bytes("\n".join(lines[:3]).encode("latin-1") + f"\n{lines[3]}\n".encode())
    report = ingest(workspace, "events", [path])
    assert counts(report) == (3, 2, 0, {"bad_encoding": 1})
    [entry] = quarantined(workspace, "events")
    assert entry.line == 3
    assert "caf\\xe9" in entry.text
    assert stored(workspace)[1]["item_id"] == "thé"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"event_id": "e2"', "bad_json"),
        ("[1, 2]", "bad_json"),
        ('{"event_id": NaN}', "bad_json"),
        ("[" * 100_000, "bad_json"),
        ('{"event_id": "e2", "colour": "red"}', "unknown_column"),
        ('{"event_id": "e2", "member_id": "a\\u0000b"}', "bad_id"),
    ],
)
def test_a_wrong_json_line_is_quarantined_alone(
    workspace: Workspace, tmp_path: Path, line: str, reason: str
) -> None:
    good = {"event_id": "e1", "member_id": "m1", "type": "view", "occurred_at": MAY}
    path = written(tmp_path / "may.jsonl", json.dumps(good), "", line)
    report = ingest(workspace, "events", [path])
    assert counts(report) == (2, 1, 0, {reason: 1})
    assert [entry.line for entry in quarantined(workspace, "events")] == [3]


def test_quoted_line_ends_blank_lines_and_windows_line_ends_are_read(
    workspace: Workspace, tmp_path: Path
) -> None:
    lines = [EVENTS, event(1, item_id='"two\nlines"'), "", event(2, item_id='"7"" lamp"'), "x,y"]
    path = tmp_path / "may.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    report = ingest(workspace, "events", [path])
    assert counts(report) == (3, 2, 0, {"wrong_fields": 1})
    assert [row["item_id"] for row in stored(workspace)] == ["two\nlines", '7" lamp']
    assert [entry.line for entry in quarantined(workspace, "events")] == [6]


def test_a_stray_quote_costs_one_row_not_the_rest_of_the_file(
    workspace: Workspace, tmp_path: Path
) -> None:
    rows = [event(n) for n in range(5000)]
    rows[7] = event(7, item_id='"never closed')
    report = ingest(workspace, "events", [written(tmp_path / "may.csv", EVENTS, *rows)])
    assert counts(report) == (5000, 4999, 0, {"bad_csv": 1})
    assert [entry.line for entry in quarantined(workspace, "events")] == [9]


def test_times_without_an_offset_are_taken_in_the_files_time_zone(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = written(tmp_path / "may.csv", EVENTS, event(1, occurred_at="2026-05-01 09:30:00"))
    ingest(workspace, "events", [path], timezone=ZoneInfo("Europe/London"))
    assert stored(workspace)[0]["occurred_at"] == datetime(2026, 5, 1, 8, 30, tzinfo=UTC)


def test_the_same_file_again_is_all_duplicates_and_quarantined_once(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = written(tmp_path / "may.csv", EVENTS, event(1), event(2, quantity="-2"), event(1))
    first = ingest(workspace, "events", [path])
    copy = tmp_path / "copy.csv"
    copy.write_bytes(path.read_bytes())
    again = ingest(workspace, "events", [copy])
    assert counts(first) == (3, 1, 1, {"negative_quantity": 1})
    assert counts(again) == (3, 0, 2, {"negative_quantity": 1})
    assert len(stored(workspace)) == 1
    assert len(list(quarantined(workspace, "events"))) == 1


def test_the_same_id_with_other_content_is_a_conflict_and_the_first_is_kept(
    workspace: Workspace, tmp_path: Path
) -> None:
    ingest(workspace, "events", [written(tmp_path / "a.csv", EVENTS, event(1))])
    second = written(
        tmp_path / "b.csv", EVENTS,
        event(1, quantity="3"), event(2), event(2, item_id="other"), event(2),
    )  # fmt: skip
    report = ingest(workspace, "events", [second])
    assert counts(report) == (4, 1, 1, {"conflict": 2})
    assert [(row["event_id"], row["quantity"]) for row in stored(workspace)] == [
        ("e1", 1.0), ("e2", 1.0),
    ]  # fmt: skip
    entries = list(quarantined(workspace, "events"))
    assert [entry.line for entry in entries] == [2, 4]
    assert "event_id 'e1' is already there with other content" in entries[0].message
    ingest(workspace, "events", [second])
    assert len(list(quarantined(workspace, "events"))) == 2


def test_a_second_delivery_of_an_event_is_a_duplicate(workspace: Workspace) -> None:
    row = {"event_id": "e1", "member_id": "m1", "type": "view", "occurred_at": MAY}
    late = [{**row, "received_at": f"2026-05-02T0{hour}:00:00Z"} for hour in (1, 2)]
    report = ingest_rows(workspace, "events", late, "stream")
    assert counts(report) == (2, 1, 1, {})
    assert stored(workspace)[0]["known_at"] == datetime(2026, 5, 2, 1, tzinfo=UTC)


def test_other_content_of_an_item_is_a_newer_version(workspace: Workspace) -> None:
    def price(*prices: float) -> IngestReport:
        rows = [{"item_id": "i1", "price": price} for price in prices]
        return ingest_rows(workspace, "items", rows, "catalogue")

    before = datetime.now(UTC)
    assert counts(price(5, 6, 5)) == (3, 2, 1, {})
    assert counts(price(6)) == (1, 0, 1, {})
    assert counts(price(7)) == (1, 1, 0, {})
    rows = sorted(stored(workspace, "items"), key=lambda row: Decimal(row["price"]))
    assert rows[0]["known_at"] is None
    assert before < rows[1]["known_at"] < rows[2]["known_at"] < datetime.now(UTC)


def test_two_contents_of_a_member_at_one_moment_are_a_conflict(workspace: Workspace) -> None:
    def member(tier: str, at: str | None) -> dict[str, object]:
        return {"member_id": "m1", "tier": tier, "updated_at": at}

    june = "2026-06-01T00:00:00Z"
    report = ingest_rows(workspace, "members", [member("gold", MAY), member("silver", june)], "crm")
    assert counts(report) == (2, 2, 0, {})
    later = [member("gold", MAY), member("bronze", june), member("bronze", None)]
    report = ingest_rows(workspace, "members", later, "crm")
    assert counts(report) == (3, 1, 1, {"conflict": 1})
    rows = stored(workspace, "members")
    assert [row["tier"] for row in rows] == ["gold", "silver", "bronze"]
    assert rows[1]["known_at"] == datetime(2026, 6, 1, tzinfo=UTC)


def test_a_declared_attribute_is_a_column_and_an_undeclared_one_is_refused(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = written(tmp_path / "m.csv", "member_id,income", "m1,1200.5")
    [file] = ingest(workspace, "members", [path]).files
    assert "column 'income' is not in the contract of members" in file.refused
    assert "declare it under [members.attributes]" in file.refused
    declared = Workspace(workspace.root, Conventions({"income": "number"}))
    assert ingest(declared, "members", [path]).accepted == 1
    assert stored(declared, "members")[0]["income"] == 1200.5


def test_declaring_an_attribute_does_not_change_what_was_stored(workspace: Workspace) -> None:
    row = {"member_id": "m1", "tier": "gold"}
    ingest_rows(workspace, "members", [row], "crm")
    declared = Workspace(workspace.root, Conventions({"income": "number"}))
    assert counts(ingest_rows(declared, "members", [row], "crm")) == (1, 0, 1, {})


def test_a_decision_of_before_experiments_keeps_its_digest(workspace: Workspace) -> None:
    made = {
        "decision_id": "d1", "push_id": "spring", "member_id": "m1", "offer_id": "ten",
        "probability": 0.5, "decided_at": "2026-05-01T00:00:00Z", "candidates": ["ten"],
        "arm": "policy",
    }  # fmt: skip
    ingest_rows(workspace, "decisions", [made], "the log")
    [row] = stored(workspace, "decisions")
    assert (row["experiment"], row["digest"]) == (None, "632790c6bff2a32f")
    again = ingest_rows(workspace, "decisions", [{**made, "experiment": "x"}], "the log")
    assert again.quarantined == {"conflict": 1}, "the same decision in an experiment is another"


def test_an_unknown_table_is_refused_with_the_known_ones(workspace: Workspace) -> None:
    with pytest.raises(ContractError, match="no table 'orders' in the contract; it has: members"):
        ingest(workspace, "orders", [])


def test_arrow_with_a_wrong_column_is_refused(workspace: Workspace) -> None:
    with pytest.raises(ContractError, match="market: column 'colour' is not in the contract"):
        ingest_arrow(workspace, "items", [pa.table({"item_id": ["a"], "colour": ["b"]})], "market")
    assert not list((workspace.root / "staging").glob("*/"))


def test_a_workspace_with_a_quote_in_its_name_works(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "it's here")
    rows = [{"item_id": "i1", "price": 1}, {"item_id": "i1", "price": 2}]
    assert ingest_rows(workspace, "items", rows, "a").accepted == 2
    assert ingest_rows(workspace, "items", rows, "b").duplicate == 2


ROW = st.one_of(
    st.builds(
        lambda n, q: event(n, quantity=str(q)), st.integers(1, 6), st.sampled_from([1, 2, -1])
    ),
    st.sampled_from(["", "x", '"', event(1, type="sold"), event(2, occurred_at="2026-05-01")]),
)


@given(st.lists(st.lists(ROW, max_size=8), min_size=1, max_size=3))
@settings(max_examples=20, deadline=None)
def test_every_row_ends_as_accepted_duplicate_or_quarantined(
    tmp_path_factory: pytest.TempPathFactory, files: Sequence[Sequence[str]]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    workspace = open_workspace(folder / "workspace")
    paths = [written(folder / f"{n}.csv", EVENTS, *rows) for n, rows in enumerate(files)]
    first = ingest(workspace, "events", paths)
    again = ingest(workspace, "events", paths)
    for report in (first, again):
        assert report.accepted + report.duplicate + sum(report.quarantined.values()) == report.rows
    rows = stored(workspace)
    assert len(rows) == first.accepted == len({row["event_id"] for row in rows})
    assert again.accepted == 0
    assert again.rows == first.rows
    assert again.duplicate == first.accepted + first.duplicate
    assert again.quarantined == first.quarantined


def test_progress_reaches_its_end(workspace: Workspace, tmp_path: Path) -> None:
    path = written(tmp_path / "may.csv.gz", EVENTS, event(1))
    told: list[tuple[str, int, int | None]] = []
    ingest(
        workspace, "events", [path], progress=lambda stage, done, of: told.append((stage, done, of))
    )
    size = path.stat().st_size
    assert told == [
        ("reading may.csv.gz", size, size), ("taking events", 0, 1), ("taking events", 1, 1),
    ]  # fmt: skip


def test_every_table_takes_an_empty_batch(workspace: Workspace) -> None:
    for table in TABLES:
        assert counts(ingest_rows(workspace, table, [], "nothing")) == (0, 0, 0, {})
    assert not workspace.tables.exists()
