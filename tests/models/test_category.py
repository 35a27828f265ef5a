from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.artifact import ArtifactError
from models.calibration import Platt
from models.category import CategoryPropensity, PairTable
from models.errors import ModelError
from models.propensity import Propensity
from training.linear_fit import fit_linear

NAMES = ("age", "interest__sea", "interest__city", "bought_days__sea", "bought_days__city")
TABLE = PairTable(NAMES, ("sea", "city"))


def members(n: int, seed: int = 0) -> NDArray[np.float32]:
    values = np.random.default_rng(seed).exponential(10, (n, 5)).astype(np.float32)
    values[values[:, 3] > 20, 3] = np.nan
    return values


@pytest.fixture(scope="module")
def model() -> CategoryPropensity:
    """Who has more interest in a category buys in it, whichever it is."""
    values = members(500)
    popularity = TABLE.popularity(values)
    rows = TABLE.rows(values, [0, 1, -1], popularity)
    bought = np.nan_to_num(rows[:, 1]) > 12
    scorer = fit_linear(rows, TABLE.names, bought, (), 1.0)
    propensity = Propensity(scorer, 30, Platt(1.0, 0.0), "buy in a category")
    return CategoryPropensity(propensity, TABLE, ("Sea & Sun", "City"), popularity)


def test_one_row_for_each_member_and_category() -> None:
    values = np.array([[40, 3, 1, 5, np.nan], [30, 0, 0, np.nan, 200]], np.float32)
    rows = TABLE.rows(values, [0, 1, -1], TABLE.popularity(values))
    assert TABLE.names[:3] == ("age", "category_interest", "category_share")
    nan = np.nan
    wanted = [
        [40, 3, 0.75, nan, 5, 0.5],
        [40, 1, 0.25, nan, nan, 0],
        [40, nan, nan, nan, nan, nan],
        [30, 0, 0, nan, nan, 0.5],
        [30, 0, 0, nan, 200, 0],
        [30, nan, nan, nan, nan, nan],
    ]
    assert np.allclose(rows, np.array(wanted), equal_nan=True)


def test_interest_in_a_category_counts_for_that_category(model: CategoryPropensity) -> None:
    fan = np.array([[40, 30, 1, np.nan, np.nan]], np.float32)
    sea, city = model.predict(fan, NAMES, ("Sea & Sun", "City"))[0]
    assert sea > 0.5 > city


def test_a_new_category_is_answered_from_all_together(model: CategoryPropensity) -> None:
    new = model.predict(members(50, 1), NAMES, ("Space", "Sea & Sun", "Moon"))
    assert ((new > 0) & (new < 1)).all()
    assert np.array_equal(new[:, 0], new[:, 2])


def test_one_alone_gets_what_it_gets_among_many(model: CategoryPropensity) -> None:
    values = members(40, 2)
    both = model.predict(values, NAMES, ("Sea & Sun", "City"))
    assert model.predict(values[7:8], NAMES, ("City",))[0, 0] == both[7, 1]
    assert model.predict(values[:0], NAMES, ("City",)).shape == (0, 1)
    assert model.predict(values, NAMES, ()).shape == (40, 0)


def test_a_missing_feature_is_named(model: CategoryPropensity) -> None:
    with pytest.raises(ModelError, match="'bought_days__city'"):
        model.predict(members(2)[:, :4], NAMES[:4], ("City",))


def test_comes_back_from_disk_and_parts_that_do_not_fit_are_refused(
    model: CategoryPropensity, tmp_path: Path
) -> None:
    model.save(tmp_path)
    values = members(20, 3)
    again = CategoryPropensity.load(tmp_path).predict(values, NAMES, ("City",))
    assert np.array_equal(again, model.predict(values, NAMES, ("City",)))
    head = json.loads((tmp_path / "artifact.json").read_text())
    head["config"]["categories"] = ["City"]
    (tmp_path / "artifact.json").write_text(json.dumps(head))
    with pytest.raises(ArtifactError, match="do not fit each other"):
        CategoryPropensity.load(tmp_path)
