from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from features.workspace import Workspace
from models.repeat import NAMES, RepeatModel
from tests.training.shops import AS_OF, OPENED
from training.errors import TrainingError
from training.repeat import Baskets, fit_ranker, train_repeat
from training.trained import Trained

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(shop: Workspace) -> Trained:
    return train_repeat(shop, AS_OF)


def test_is_measured_on_the_next_basket_beside_frequency_and_popularity(trained: Trained) -> None:
    first = trained.comparisons[0]
    assert first.metric == "recall@10 all"
    assert set(first.baselines) == {"frequency", "popularity"}
    assert first.ours > first.baselines["popularity"]
    split = AS_OF - timedelta(days=30)
    assert trained.facts["known_until"] == trained.facts["measured_from"] == split.isoformat()


def test_what_serves_knows_everything_and_mostly_lists_a_members_own_taste(
    trained: Trained,
) -> None:
    model = RepeatModel.load(trained.folder)
    members = [name.decode() for name in model.habits.member_ids.tolist()]
    answers = model.recommend(members, 3)
    assert {answer.source for answer in answers} == {"repeat"}
    own = [
        item[0] == "ab"[int(member[1:]) % 2] or item == "bread"
        for member, answer in zip(members, answers, strict=True)
        for item in answer.items
    ]
    assert np.mean(own) > 0.8


def test_the_same_data_give_the_same_model(trained: Trained, shop: Workspace) -> None:
    again = train_repeat(shop, AS_OF, promote=False)
    assert not again.promoted
    for name in ("arrays.npz", "booster.txt"):
        assert (again.folder / name).read_bytes() == (trained.folder / name).read_bytes()


def test_too_little_history_is_no_model(shop: Workspace) -> None:
    with pytest.raises(TrainingError, match="no purchase with an item_id before"):
        train_repeat(shop, OPENED + timedelta(days=40))
    with pytest.raises(TrainingError, match="horizon is 0 days"):
        train_repeat(shop, AS_OF, horizon_days=0)


def test_nobody_who_bought_again_teaches_no_ranking() -> None:
    none = Baskets(np.empty((0, len(NAMES)), np.float32), np.zeros(0, dtype=bool))
    with pytest.raises(TrainingError, match="no member who bought before bought again"):
        fit_ranker([none])


def test_constant_features_and_missing_values_still_fit() -> None:
    held = np.arange(60) % 3 == 0
    for value in (0.0, np.nan):
        table = np.full((60, len(NAMES)), value, dtype=np.float32)
        scores = fit_ranker([Baskets(table, held)]).score(table, NAMES)
        assert np.isfinite(scores).all()
        assert np.ptp(scores) == 0
