from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.tables import opened
from features.workspace import Workspace
from models.graph_filter import GraphFilter
from models.recommender import AlsRecommender
from tests.training.shops import AS_OF, store
from tests.training.test_recommender import fit_graph, met_at_random
from training.als import AlsSettings, fit_als
from training.cold_start import Traits, item_traits, with_cold_items

MET = met_at_random(members=60, items=20, seed=1)
# Even items are tea, odd ones rum, at rising prices.
TRAITS = {f"i{row:02d}": Traits("tea" if row % 2 == 0 else "rum", float(row)) for row in range(20)}
NEW = {"a new tea": Traits("tea", 18.5), "zz rum": Traits("rum", 1.0), "boat": Traits("boats", 5)}


@pytest.fixture(params=["als", "graph filter"])
def model(request: pytest.FixtureRequest) -> AlsRecommender | GraphFilter:
    return fit_als(MET, AlsSettings(factors=8)) if request.param == "als" else fit_graph(MET)


def test_an_item_that_nobody_met_stands_where_its_like_stand_on_average(
    model: AlsRecommender | GraphFilter,
) -> None:
    wide = with_cold_items(model, TRAITS | NEW)
    members = [f"m{row:03d}" for row in range(60)]
    dearest_teas = ["i14", "i16", "i18"]
    found = wide.item_scores(members, ["a new tea", *dearest_teas])
    if isinstance(model, AlsRecommender):
        assert found[:, 0] == pytest.approx(found[:, 1:].mean(axis=1), abs=1e-5)
    assert np.isfinite(found).all()
    assert [wide.item_ids[row] for row in wide.cold] == [b"a new tea", b"zz rum"]
    assert (found[:, 0].max() > found[:, 0].min()).all()


def test_an_item_without_learned_items_of_its_category_stays_unknown(
    model: AlsRecommender | GraphFilter,
) -> None:
    assert b"boat" not in with_cold_items(model, TRAITS | NEW).item_ids.tolist()
    assert with_cold_items(model, {"boat": NEW["boat"]}) is model


def test_what_was_learned_is_left_as_it_was(model: AlsRecommender | GraphFilter) -> None:
    wide = with_cold_items(model, TRAITS | NEW)
    members, items = [f"m{row:03d}" for row in range(60)], list(TRAITS)
    assert np.array_equal(wide.item_scores(members, items), model.item_scores(members, items))
    assert wide.popularity.sum() == model.popularity.sum()
    first = [{"i03": 1.0, "i04": 2.0}]
    before = model.recommend_new(first, 30)[0]
    after = wide.recommend_new(first, 30)[0]
    assert [item for item in after.items if item in TRAITS] == list(before.items)


def test_of_few_alike_or_without_a_price_the_category_stands_for_an_item() -> None:
    model = fit_als(MET, AlsSettings(factors=8))
    unpriced = {"new": Traits("tea", float("nan"))}
    wide = with_cold_items(model, TRAITS | unpriced)
    row = int(np.flatnonzero(wide.item_ids == b"new")[0])
    teas = model.item_factors[::2].mean(axis=0)
    assert wide.item_vectors[row] == pytest.approx(teas, abs=1e-6)
    few = {name: replace(trait, price=1.0 if name != "i00" else 99.0) for name, trait in
           TRAITS.items()}  # fmt: skip
    wide = with_cold_items(model, few | {"new": Traits("tea", 99.0)})
    assert wide.item_vectors[row] == pytest.approx(teas, abs=1e-6)


def test_only_items_on_sale_by_their_newest_version_are_taken(tmp_path: Path) -> None:
    day = timedelta(days=1)

    def item(name: str, **columns: object) -> dict[str, object]:
        return {
            "item_id": name, "category": "tea", "price": Decimal(5), "known_at": AS_OF - day,
            "listed_at": None, "delisted_at": None, **columns,
        }  # fmt: skip

    made = Workspace(tmp_path)
    rows = pd.DataFrame([
        item("sold"), item("gone", delisted_at=AS_OF - day), item("later", listed_at=AS_OF + day),
        item("unknown yet", known_at=AS_OF + day), item("moved"), item("other", category=None),
        item("moved", category="rum", price=None, known_at=AS_OF - day / 2),
    ])  # fmt: skip
    for column in ("known_at", "listed_at", "delisted_at"):
        rows[column] = pd.to_datetime(rows[column], utc=True).astype("datetime64[us, UTC]")
    store(made, "items", rows)
    with opened(made) as tables:
        found = item_traits(tables, AS_OF)
    assert found["sold"] == Traits("tea", 5.0)
    assert (found["moved"].category, np.isnan(found["moved"].price)) == ("rum", True)
    assert set(found) == {"sold", "moved"}
