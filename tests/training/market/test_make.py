from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from features.contract import TABLES
from features.ingest.schema import checked_schema
from features.rows import parse_row
from training.errors import TrainingError
from training.market import make, truth
from training.market.config import Market, MarketConfig
from training.market.make import make_market


def table(market: Market, name: str) -> pa.Table:
    return pa.concat_tables([parquet.read_table(path) for path in market.tables[name]])


def contents(market: Market) -> dict[str, bytes]:
    files = [path for path in market.folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(market.folder)): path.read_bytes() for path in files}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first, again, other = (
        contents(make_market(tmp_path / name, MarketConfig(300, seed)))
        for name, seed in (("first", 1), ("again", 1), ("other", 2))
    )
    assert first == again
    assert first.keys() == other.keys()
    assert first["events/0000.parquet"] != other["events/0000.parquet"]


def test_more_members_do_not_change_those_there_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make, "BLOCK", 200)
    few = contents(make_market(tmp_path / "few", MarketConfig(200)))
    many = contents(make_market(tmp_path / "many", MarketConfig(500)))
    same = [name for name in few if not name.startswith("pushes")]  # budgets differ
    assert all(few[name] == many[name] for name in same)
    assert len(truth.load(tmp_path / "many").of("hualien-summer").member_ids) == 500


@pytest.mark.parametrize("name", TABLES)
def test_every_row_fits_the_contract(market: Market, name: str) -> None:
    rows = table(market, name)
    assert rows.schema.equals(checked_schema(TABLES[name]))
    assert rows.num_rows == market.rows[name]
    keys = rows[TABLES[name].key].to_pylist()
    assert len(set(keys)) == len(keys)
    for row in rows.slice(0, 2_000).to_pylist():
        parse_row(TABLES[name], {key: value for key, value in row.items() if value is not None})


def test_events_lie_within_the_year_of_history(market: Market) -> None:
    at = table(market, "events")["occurred_at"].to_pandas()
    assert at.max() <= market.config.history_end
    assert at.min() > market.config.history_end - timedelta(days=365)
    # Evenings are busier than nights: 20 to 22 in Taipei, 3 to 5 in Taipei.
    hours = at.dt.tz_convert("Asia/Taipei").dt.hour
    assert hours.isin([20, 21]).sum() > 10 * hours.isin([3, 4]).sum()


def test_rates_are_those_of_a_travel_shop(market: Market) -> None:
    outcomes, decisions = table(market, "outcomes"), table(market, "decisions")
    count = {kind: outcomes["type"].to_pylist().count(kind) for kind in ("sent", "opened")}
    assert 0.08 < count["opened"] / count["sent"] < 0.15
    offers = dict(
        zip(decisions["decision_id"].to_pylist(), decisions["offer_id"].to_pylist(), strict=True)
    )
    pairs = zip(outcomes["decision_id"].to_pylist(), outcomes["type"].to_pylist(), strict=True)
    bought = {decision for decision, kind in pairs if kind == "converted"}
    left_alone = [decision for decision, offer in offers.items() if offer is None]
    assert 0.025 < np.mean([decision in bought for decision in left_alone]) < 0.05
    assert 25 < market.rows["events"] / market.config.members < 60


def test_a_folder_in_use_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(TrainingError, match="is not empty; give a market a folder of its own"):
        make_market(tmp_path, MarketConfig(100))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"members": 5}, "a market of 5 members is out of reach; take 100 to 1,000,000"),
        ({"seed": -1}, "seed is -1, wanted 0 or more"),
        ({"history_end": datetime(2026, 1, 1)}, "history_end has no offset"),  # noqa: DTZ001  # the point
    ],
)
def test_a_config_out_of_range_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        MarketConfig(**wrong)  # type: ignore[arg-type]  # that is what is tested


def test_progress_counts_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "BLOCK", 100)
    told: list[tuple[str, int, int | None]] = []
    make_market(tmp_path / "m", MarketConfig(250), lambda *step: told.append(step))
    assert told == [("market", 100, 250), ("market", 200, 250), ("market", 250, 250)]


def test_history_may_end_at_any_time(tmp_path: Path) -> None:
    end = datetime(2025, 3, 5, 13, 7, tzinfo=UTC)
    made = make_market(tmp_path / "m", MarketConfig(100, history_end=end))
    pushes = table(made, "pushes").to_pylist()
    assert pushes[-1]["send_at"] == end
    assert pushes[0]["send_at"] == end - timedelta(days=150)
    decided = {row["push_id"]: row["decided_at"] for row in table(made, "decisions").to_pylist()}
    assert all(decided[push["push_id"]] == push["send_at"] for push in pushes[:-1])


@pytest.mark.slow
def test_memory_is_bounded_by_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "BLOCK", 2_000)
    peaks = []
    for members in (2_000, 20_000):
        tracemalloc.start()
        make_market(tmp_path / str(members), MarketConfig(members))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]
