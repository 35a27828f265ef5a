"""What a trial adds up and ranks once, against the same by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from experiments.trial import Ranking, Trial

Row = tuple[int, int, bool, bool]  # push, prediction, whether among, whether picked
ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.booleans(), st.booleans()))


@given(ROWS)
def test_the_best_of_each_push_are_as_many_as_wanted_and_equals_share(rows: list[Row]) -> None:
    push = np.array([row[0] for row in rows], dtype=np.int64)
    predicted = np.array([row[1] for row in rows], dtype=np.float64)
    among = np.array([row[2] for row in rows], dtype=bool)
    picked = np.array([row[3] for row in rows], dtype=bool)
    wanted = np.bincount(push[picked], minlength=4)
    share = Ranking.of(predicted, push).best(wanted, among)
    for number in range(4):
        mine = (push == number) & among
        left = min(int(wanted[number]), int(mine.sum()))
        for value in sorted(set(predicted[mine]), reverse=True):
            level = mine & (predicted == value)
            got = min(left / level.sum(), 1.0)
            assert np.allclose(share[level], got)
            left = max(left - int(level.sum()), 0)
    assert not share[~among].any()


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-9, 9), st.floats(0, 1)), min_size=1))
def test_sums_are_those_of_each_member(rows: list[tuple[int, float, float]]) -> None:
    member, gain, share = (np.array(column) for column in zip(*rows, strict=True))
    nothing = np.zeros(len(rows))
    one = Trial(gain, 2 * gain, nothing, nothing, nothing, nothing > 0, member, member * 0)
    found = one.sums(share)
    for place, number in enumerate(np.unique(member)):
        mine = member == number
        wanted = [share[mine].sum(), (share * gain)[mine].sum(), (2 * share * gain)[mine].sum()]
        assert np.allclose(found[place], wanted)
    assert (one.members, one.pushes) == (len(set(member)), 1)
