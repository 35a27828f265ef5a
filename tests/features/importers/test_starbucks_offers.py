"""Starbucks offers: six waves with known probabilities, and what was completed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.contract import ContractError
from features.importers.starbucks_offers import ORIGIN, TOTALS, import_starbucks_offers
from features.ingest.redrive import quarantined
from features.workspace import Workspace, open_workspace
from tests.features.stored import stored

BOGO = {
    "id": "o1", "offer_type": "bogo", "reward": 5, "difficulty": 10, "duration": 7.0,
    "channels": ["email", "mobile"],
}  # fmt: skip
NEWS = BOGO | {"id": "o2", "offer_type": "informational", "reward": 0, "difficulty": 0}


def member(name: str, age: int = 40, joined: int = 20170212) -> dict[str, Any]:
    totals = dict.fromkeys(TOTALS, 9.0)
    return {
        "id": name,
        "gender": "F",
        "age": age,
        "became_member_on": joined,
        "income": 5e4,
    } | totals


def receipt(name: str, hours: int, offer: str, done: float | None = None) -> dict[str, Any]:
    return {
        "customer_id": name, "offer_received_time": hours, "offer_id": offer,
        "offer_completed": float(done is not None),
        "offer_completed_time": -1.0 if done is None else done,
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    def made(receipts: list[dict[str, Any]], members: list[dict[str, Any]]) -> Path:
        pq.write_table(pa.Table.from_pylist(members), tmp_path / "members.parquet")
        pq.write_table(pa.Table.from_pylist(receipts), tmp_path / "offers_received.parquet")
        lines = [json.dumps(BOGO), json.dumps(NEWS)]
        (tmp_path / "portfolio.json").write_text("\n".join(lines))
        return tmp_path

    return made


def test_every_member_has_a_decision_in_every_wave_with_its_probability(
    workspace: Workspace, folder: Callable[..., Path]
) -> None:
    receipts = [receipt("m1", 0, "o1"), receipt("m2", 168, "o2")]
    report = import_starbucks_offers(workspace, folder(receipts, [member("m1"), member("m2")]))
    assert (report.sources.rows, report.sources.accepted) == (6, 6)
    decisions = stored(open_workspace(workspace.root), "decisions")
    assert [(d["push_id"], d["member_id"], d["offer_id"], d["probability"]) for d in decisions] == [
        ("wave-000", "m1", "o1", 0.075),
        ("wave-000", "m2", None, 0.25),
        ("wave-168", "m1", None, 0.25),
        ("wave-168", "m2", "o2", 0.075),
    ]
    assert all(d["candidates"] == ["o1", "o2"] for d in decisions)
    assert decisions[2]["decided_at"] == ORIGIN + timedelta(hours=168)
    [push, _] = stored(workspace, "pushes")
    assert (push["objective"], push["holdout"], push["send_at"]) == ("conversions", 0.25, ORIGIN)


def test_a_completion_is_redeemed_and_converted_at_its_hour(
    workspace: Workspace, folder: Callable[..., Path]
) -> None:
    receipts = [receipt("m1", 0, "o1", done=132), receipt("m1", 168, "o2")]
    import_starbucks_offers(workspace, folder(receipts, [member("m1")]))
    outcomes = stored(workspace, "outcomes")
    assert [(o["type"], o["value"], o["decision_id"]) for o in outcomes] == [
        ("converted", Decimal(10), "wave-000:m1"),
        ("redeemed", None, "wave-000:m1"),
    ]
    assert {o["occurred_at"] for o in outcomes} == {ORIGIN + timedelta(hours=132)}


def test_a_reward_is_the_value_and_the_cost_of_its_redemption(
    workspace: Workspace, folder: Callable[..., Path]
) -> None:
    import_starbucks_offers(workspace, folder([receipt("m1", 0, "o1")], [member("m1")]))
    bogo, news = stored(workspace, "offers")
    assert (bogo["kind"], bogo["value"], bogo["min_spend"]) == ("amount_off", 5.0, Decimal(10))
    assert (bogo["redemption_cost"], bogo["channels"]) == (Decimal(5), ["email", "push"])
    assert news["kind"] == "content"


def test_what_a_member_spent_in_the_30_days_is_never_taken(
    workspace: Workspace, folder: Callable[..., Path]
) -> None:
    members = [member("m1"), member("m2", age=118)]
    import_starbucks_offers(workspace, folder([receipt("m1", 0, "o1")], members))
    known, unknown = stored(open_workspace(workspace.root), "members")
    assert not set(TOTALS) & set(known)
    assert (known["birth_year"], known["income"], known["gender"]) == (1978, 5e4, "F")
    assert known["joined_at"] == datetime(2017, 2, 12, tzinfo=UTC)
    assert unknown["birth_year"] is None


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (receipt("nobody", 0, "o1"), "unknown_member"),
        (receipt("m2", 0, "o9"), "unknown_offer"),
        (receipt("m1", 0, "o2"), "second_offer"),
        (receipt("m2", 0, "o1", done=7 * 24 + 1), "bad_completion"),
        (receipt("m2", 0, "o2", done=1), "bad_completion"),
        (receipt("m2", 10**9, "o2"), "bad_time"),
        (receipt("m2", -1, "o2"), "out_of_range"),
    ],
)
def test_a_receipt_that_cannot_be_is_quarantined(
    workspace: Workspace, folder: Callable[..., Path], row: dict[str, Any], reason: str
) -> None:
    receipts = [receipt("m1", 0, "o1"), row]
    report = import_starbucks_offers(workspace, folder(receipts, [member("m1"), member("m2")]))
    assert report.sources.files[2].quarantined == {reason: 1}
    assert [entry.line for entry in quarantined(workspace, "starbucks-offers")] == [2]
    assert len(stored(workspace, "decisions")) == (1 if reason in _KNOWN_MEMBER else 2)


_KNOWN_MEMBER = ("unknown_offer", "bad_completion")  # m2 got something: no decision is certain


def test_a_missing_file_takes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"portfolio.json: no such file"):
        import_starbucks_offers(workspace, tmp_path)
    assert not workspace.tables.exists()


@pytest.mark.data
@pytest.mark.slow
def test_the_real_folder_is_taken_whole_and_once(workspace: Workspace, data: Path) -> None:
    folder = data / "starbucks_offers"
    first = import_starbucks_offers(workspace, folder).sources
    assert (first.rows, first.accepted) == (17_000 + 10 + 76_277,) * 2
    [sent, unsent] = sorted(_rows(workspace, "decisions"))
    assert (sent + unsent, max(sent, unsent)) == (6 * 17_000, 76_277)
    assert _rows(workspace, "outcomes") == [2 * 33_101]
    again = import_starbucks_offers(open_workspace(workspace.root), folder).sources
    assert (again.accepted, again.duplicate) == (0, first.rows)


def _rows(workspace: Workspace, table: str) -> list[int]:
    """Number of rows of each of a table's files."""
    files = (workspace.tables / table).glob("*.parquet")
    return [pq.read_metadata(path).num_rows for path in files]
