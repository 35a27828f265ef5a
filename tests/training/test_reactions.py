from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.progress import silent
from features.workspace import Workspace
from models.category import CategoryPropensity
from models.propensity import Propensity
from tests.training.reacting_shop import FAILED, reacting_shop
from tests.training.shops import AS_OF, OPENED
from training.categories import CATEGORY
from training.errors import TrainingError
from training.frames import Split
from training.outcomes import Period
from training.propensity import train_outcome
from training.reactions import CLICK, OPEN, parts_by_time


@pytest.fixture(scope="module")
def reacting(tmp_path_factory: pytest.TempPathFactory, empty_record: Path) -> Workspace:
    made = Workspace(tmp_path_factory.mktemp("reacting"))
    shutil.copytree(empty_record, made.mlflow)
    reacting_shop(made)
    return made


@pytest.fixture(scope="module")
def opens(reacting: Workspace) -> Split:
    return OPEN.rows(reacting, Period(AS_OF, 30), silent)


def day(moment: np.datetime64) -> float:
    return float((moment - np.datetime64("2025-01-01")) / np.timedelta64(1, "D"))


@pytest.mark.slow
def test_pushes_are_split_by_time_with_their_windows_apart(opens: Split) -> None:
    sent = [
        sorted({day(one) for one in part.moments})
        for part in (opens.train, opens.calibrate, opens.test)
    ]
    assert sent == [
        [50, 70, 90, 110, 130],
        [150],
        [170],
    ]
    assert opens.measured_from == OPENED + timedelta(days=170)


@pytest.mark.slow
def test_what_did_not_arrive_is_no_row_and_what_came_late_no_reaction(
    opens: Split, reacting: Workspace
) -> None:
    everything = opens.known.followed_by(opens.test)
    assert FAILED not in everything.member_ids
    clicks = CLICK.rows(reacting, Period(AS_OF, 30), silent)
    assert 0.1 < clicks.train.happened.mean() < opens.train.happened.mean() < 0.4
    patient = OPEN.rows(reacting, Period(AS_OF, 30), silent)
    assert patient.digest() == opens.digest()


@pytest.mark.slow
def test_features_know_nothing_of_the_push_itself(opens: Split) -> None:
    first = opens.train.where(opens.train.moments == opens.train.moments.min())
    assert not np.nan_to_num(first.column("contacts_30d")).any()


@pytest.mark.slow
def test_who_opened_before_opens_again(reacting: Workspace) -> None:
    opening, clicking = (
        train_outcome(reacting, OPEN, Period(AS_OF, 30)),
        train_outcome(reacting, CLICK, Period(AS_OF, 30)),
    )
    assert (opening.name, clicking.name) == ("propensity-open", "propensity-click")
    assert opening.comparisons[0].ours > 0.65
    assert clicking.comparisons[0].ours > 0.55
    assert set(opening.comparisons[0].baselines) == {
        "opens", "clicks", "opens of contacts", "ignored"
    }  # fmt: skip
    assert Propensity.load(opening.folder).outcome == "open"


@pytest.mark.slow
def test_buys_in_a_category_are_learned_of_all_categories_together(reacting: Workspace) -> None:
    trained = train_outcome(reacting, CATEGORY, Period(AS_OF, 30))
    assert set(trained.comparisons[0].baselines) == {"interest", "recency", "popularity"}
    assert trained.comparisons[0].ours > 0.65
    model = CategoryPropensity.load(trained.folder)
    assert set(model.categories) == {"a", "b", "bread"}
    split = CATEGORY.rows(reacting, Period(AS_OF, 30), silent)
    assert len(split.test.happened) % (len(model.categories) + 1) == 0


def test_no_pushes_are_no_reactions(shop: Workspace) -> None:
    with pytest.raises(TrainingError, match="no sent decision whose window closed"):
        train_outcome(shop, OPEN, Period(AS_OF, 30))


@given(st.lists(st.integers(0, 200), min_size=1, max_size=60), st.integers(1, 40))
def test_each_part_begins_after_the_windows_of_the_one_before(days: list[int], window: int) -> None:
    at = np.sort(np.datetime64("2026-01-01", "us") + np.array(days) * np.timedelta64(1, "D"))
    until = at + np.timedelta64(window, "D")
    try:
        parts = parts_by_time(at, until)
    except TrainingError:
        return  # days that do not make three periods
    assert until[parts.train].max() <= at[parts.calibrate].min()
    assert until[parts.calibrate].max() <= at[parts.test].min()
    assert at[parts.test].max() == at.max()
    for moment in np.unique(at):
        together = at == moment
        for part in (parts.train, parts.calibrate, parts.test):
            assert part[together].all() or not part[together].any()
