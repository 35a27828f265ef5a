from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.tables import opened
from features.workspace import Workspace
from models.graph_filter import GraphFilter
from models.recommender import load_recommender
from tests.training.shops import AS_OF, OPENED, purchases, store
from training.als import AlsSettings, fit_als
from training.errors import TrainingError
from training.graph_filter_fit import GraphSettings, fit_graph_filter
from training.interactions import HALF_LIFE_DAYS, Interactions, interactions, item_purchases
from training.recommender import choose, train_recommender
from training.recommender_race import DEFAULT
from training.trained import Trained


@pytest.fixture(scope="module")
def trained(shop: Workspace) -> Trained:
    return train_recommender(shop, AS_OF)


def met(workspace: Workspace, as_of: datetime = AS_OF) -> Interactions:
    with opened(workspace) as tables:
        return interactions(tables, as_of)


def weights(found: Interactions) -> dict[tuple[str, str], float]:
    return {
        (found.member_ids[member].decode(), found.item_ids[item].decode()): float(weight)
        for member, item, weight in zip(found.members, found.items, found.weights, strict=True)
    }


def event(number: int, day: float, **columns: object) -> dict[str, object]:
    at = pd.Timestamp(OPENED + timedelta(days=day))
    return {
        "event_id": f"e{number}",
        "member_id": "ann",
        "type": "purchase",
        "item_id": "tea",
        "order_id": None,
        "occurred_at": at,
        "known_at": at,
        **columns,
    }


def shop_of(folder: Path, *events: dict[str, object]) -> Workspace:
    made = Workspace(folder)
    store(made, "events", pd.DataFrame(events))
    return made


def test_finds_the_taste_of_members(trained: Trained) -> None:
    model = load_recommender(trained.folder)
    events = purchases()
    for member in ("m0000", "m0001", "m0002", "m0003"):
        taste = "ab"[int(member[1:]) % 2]
        own = set(events.item_id[events.member_id == member])
        (answer,) = model.recommend([member], 4, {member: own | {"bread"}})
        assert {item[0] for item in answer.items} == {taste}


def test_beats_popularity_on_the_later_period(trained: Trained) -> None:
    assert [comparison.metric for comparison in trained.comparisons] == [
        "recall@10 explore", "ndcg@10 explore", "recall@10 all", "ndcg@10 all",
        "recall@10 repeat", "ndcg@10 repeat",
    ]  # fmt: skip
    assert all(set(one.baselines) == {"popularity", "frequency"} for one in trained.comparisons)
    assert all(one.ours > one.baselines["popularity"] for one in trained.comparisons)
    assert trained.beats_baseline
    assert trained.promoted


def test_the_choice_was_made_before_the_period_that_measures(
    trained: Trained, shop: Workspace
) -> None:
    split = AS_OF - timedelta(days=30)
    assert trained.facts["measured_from"] == trained.facts["known_until"] == split.isoformat()
    with opened(shop) as tables:
        made = choose(tables, split, timedelta(days=30))
    assert {trial.choice.kind for trial in made.trials} == {"als", "graph filter"}
    assert load_recommender(trained.folder).item_ids.size
    with opened(shop) as tables:
        assert choose(tables, OPENED + timedelta(days=5), timedelta(days=30)) == DEFAULT


def test_the_same_data_give_the_same_model_and_the_champion_its_own_figures(
    trained: Trained, shop: Workspace
) -> None:
    again = train_recommender(shop, AS_OF)
    content = (again.folder / "arrays.npz").read_bytes()
    assert content == (trained.folder / "arrays.npz").read_bytes()
    assert again.facts["dataset_digest"] == trained.facts["dataset_digest"]
    for one in again.comparisons:
        assert one.champion == pytest.approx(one.ours)
        assert one.error == pytest.approx(0)


def test_knows_only_members_and_items_that_met_before(shop: Workspace) -> None:
    early = OPENED + timedelta(days=20)
    events = purchases()
    past = events[events.occurred_at < early]
    found = met(shop, early)
    assert found.member_ids.tolist() == sorted({name.encode() for name in past.member_id})
    assert found.item_ids.tolist() == sorted({name.encode() for name in past.item_id})
    assert len(found.weights) == len(past.groupby(["member_id", "item_id"]))


def test_a_count_fades_by_half_in_the_half_life(tmp_path: Path) -> None:
    days = (AS_OF - OPENED) / timedelta(days=1)
    made = shop_of(
        tmp_path,
        event(1, days - HALF_LIFE_DAYS),
        event(2, days - 1e-4, item_id="rum"),
    )
    found = weights(met(made))
    assert found["ann", "tea"] == pytest.approx(np.log1p(0.5), abs=1e-4)
    assert found["ann", "rum"] == pytest.approx(np.log1p(1.0), abs=1e-4)


def test_lines_of_one_order_count_once_and_orders_add_up(tmp_path: Path) -> None:
    made = shop_of(
        tmp_path,
        event(1, 299, order_id="o1"),
        event(2, 299, order_id="o1"),
        event(3, 299, item_id="rum", order_id="o1"),
        event(4, 299, item_id="rum", order_id="o2"),
    )
    found = weights(met(made))
    assert found["ann", "rum"] > found["ann", "tea"]
    assert found["ann", "tea"] == pytest.approx(np.log1p(2 ** (-1 / HALF_LIFE_DAYS)))


def test_looking_weighs_less_than_buying_and_adds_to_it(tmp_path: Path) -> None:
    made = shop_of(
        tmp_path,
        event(1, 299, item_id="looked", type="view"),
        event(2, 299, item_id="carted", type="add_to_cart"),
        event(3, 299, item_id="bought"),
        event(4, 299, item_id="both"),
        event(5, 299, item_id="both", type="view"),
        event(6, 299, item_id="sent back", type="refund"),
        event(7, 299, item_id=None, type="search"),
    )
    found = weights(met(made))
    ranked = sorted(found, key=lambda pair: found[pair])
    assert [item for _, item in ranked] == ["looked", "carted", "bought", "both"]


def test_popular_is_what_members_bought_in_the_last_month(tmp_path: Path) -> None:
    made = shop_of(
        tmp_path,
        event(1, 290),
        event(2, 291),
        event(3, 290, member_id="bob"),
        event(4, 290, item_id="rum", type="view"),
        event(5, 100, item_id="ice"),
    )
    found = met(made)
    assert dict(zip(found.item_ids.tolist(), found.popularity.tolist(), strict=True)) == {
        b"ice": 0, b"rum": 0, b"tea": 2,
    }  # fmt: skip


def test_purchases_of_a_period_are_those_known_by_its_end(tmp_path: Path) -> None:
    late = pd.Timestamp(AS_OF + timedelta(days=1))
    made = shop_of(
        tmp_path,
        event(1, 10),
        event(2, 290, item_id="rum"),
        event(3, 290, item_id="gin", known_at=late),
        event(4, 290, item_id="ice", type="view"),
    )
    with opened(made) as tables:
        split = AS_OF - timedelta(days=30)
        assert item_purchases(tables, None, split, split) == {"ann": {"tea"}}
        assert item_purchases(tables, split, AS_OF, AS_OF) == {"ann": {"rum"}}


def test_one_member_and_one_item_still_fit(tmp_path: Path) -> None:
    model = fit_als(met(shop_of(tmp_path, event(1, 290))), AlsSettings())
    assert model.recommend(["ann"], 5)[0].items == ("tea",)


def test_a_member_folded_in_from_the_same_history_is_the_same() -> None:
    found = met_at_random(members=60, items=25, seed=3)
    model = fit_als(found, AlsSettings(factors=8))
    histories = [
        {
            found.item_ids[item].decode(): float(weight)
            for owner, item, weight in zip(found.members, found.items, found.weights, strict=True)
            if owner == member
        }
        for member in range(60)
    ]
    assert model.fold_in(histories) == pytest.approx(model.member_factors, rel=1e-4, abs=1e-6)
    as_new = model.recommend_new(histories, 5)
    assert [one.items for one in as_new] == [
        one.items for one in model.recommend([f"m{row:03d}" for row in range(60)], 5)
    ]


def test_a_pair_met_a_thousand_times_and_pairs_faded_away_still_fit() -> None:
    found = met_at_random(members=20, items=9, seed=5)
    weights = np.where(np.arange(len(found.weights)) % 3, 1e-6, 50.0)
    for fit in (lambda met: fit_als(met, AlsSettings()), fit_graph):
        model = fit(replace(found, weights=weights))
        assert np.isfinite(model.item_scores(["m000"], ["i00", "i05"])).all()


def met_at_random(members: int, items: int, seed: int) -> Interactions:
    """Every member met a tenth of the items or more, every item was met."""
    rng = np.random.default_rng(seed)
    met = rng.random((members, items)) < 0.3
    met[np.arange(members), np.arange(members) % items] = True
    rows, columns = np.nonzero(met)
    return Interactions(
        np.array([f"m{row:03d}".encode() for row in range(members)]),
        np.array([f"i{row:02d}".encode() for row in range(items)]),
        rows,
        columns,
        rng.gamma(2.0, 0.5, len(rows)),
        met.sum(axis=0).astype(np.float32),
    )


def fit_graph(found: Interactions) -> GraphFilter:
    return fit_graph_filter(found, GraphSettings())


def test_events_without_items_are_no_model(tmp_path: Path, empty_record: Path) -> None:
    made = shop_of(tmp_path, event(1, 10, item_id=None))
    with pytest.raises(TrainingError, match="no view, cart or purchase with an item_id"):
        train_recommender(made, AS_OF)


def test_nothing_bought_in_the_test_window_cannot_be_judged(tmp_path: Path) -> None:
    made = shop_of(tmp_path, event(1, 10))
    with pytest.raises(TrainingError, match="bought an item in the test window"):
        train_recommender(made, AS_OF)
    shutil.rmtree(tmp_path / "tables")
    with pytest.raises(TrainingError, match="horizon is 0 days"):
        train_recommender(made, AS_OF, horizon_days=0)
