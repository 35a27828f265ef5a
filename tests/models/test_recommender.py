from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.artifact import Artifact, ArtifactError
from models.errors import ModelError
from models.recommender import AlsRecommender, load_recommender


def recommender(members: int = 4, items: int = 6, factors: int = 2) -> AlsRecommender:
    random = np.random.default_rng(0)
    return AlsRecommender(
        np.array(sorted(f"m{row}".encode() for row in range(members)), dtype=np.bytes_),
        np.array(sorted(f"i{row}".encode() for row in range(items)), dtype=np.bytes_),
        random.normal(size=(members, factors)).astype(np.float32),
        random.normal(size=(items, factors)).astype(np.float32),
        np.arange(items, dtype=np.float32),
    )


def hand_made() -> AlsRecommender:
    """Ann likes tea, Bob likes rum; most people buy bread."""
    return AlsRecommender(
        np.array([b"ann", b"bob"]),
        np.array([b"bread", b"rum", b"tea"]),
        np.array([[1, 0], [0, 1]], dtype=np.float32),
        np.array([[0.1, 0.1], [0, 1], [1, 0]], dtype=np.float32),
        np.array([9, 2, 3], dtype=np.float32),
    )


def test_lists_what_a_member_likes_best_first() -> None:
    ann, bob = hand_made().recommend(["ann", "bob"], k=2)
    assert (ann.items, ann.source) == (("tea", "bread"), "als")
    assert bob.items == ("rum", "bread")
    assert list(bob.scores) == pytest.approx([1, 0.1])


def test_an_unknown_member_gets_what_is_popular_and_is_told_so() -> None:
    (answer,) = hand_made().recommend(["eve"], k=3)
    assert (answer.items, answer.source) == (("bread", "tea", "rum"), "popularity")


@pytest.mark.parametrize("stranger", ["", "an", "ann ", "ann\0", "zzz", "\ud800", "?", "Ann"])
def test_an_unknown_member_never_answers_as_another(stranger: str) -> None:
    model = hand_made()
    assert model.recommend([stranger], k=1)[0].source == "popularity"
    assert np.isnan(model.item_scores([stranger], ["tea"])).all()


def test_items_run_out_rather_than_be_padded() -> None:
    (answer,) = hand_made().recommend(["ann"], k=10, exclude={"ann": {"tea"}})
    assert answer.items == ("bread", "rum")
    (nothing,) = hand_made().recommend(["eve"], k=10, exclude={"eve": {"bread", "rum", "tea"}})
    assert nothing.items == ()


def test_equal_scores_go_by_item_id() -> None:
    model = AlsRecommender(
        np.array([b"ann"]),
        np.array([b"a", b"b", b"c", b"d"]),
        np.ones((1, 1), dtype=np.float32),
        np.ones((4, 1), dtype=np.float32),
        np.zeros(4, dtype=np.float32),
    )
    assert model.recommend(["ann", "eve"], k=2) == [
        model.recommend(["ann"], k=2)[0],
        model.recommend(["eve"], k=2)[0],
    ]
    assert model.recommend(["ann"], k=2)[0].items == ("a", "b")


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([f"m{row}" for row in range(8)]), max_size=8),
    st.integers(1, 9),
    st.dictionaries(
        st.sampled_from([f"m{row}" for row in range(8)]),
        st.sets(st.sampled_from([f"i{row}" for row in range(9)])),
    ),
)
def test_nothing_excluded_nothing_twice_nothing_unscored(
    members: list[str], k: int, exclude: dict[str, set[str]]
) -> None:
    answers = recommender().recommend(members, k, exclude)
    assert len(answers) == len(members)
    for member, answer in zip(members, answers, strict=True):
        assert not exclude.get(member, set()) & set(answer.items)
        left = 6 - len(exclude.get(member, set()) & {f"i{row}" for row in range(6)})
        assert len(set(answer.items)) == len(answer.items) == min(k, left)
        assert list(answer.scores) == sorted(answer.scores, reverse=True)
        assert all(np.isfinite(answer.scores))


def test_one_member_alone_gets_what_it_gets_among_many() -> None:
    model = recommender(members=300, items=90, factors=33)
    everyone = [f"m{row}" for row in range(300)]
    together = model.recommend(everyone, k=10)
    assert [model.recommend([member], k=10)[0] for member in everyone] == together


def test_scores_pairs_and_leaves_unknown_ones_empty() -> None:
    scores = hand_made().item_scores(["bob", "eve"], ["rum", "gin", "tea"])
    assert scores[0, [0, 2]].tolist() == [1, 0]
    assert np.isnan(scores[0, 1])
    assert np.isnan(scores[1]).all()


def test_comes_back_from_disk_the_same(tmp_path: Path) -> None:
    model = recommender()
    model.save(tmp_path)
    everyone = ["m0", "m1", "m2", "m3", "nobody"]
    assert AlsRecommender.load(tmp_path).recommend(everyone, 6) == model.recommend(everyone, 6)


def test_factors_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="wanted"):
        AlsRecommender(
            np.array([b"ann"]),
            np.array([b"tea"]),
            np.ones((2, 1), dtype=np.float32),
            np.ones((1, 1), dtype=np.float32),
            np.zeros(1, dtype=np.float32),
        )
    with pytest.raises(ModelError, match="item_ids are not sorted"):
        AlsRecommender(
            np.array([b"ann"]),
            np.array([b"tea", b"rum"]),
            np.ones((1, 1), dtype=np.float32),
            np.ones((2, 1), dtype=np.float32),
            np.zeros(2, dtype=np.float32),
        )
    Artifact("recommender", {}, {"member_ids": np.array([b"ann"])}).save(tmp_path)
    with pytest.raises(ArtifactError, match="not a readable recommender"):
        AlsRecommender.load(tmp_path)


def test_a_list_of_no_places_is_refused() -> None:
    with pytest.raises(ModelError, match="k is 0"):
        hand_made().recommend(["ann"], k=0)


def test_a_new_member_is_folded_in_from_the_first_items_it_met() -> None:
    model = hand_made()
    (factors,) = model.fold_in([{"tea": 2.0}])
    assert factors[0] > factors[1]
    (answer,) = model.recommend_new([{"tea": 2.0, "gin": 1.0}], k=1, exclude=[{"bread"}])
    assert (answer.items, answer.source) == (("tea",), "als")


def test_who_met_nothing_known_gets_what_is_popular() -> None:
    answers = hand_made().recommend_new([{}, {"gin": 1.0}], k=1)
    assert [(answer.items, answer.source) for answer in answers] == [
        (("bread",), "popularity"), (("bread",), "popularity"),
    ]  # fmt: skip
    assert np.isnan(hand_made().fold_in([{}])).all()


@settings(deadline=None, max_examples=40)
@given(
    st.dictionaries(
        st.sampled_from([f"i{row:02d}" for row in range(30)]), st.floats(1e-3, 50), min_size=1
    ),
    st.integers(1, 12),
)
def test_folding_in_solves_the_least_squares_of_the_factorisation(
    first: dict[str, float], width: int
) -> None:
    random = np.random.default_rng(width)
    items = np.array([f"i{row:02d}".encode() for row in range(30)])
    factors = random.normal(size=(30, width)).astype(np.float32)
    model = AlsRecommender(
        np.array([], dtype="S1"),
        items,
        np.zeros((0, width), dtype=np.float32),
        factors,
        np.zeros(30, dtype=np.float32),
        regularization=2.0,
        confidence=3.0,
    )
    confidence = np.ones(30)
    met = np.zeros(30)
    for item, weight in first.items():
        confidence[int(item[1:])] += 3.0 * np.float32(weight)
        met[int(item[1:])] = 1
    wide = factors.astype(np.float64)
    gram = (wide.T * confidence) @ wide + 2.0 * np.eye(width)
    wanted = np.linalg.solve(gram, wide.T @ (confidence * met))
    assert model.fold_in([first])[0] == pytest.approx(wanted, rel=1e-4, abs=1e-5)


def test_items_that_nobody_met_do_not_sway_a_member_folded_in() -> None:
    learned = recommender()
    cold = AlsRecommender(
        learned.member_ids,
        np.append(learned.item_ids, b"i9"),
        learned.member_factors,
        np.vstack([learned.item_factors, np.ones((1, 2), dtype=np.float32)]),
        np.append(learned.popularity, np.float32(0)),
        cold=np.array([6]),
    )
    assert np.array_equal(cold.fold_in([{"i1": 1.0}]), learned.fold_in([{"i1": 1.0}]))


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_refused(weight: float) -> None:
    with pytest.raises(ModelError, match="wanted a number above 0"):
        hand_made().fold_in([{"tea": weight}])


def test_a_folder_without_a_recommender_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="not a readable recommender"):
        load_recommender(tmp_path)
