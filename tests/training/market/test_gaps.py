from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import compute as pc
from pyarrow import parquet

from features.contract import TABLES
from features.rows import parse_row
from training.errors import TrainingError
from training.market import truth
from training.market.closed import CLOSED_DAYS
from training.market.config import Market, MarketConfig
from training.market.live import open_live
from training.market.make import make_market

GAPS = 4


@pytest.fixture(scope="module")
def gapped(tmp_path_factory: pytest.TempPathFactory) -> Market:
    folder = tmp_path_factory.mktemp("gaps") / "market"
    return make_market(folder, MarketConfig(1_500, seed=1, gaps=GAPS))


def rows(market: Market, table: str) -> pa.Table:
    return pa.concat_tables([parquet.read_table(path) for path in market.tables[table]])


def test_half_of_what_grows_is_a_gap(gapped: Market) -> None:
    gaps = truth.load_gaps(gapped.folder)
    assert [gap.served for gap in gaps] == [False] * GAPS + [True] * GAPS
    items = rows(gapped, "items")
    ended = items.filter(pc.is_valid(items["delisted_at"])).to_pylist()
    for gap in gaps:
        gone = [
            item
            for item in ended
            if item["category"] == gap.category and gap.low <= float(item["price"]) <= gap.high
        ]
        assert bool(gone) is not gap.served
    assert truth.load(gapped.folder).pushes  # beside the truth about pushes


def test_the_demand_of_a_cell_grows_as_its_truth_says(gapped: Market) -> None:
    sown = parquet.read_table(gapped.tables["events"][-1])
    since = gapped.config.history_end - timedelta(days=56)
    assert pc.min(sown["occurred_at"]).as_py() >= since
    assert pc.max(sown["occurred_at"]).as_py() < gapped.config.history_end
    gaps = truth.load_gaps(gapped.folder)
    newly = sum(round((gap.growth - 1) * gap.wanting) for gap in gaps)
    members = sown.group_by(["member_id", "category"]).aggregate([])
    # Two cells of one category may share a member.
    assert 0.9 * newly <= members.num_rows <= newly
    assert set(sown["type"].to_pylist()) == {"search", "view"}


def test_what_is_closed_is_looked_at_but_not_sold(gapped: Market) -> None:
    items = rows(gapped, "items")
    gone = set(items.filter(pc.is_valid(items["delisted_at"]))["item_id"].to_pylist())
    closed_at = gapped.config.history_end - timedelta(days=CLOSED_DAYS)
    events = rows(gapped, "events")
    mine = pc.is_in(events["item_id"], pa.array(sorted(gone)))
    later = pc.greater(events["occurred_at"], closed_at + timedelta(days=1))
    types = set(events.filter(pc.and_(mine, later))["type"].to_pylist())
    # Whatever was bought before can still be given back.
    assert types <= {"view", "refund"}
    before = pc.less(events["occurred_at"], closed_at - timedelta(days=1))
    assert "purchase" in events.filter(pc.and_(mine, before))["type"].to_pylist()


def test_rows_sown_fit_the_contract_and_have_keys_of_their_own(gapped: Market) -> None:
    events = rows(gapped, "events")
    assert len(set(events["event_id"].to_pylist())) == events.num_rows == gapped.rows["events"]
    for row in parquet.read_table(gapped.tables["events"][-1]).slice(0, 200).to_pylist():
        parse_row(TABLES["events"], {k: v for k, v in row.items() if v is not None})


def test_the_same_config_sows_the_same(gapped: Market, tmp_path: Path) -> None:
    again = make_market(tmp_path / "again", gapped.config)
    assert truth.load_gaps(again.folder) == truth.load_gaps(gapped.folder)
    assert again.tables["events"][-1].read_bytes() == gapped.tables["events"][-1].read_bytes()


def test_a_market_without_gaps_has_no_truth_about_them(market: Market) -> None:
    assert market.config.gaps == 0
    assert truth.load_gaps(market.folder) == ()
    assert rows(market, "items")["delisted_at"].null_count == market.rows["items"]


def test_what_is_out_of_reach_is_said() -> None:
    with pytest.raises(TrainingError, match="gaps is 15, wanted 0 to 14"):
        MarketConfig(gaps=15)
    with pytest.raises(TrainingError, match="live market of 2 gaps"):
        open_live(MarketConfig(200, gaps=2), timedelta(days=7))


def test_the_truth_about_a_push_knows_what_is_sold_instead(tmp_path: Path) -> None:
    plain, gapped = (
        truth.load(make_market(tmp_path / str(gaps), MarketConfig(300, gaps=gaps)).folder)
        for gaps in (0, 14)
    )
    push = plain.pushes[0].push_id
    assert np.isfinite(gapped.of(push).expected_gain).all()
    assert not np.allclose(gapped.of(push).expected_gain, plain.of(push).expected_gain)
