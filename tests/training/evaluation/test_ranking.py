from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.plain import Popularity
from training.errors import TrainingError
from training.evaluation.ranking import (
    LaterPeriod,
    Rivals,
    compare_lists,
    lists_quality,
    member_quality,
    paired_error,
)

POPULAR = Popularity(np.array([b"gin", b"rum", b"tea"]), np.array([1, 3, 2], dtype=np.float32))
LATER = LaterPeriod(
    {"ann": {"tea"}, "bob": {"rum", "tea"}},
    {"ann": {"tea", "rum"}, "bob": {"tea"}, "eve": {"gin"}},
)


def test_recall_and_ndcg_by_hand() -> None:
    ranked = [["tea", "rum", "bread"], ["rum", "tea"]]
    quality = member_quality(ranked, [{"rum", "gin"}, {"rum"}], k=2).means
    assert quality.members == 2
    assert quality.recall == pytest.approx((1 / 2 + 1) / 2)
    second = 1 / np.log2(3)
    assert quality.ndcg == pytest.approx((second / (1 + second) + 1) / 2)


def test_nobody_wanting_anything_cannot_be_judged() -> None:
    with pytest.raises(TrainingError, match="no member bought"):
        member_quality([["tea"]], [set()], k=1)
    with pytest.raises(TrainingError, match="no member bought"):
        member_quality([], [], k=1)


@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 9), unique=True, max_size=8),
            st.sets(st.integers(0, 9), min_size=1),
        ),
        min_size=1,
    ),
    st.integers(1, 6),
)
def test_figures_lie_between_nothing_and_all(
    rows: list[tuple[list[int], set[int]]], k: int
) -> None:
    ranked: Sequence[Sequence[str]] = [[str(item) for item in items] for items, _ in rows]
    wanted: Sequence[Collection[str]] = [{str(item) for item in items} for _, items in rows]
    found = member_quality(ranked, wanted, k)
    assert ((found.recall >= 0) & (found.recall <= 1)).all()
    assert ((found.ndcg >= 0) & (found.ndcg <= 1 + 1e-12)).all()
    assert ((found.recall == 0) == (found.ndcg == 0)).all()


def test_repeat_and_explore_count_what_was_and_was_not_bought_before() -> None:
    everything: Mapping[str, object] = {"ann": {"tea", "rum"}, "bob": {"tea"}, "eve": {"gin"}}
    assert LATER.of_kind("all") == (everything, {})
    assert LATER.of_kind("repeat") == ({"ann": {"tea"}, "bob": {"tea"}}, {})
    assert LATER.of_kind("explore") == ({"ann": {"rum"}, "eve": {"gin"}}, LATER.owned)


def test_exploring_neither_lists_nor_counts_what_was_bought_before() -> None:
    found = lists_quality(POPULAR, LATER, "explore", 1)
    assert found.recall.tolist() == [1, 0]
    assert lists_quality(POPULAR, LATER, "all", 1).recall.tolist() == [0.5, 0, 0]


def test_kinds_that_nobody_bought_are_left_out() -> None:
    only_repeats = LaterPeriod({"ann": {"tea"}}, {"ann": {"tea"}})
    made = compare_lists(POPULAR, Rivals({}), only_repeats, ("explore", "all", "repeat"), 2)
    assert [one.metric for one in made] == [
        "recall@2 all", "ndcg@2 all", "recall@2 repeat", "ndcg@2 repeat",
    ]  # fmt: skip


def test_the_champion_is_compared_member_by_member() -> None:
    worse = Popularity(POPULAR.item_ids, np.array([3, 1, 2], dtype=np.float32))
    recall = compare_lists(POPULAR, Rivals({"worse": worse}, worse), LATER, ("all",), 1)[0]
    assert recall.ours == pytest.approx(1 / 6)
    assert recall.champion == pytest.approx(1 / 3)
    assert recall.baselines == {"worse": recall.champion}
    assert recall.error == paired_error(np.array([0.5, 0, 0]), np.array([0, 0, 1]))


def test_an_error_is_of_the_difference() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=4_000)
    ours = base + rng.normal(0.0, 0.1, 4_000)
    assert paired_error(ours, base) == pytest.approx(0.1 / np.sqrt(4_000), rel=0.05)
    assert paired_error(base[:1], ours[:1]) == 0


def test_only_members_asked_for_are_measured_and_most_are_drawn() -> None:
    few = LATER.among({"ann", "bob"}, 1, seed=0)
    assert len(few.wanted) == 1
    assert LATER.among({"eve", "bob"}, 9, seed=0).wanted == {
        "bob": {"tea"}, "eve": {"gin"},
    }  # fmt: skip
    with pytest.raises(TrainingError, match="bought an item in the test window"):
        LATER.among({"zoe"}, 9, seed=0)
