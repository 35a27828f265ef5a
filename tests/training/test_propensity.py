from __future__ import annotations

import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from features.progress import silent
from features.workspace import Workspace
from models.errors import ModelError
from models.propensity import Propensity
from tests.training.shops import AS_OF, purchases, store
from training.errors import TrainingError
from training.frames import Split
from training.outcomes import BUY, LAPSE, Period
from training.propensity import comparable, promised, train_outcome, train_propensity
from training.propensity_fit import Asked
from training.propensity_measure import compare
from training.tracking import promote
from training.trained import Trained


@pytest.fixture(scope="module")
def trained(shop: Workspace) -> Trained:
    """Made champion by hand: everybody's rate is steady there, so counting orders does as well."""
    made = train_propensity(shop, AS_OF)
    promote(shop, made.name, made.version)
    return made


@pytest.fixture(scope="module")
def split(trained: Trained, shop: Workspace) -> Split:
    return BUY.rows(shop, Period(AS_OF, 30), silent)


def test_what_was_measured_is_kept_and_answers_like_the_figures_say(
    trained: Trained, split: Split
) -> None:
    model = Propensity.load(trained.folder.parent / "measured")
    figures = compare(promised(model, None, split, BUY))
    assert figures == trained.comparisons
    assert figures[0].ours > 0.65
    assert split.digest() == trained.facts["dataset_digest"]


def test_what_serves_is_calibrated_on_the_latest_closed_window(
    trained: Trained, split: Split
) -> None:
    model = Propensity.load(trained.folder)
    promise = model.predict(split.test.values, split.test.names).mean()
    assert promise == pytest.approx(split.test.happened.mean(), abs=0.02)


def test_training_again_compares_with_the_champion_and_gives_the_same_model(
    trained: Trained, shop: Workspace
) -> None:
    again = train_propensity(shop, AS_OF)
    for name in ("artifact.json", "arrays.npz"):
        assert (again.folder / name).read_bytes() == (trained.folder / name).read_bytes()
    auc = again.comparisons[0]
    assert auc.champion == auc.ours
    assert auc.error == pytest.approx(0, abs=1e-12)
    assert again.facts["compared_with"] == "version 1"


def test_every_figure_stands_beside_its_baselines(trained: Trained, shop: Workspace) -> None:
    metrics = [comparison.metric for comparison in trained.comparisons]
    assert metrics == ["auc", "average_precision", "log_loss", "calibration_error"]
    plain = {"rfm", "recency", "frequency", "spend"}
    assert all(set(one.baselines) == plain for one in trained.comparisons)
    with sqlite3.connect(shop.mlflow / "mlflow.db") as record:
        question = "select key, value from metrics where run_uuid = ?"
        kept = dict(record.execute(question, (trained.version.run_id,)))
    assert kept["auc"] == trained.comparisons[0].ours
    assert kept["rfm_auc"] == trained.comparisons[0].baselines["rfm"]


def test_who_lapses_bought_before_and_buys_nothing(shop: Workspace, split: Split) -> None:
    lapsing = LAPSE.rows(shop, Period(AS_OF, 30), silent)
    assert lapsing.test.member_ids.tolist() == split.test.member_ids.tolist()
    assert (lapsing.test.happened == ~split.test.happened).all()


def test_lapse_is_a_model_of_its_own(trained: Trained, shop: Workspace) -> None:
    lapse = train_outcome(shop, LAPSE, Period(AS_OF, 30))
    model, buying = Propensity.load(lapse.folder), Propensity.load(trained.folder)
    assert (lapse.name, model.outcome) == ("propensity-lapse", "lapse")
    assert lapse.comparisons[0].ours > 0.65
    rows = BUY.rows(shop, Period(AS_OF, 30), silent).test
    both = [one.predict(rows.values, rows.names) for one in (model, buying)]
    assert np.corrcoef(both[0], both[1])[0, 1] < -0.9


def test_a_champion_of_another_question_is_not_compared(trained: Trained) -> None:
    model = Propensity.load(trained.folder)
    assert comparable(model, Asked("buy", 30), model.names) is model
    with pytest.raises(ModelError, match="'buy' within 30 days, not 'buy' within 60"):
        comparable(model, Asked("buy", 60), model.names)
    with pytest.raises(ModelError, match="no longer there"):
        comparable(model, Asked("buy", 30), model.names[1:])


def test_too_little_history_is_no_model(shop: Workspace) -> None:
    with pytest.raises(TrainingError, match="wanted 360 for a horizon of 60 days"):
        train_propensity(shop, AS_OF, horizon_days=60)
    with pytest.raises(TrainingError, match="horizon is 0 days"):
        train_propensity(shop, AS_OF, horizon_days=0)


def test_a_test_window_without_purchases_cannot_be_judged(
    tmp_path: Path, empty_record: Path
) -> None:
    made = Workspace(tmp_path)
    shutil.copytree(empty_record, made.mlflow)
    events = purchases(members=50)
    store(made, "events", events[events.occurred_at < AS_OF - timedelta(days=30)])
    with pytest.raises(TrainingError, match=r"0 of \d+ members"):
        train_propensity(made, AS_OF)
