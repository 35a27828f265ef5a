from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from experiments.standout import traits

NAMES = ("recency", "tier", "noise", "seen")


def shop(n: int = 400) -> np.ndarray:
    """The first half came lately, is mostly gold, and never saw it."""
    rng = np.random.default_rng(0)
    first = np.arange(n) < n // 2
    return np.column_stack(
        [
            np.where(first, 5, 50) + rng.normal(0, 10, n),
            np.where(first, rng.random(n) < 0.9, rng.random(n) < 0.3),
            rng.normal(size=n),
            np.where(first, np.nan, rng.normal(size=n)),
        ]
    ).astype(np.float32)


def test_names_what_sets_a_group_apart_and_leaves_out_the_rest() -> None:
    first = np.arange(400) < 200
    found = traits(shop(), (NAMES, {"tier": ("silver", "gold")}), first, ~first)
    assert [trait.feature for trait in found] == ["seen", "recency", "tier"]
    assert found[0].told == "seen is missing for 100%, against 0%"
    assert found[1].told.startswith("recency is lower (")
    assert found[2].told.startswith("tier is ")


def test_of_many_members_some_tell_the_same_as_all() -> None:
    n = 90_000  # 45,000 on either side, of whom every third is looked at: 15,000
    first = np.arange(n) < n // 2
    found = traits(shop(n), (NAMES, {"tier": ("silver", "gold")}), first, ~first)
    assert [trait.feature for trait in found] == ["seen", "recency", "tier"]
    error = 10 / 15_000**0.5  # of a mean, whose values vary by 10
    assert abs(found[1].group - 5) < 4 * error
    assert abs(found[1].rest - 50) < 4 * error
    assert found[1].group != shop(n)[first, 0].astype(np.float64).mean()


def test_a_group_of_nobody_has_no_traits() -> None:
    nobody = np.zeros(400, dtype=bool)
    assert traits(shop(), (NAMES, {}), nobody, ~nobody) == ()


@given(seed=st.integers(0, 1_000), most=st.integers(1, 4))
def test_the_largest_differences_come_first(seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(60, 4)).astype(np.float32)
    values[rng.random((60, 4)) < 0.3] = np.nan
    group = rng.random(60) < 0.5
    found = traits(values, (NAMES, {}), group, ~group, most)
    apart = [abs(trait.apart) for trait in found]
    assert apart == sorted(apart, reverse=True)
    assert len(found) <= most
