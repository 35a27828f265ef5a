from __future__ import annotations

import json
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from models.artifact import ArtifactError
from models.calibration import Platt
from models.errors import ModelError
from models.propensity import Propensity
from models.trees import Trees

NAMES = ("recency_days", "device", "orders_30d")


def members(n: int, seed: int = 0) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    values = random.random((n, 3)).astype(np.float32)
    values[:, 1] = random.integers(0, 3, n)
    values[random.random(n) < 0.1, 0] = np.nan
    return values


@pytest.fixture(scope="module")
def model() -> Propensity:
    values = members(500)
    bought = np.nan_to_num(values[:, 0]) > 0.6
    data = lightgbm.Dataset(values, bought.astype(float), categorical_feature=[1])
    settings = {"objective": "binary", "num_leaves": 4, "verbosity": -1}
    return Propensity(Trees(lightgbm.train(settings, data, 20), NAMES), 30, Platt(0.8, -0.1))


def test_likelier_buyers_get_a_higher_probability(model: Propensity) -> None:
    likely, unlikely = model.predict(np.array([[0.9, 0, 0.5], [0.1, 0, 0.5]], np.float32), NAMES)
    assert 0 < unlikely < 0.3
    assert 0.7 < likely < 1


def test_reads_features_by_name_not_by_place(model: Propensity) -> None:
    values = members(50, seed=1)
    shuffled = np.column_stack([values[:, 2], np.full(50, 9), values[:, 0], values[:, 1]])
    other_order = ("orders_30d", "age", "recency_days", "device")
    assert np.array_equal(
        model.predict(shuffled.astype(np.float32), other_order), model.predict(values, NAMES)
    )


def test_one_member_alone_gets_what_it_gets_among_many(model: Propensity) -> None:
    values = members(200, seed=2)
    alone = [float(model.predict(values[row : row + 1], NAMES)[0]) for row in range(20)]
    assert alone == model.predict(values, NAMES)[:20].tolist()


def test_missing_values_are_no_error(model: Propensity) -> None:
    assert np.isfinite(model.predict(np.full((2, 3), np.nan, np.float32), NAMES)).all()


def test_a_category_never_seen_is_no_error(model: Propensity) -> None:
    assert np.isfinite(model.predict(np.array([[0.5, 99, 0.5]], np.float32), NAMES)).all()


def test_a_missing_feature_is_named(model: Propensity) -> None:
    with pytest.raises(ModelError, match="'orders_30d'"):
        model.predict(np.zeros((1, 2), np.float32), ("recency_days", "device"))


def test_columns_that_do_not_fit_their_names_are_refused(model: Propensity) -> None:
    with pytest.raises(ModelError, match=r"\(1, 2\), wanted \(rows, 3\)"):
        model.predict(np.zeros((1, 2), np.float32), NAMES)


def test_nobody_asked_is_nobody_answered(model: Propensity) -> None:
    assert model.predict(np.zeros((0, 3), np.float32), NAMES).shape == (0,)


def test_comes_back_from_disk_bit_for_bit(model: Propensity, tmp_path: Path) -> None:
    model.save(tmp_path)
    loaded = Propensity.load(tmp_path)
    values = members(100, seed=3)
    assert np.array_equal(loaded.predict(values, NAMES), model.predict(values, NAMES))
    assert (loaded.names, loaded.horizon_days) == (NAMES, 30)


def test_trees_that_read_other_features_than_named_are_refused(
    model: Propensity, tmp_path: Path
) -> None:
    model.save(tmp_path)
    head = json.loads((tmp_path / "artifact.json").read_text())
    head["config"]["parts"]["trees"] = ["recency_days"]
    (tmp_path / "artifact.json").write_text(json.dumps(head))
    with pytest.raises(ArtifactError, match="read 3 columns, 1 are named"):
        Propensity.load(tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="not a readable propensity model"):
        Propensity.load(tmp_path)
