from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.learned import good_from
from features.purchases import purchase_habits
from features.rolled import lines, phase, typed
from features.tables import opened
from features.workspace import Workspace
from features.worth import (
    buying_files,
    expected_spend,
    known_buying,
    learned_buying,
    remember_buying,
)
from models.bgnbd import BgNbd
from models.clv import Clv
from models.gamma_gamma import GammaGamma
from tests.training.shops import AS_OF, OPENED, purchases, store
from training.bgnbd import fit_bgnbd
from training.buyers import bought_between, buyers
from training.clv import tier_numbers, train_clv
from training.clv_measure import rank_correlation
from training.errors import TrainingError
from training.trained import MEASURED


def events(*rows: tuple[str, str, float, float]) -> pd.DataFrame:
    """Member, type, day and unit price of lines that were known at once."""
    days = [OPENED + timedelta(days=row[2]) for row in rows]
    at = pd.Series(days, dtype="datetime64[us, UTC]")
    return pd.DataFrame(
        {
            "event_id": [f"e{number}" for number in range(len(rows))],
            "member_id": [row[0] for row in rows],
            "type": [row[1] for row in rows],
            "occurred_at": at,
            "known_at": at,
            "quantity": 1.0,
            "unit_price": [row[3] for row in rows],
        }
    )


def day(number: float) -> datetime:
    return OPENED + timedelta(days=number)


def test_a_history_counts_days_with_an_order_and_takes_refunds_off(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    bought = events(
        ("ann", "purchase", 0.5, 10.0),
        ("ann", "purchase", 0.6, 5.0),  # the same day
        ("ann", "purchase", 10.5, 20.0),
        ("ann", "refund", 12.0, 8.0),
        ("ann", "purchase", 30.5, 99.0),  # later
        ("bob", "refund", 3.0, 5.0),
        ("cid", "purchase", 4.5, 7.0),
    )
    store(workspace, "events", bought)
    with opened(workspace) as tables:
        found = buyers(tables, day(20), 0.4)
        later = bought_between(tables, found.member_ids, day(20), day(40), 0.4)
    assert found.member_ids.tolist() == ["ann", "cid"]
    seen = found.histories
    assert seen.frequency.tolist() == [1, 0]
    assert seen.recency.tolist() == [10, 0]
    assert seen.age.tolist() == [19.5, 15.5]
    assert seen.spend.tolist() == [27, 7]
    assert seen.margin == pytest.approx([10.8, 2.8])
    assert later.purchases.tolist() == [1, 0]
    assert later.margin == pytest.approx([39.6, 0])


def test_margin_is_the_lines_own_then_the_items_then_the_default(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    bought = events(*(("ann", "purchase", number, 10.0) for number in range(3)))
    bought["item_id"] = ["tea", "tea", "rum"]
    bought["margin"] = [6.0, None, None]
    bought["discount"] = [0.0, 2.0, 0.0]
    store(workspace, "events", bought)
    items = pd.DataFrame({"item_id": ["tea", "rum"], "margin_rate": [0.5, None]})
    store(workspace, "items", items)
    with opened(workspace) as tables:
        found = buyers(tables, day(5), 0.1).histories
    assert found.spend.tolist() == [28]
    assert found.margin == pytest.approx([6 + 8 * 0.5 + 10 * 0.1])


def test_what_became_known_later_is_not_seen(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    bought = events(("ann", "purchase", 1, 10.0), ("ann", "purchase", 3, 10.0))
    bought["known_at"] = pd.Series([day(1), day(9)], dtype="datetime64[us, UTC]")
    store(workspace, "events", bought)
    with opened(workspace) as tables:
        assert buyers(tables, day(5), 0.3).histories.frequency.tolist() == [0]
        assert buyers(tables, day(10), 0.3).histories.frequency.tolist() == [1]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, empty_record: Path) -> Workspace:
    """1,500 members at steady rates of their own."""
    made = Workspace(tmp_path_factory.mktemp("busy"))
    shutil.copytree(empty_record, made.mlflow)
    store(made, "events", purchases(members=1_500))
    return made


@pytest.mark.slow
def test_training_beats_the_plain_ways_and_keeps_what_it_measured(busy: Workspace) -> None:
    trained = train_clv(busy, AS_OF, horizon_days=60)
    assert trained.promoted, trained.failed
    assert trained.beats_baseline
    figures = {one.metric: one for one in trained.comparisons}
    assert figures["calibration error"].ours < 0.2
    assert figures["auc buys again"].ours > 0.7
    kept, measured = Clv.load(trained.folder), Clv.load(trained.folder.parent / MEASURED)
    assert kept != measured
    assert kept.margin_rate == pytest.approx(0.3)
    versions = [good_from(path) for path in buying_files(busy)]
    assert versions == [AS_OF - timedelta(days=60), AS_OF]
    again = train_clv(busy, AS_OF, horizon_days=60)
    deciding = again.comparisons[0]
    assert deciding.champion == deciding.ours  # the same model, measured again
    assert again.promoted
    # A champion that looks elsewhere cannot be compared, and stays.
    other = train_clv(busy, AS_OF, horizon_days=30, promote=False)
    assert not other.promoted
    assert "looks 60 days ahead, not 30" in other.facts["not_compared"]
    assert len(buying_files(busy)) == 2  # and what it found stays unused


def test_value_tiers_expect_of_members_what_the_model_does(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    store(workspace, "events", purchases(members=400))
    model = Clv(BgNbd(0.8, 40.0, 0.3, 3.0), GammaGamma(3.0, 4.0, 20.0), 0.3, 1.0, 1.0, 90, 0.1)
    remember_buying(workspace, AS_OF, tier_numbers(model))
    with opened(workspace) as tables:
        seen = buyers(tables, AS_OF, 0.3)
        habits = purchase_habits(lines(typed(tables.events, phase(AS_OF))), AS_OF)
        buying = known_buying(learned_buying(workspace, tables.engine), AS_OF)
        shown = expected_spend(habits, buying, AS_OF).execute().set_index("member_id")
    promised = model.predict(seen.histories).spend
    shown_spend = shown["expected_spend"].reindex(seen.member_ids).to_numpy()
    # The tiers take the chance of leaving at its mean, which promises a little less.
    assert (shown_spend <= promised * (1 + 1e-9)).all()
    assert (shown_spend >= 0.85 * promised).all()
    assert rank_correlation(shown_spend, promised) > 0.999


def test_says_what_is_missing_where_few_bought_twice(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    store(workspace, "events", events(*((f"m{n}", "purchase", n, 10.0) for n in range(50))))
    with pytest.raises(TrainingError, match="0 of 40 members had bought on two days or more"):
        train_clv(workspace, day(50), horizon_days=10)


def test_says_so_where_nothing_has_a_price(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    rows = [(f"m{n}", "purchase", float(n + k), 0.0) for n in range(50) for k in (0, 5, 20)]
    store(workspace, "events", events(*rows))
    with pytest.raises(TrainingError, match="worth more than 0"):
        train_clv(workspace, day(70), horizon_days=10)


def test_says_so_where_nobody_bought_in_the_window(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    rows = [(f"m{n}", "purchase", float(n + k), 10.0) for n in range(50) for k in (0, 5)]
    store(workspace, "events", events(*rows))
    with pytest.raises(TrainingError, match="none of 50 members bought in the 10 days from"):
        train_clv(workspace, day(100), horizon_days=10)


def test_refuses_a_horizon_of_no_days(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="horizon is 0 days"):
        train_clv(Workspace(tmp_path), AS_OF, horizon_days=0)


def test_one_member_a_thousand_times_over_still_gives_sound_values(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    rows = [(f"m{n}", "purchase", float(k), 10.0) for n in range(1000) for k in (1, 11, 31)]
    store(workspace, "events", events(*rows))
    with opened(workspace) as tables:
        seen = buyers(tables, day(40), 0.3)
    past = seen.histories
    model = fit_bgnbd(past.frequency, past.recency, past.age)
    expected = model.expected_purchases(20, past.frequency, past.recency, past.age)
    assert np.ptp(expected) == 0
    assert 0.5 < expected[0] < 3
