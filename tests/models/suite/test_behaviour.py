"""What every recommender does, whatever it was fitted by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.artifact import Artifact, ArtifactError
from models.errors import ModelError
from models.listing import Recommender
from tests.models.suite.recommenders import ITEM_IDS, ITEMS, LOADERS, MAKERS, MEMBERS, POPULARITY

STRANGERS = ("", "m", "m00", "m000 ", "m000\0", "M000", "zzz", "\ud800", "?")
MADE = {kind: make() for kind, make in MAKERS.items()}
anyone = st.sampled_from([*MEMBERS[:8], "nobody"])
anything = st.sampled_from([*ITEMS[:9], "no item"])


@pytest.fixture(params=MADE)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model(kind: str) -> Recommender:
    return MADE[kind]


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(MADE)),
    st.lists(anyone, max_size=8),
    st.integers(1, 60),
    st.dictionaries(anyone, st.sets(anything)),
)
def test_nothing_excluded_nothing_twice_nothing_padded(
    kind: str, members: list[str], k: int, exclude: dict[str, set[str]]
) -> None:
    answers = MADE[kind].recommend(members, k, exclude)
    assert len(answers) == len(members)
    for member, answer in zip(members, answers, strict=True):
        barred = exclude.get(member, set())
        assert not barred & set(answer.items)
        assert set(answer.items) <= set(ITEMS)
        assert len(set(answer.items)) == len(answer.items) == len(answer.scores)
        assert len(answer.items) <= min(k, len(set(ITEMS) - barred))
        assert list(answer.scores) == sorted(answer.scores, reverse=True)
        assert np.isfinite(answer.scores).all()


def test_a_member_who_may_get_nothing_gets_nothing(model: Recommender) -> None:
    answers = model.recommend([MEMBERS[0], "nobody"], 5, {MEMBERS[0]: ITEMS, "nobody": ITEMS})
    assert [answer.items for answer in answers] == [(), ()]


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_never_answers_as_a_member(model: Recommender, stranger: str) -> None:
    (answer,) = model.recommend([stranger], len(ITEMS))
    best = np.argsort(-POPULARITY, kind="stable")
    assert answer.source == "popularity"
    assert answer.items == tuple(ITEMS[item] for item in best)
    assert np.isnan(model.item_scores([stranger], ITEMS)).all()


def test_strangers_do_not_change_what_members_get(model: Recommender) -> None:
    among = model.recommend([STRANGERS[0], MEMBERS[3], "nobody", MEMBERS[0]], 7)
    assert [among[1], among[3]] == model.recommend([MEMBERS[3], MEMBERS[0]], 7)


def test_answers_are_the_same_every_time(kind: str) -> None:
    again = MAKERS[kind]()
    assert again.recommend(MEMBERS, 10) == MADE[kind].recommend(MEMBERS, 10)


def test_one_member_alone_gets_what_it_gets_among_many(model: Recommender) -> None:
    together = model.recommend(MEMBERS, 10)
    assert [model.recommend([member], 10)[0] for member in MEMBERS] == together


def test_a_longer_list_begins_with_the_shorter(model: Recommender) -> None:
    for short, long in zip(model.recommend(MEMBERS, 3), model.recommend(MEMBERS, 12), strict=True):
        assert long.items[:3] == short.items


def test_comes_back_from_disk_the_same(kind: str, tmp_path: Path) -> None:
    model = MADE[kind]
    model.save(tmp_path)
    back = LOADERS[kind](tmp_path)
    members = [*MEMBERS, "nobody"]
    assert back.recommend(members, 12) == model.recommend(members, 12)
    assert np.array_equal(
        back.item_scores(members, ITEMS), model.item_scores(members, ITEMS), equal_nan=True
    )


def test_another_kind_of_model_is_not_read(kind: str, tmp_path: Path) -> None:
    Artifact("propensity", {}, {}).save(tmp_path)
    with pytest.raises(ArtifactError, match="wanted"):
        LOADERS[kind](tmp_path)


def test_a_list_of_no_places_is_refused(model: Recommender) -> None:
    with pytest.raises(ModelError, match="k is 0"):
        model.recommend([MEMBERS[0]], 0)


def test_says_what_it_can_list(model: Recommender) -> None:
    assert model.item_ids.tolist() == ITEM_IDS.tolist()
    assert model.popularity.tolist() == POPULARITY.tolist()


def test_nobody_asked_is_nobody_answered(model: Recommender) -> None:
    assert model.recommend([], 5) == []
    assert model.item_scores([], ITEMS).shape == (0, len(ITEMS))
