"""Members stay in their arm: tomorrow, elsewhere, and when shares change."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.assignment import BUCKETS, NOBODY, Allocation, Running, buckets, free_slots
from experiments.design import Analysis, Arm, Experiment
from experiments.errors import ExperimentError

MEMBERS = [f"m{number:07d}" for number in range(50_000)]
# As in docs/assignment.md; made with Node's crypto, not with this package.
VECTORS = (
    ("arm", "spring", "m1", 5809),
    ("arm", "spring", "m2", 3291),
    ("arm", "autumn", "m1", 6930),
    ("layer", "default", "m1", 5966),
    ("arm", "spring", "會員-1", 9295),
    ("arm", "spring", "", 5377),
)


def experiment(shares: Mapping[str, float], traffic: float = 1.0) -> Experiment:
    arms = tuple(Arm(name, share, "random") for name, share in shares.items())
    return Experiment("spring", arms, arms[0].name, traffic=traffic, analysis=Analysis())


def shares_of(weights: list[int]) -> dict[str, float]:
    total = sum(weights)
    return {f"arm{number}": weight / total for number, weight in enumerate(weights)}


@pytest.mark.parametrize(("kind", "name", "member", "bucket"), VECTORS)
def test_buckets_are_those_of_the_test_vectors(
    kind: str, name: str, member: str, bucket: int
) -> None:
    assert buckets(kind, name, [member]).tolist() == [bucket]


def test_buckets_are_the_same_in_another_process() -> None:
    code = (
        "from experiments.assignment import buckets;"
        "print(buckets('arm', 'spring', [f'm{n}' for n in range(50)]).tolist())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.strip() == str(
        buckets("arm", "spring", [f"m{n}" for n in range(50)]).tolist()
    )


def test_many_at_once_get_what_each_gets_alone() -> None:
    alone = [buckets("arm", "spring", [member])[0] for member in MEMBERS[:2_000]]
    assert buckets("arm", "spring", MEMBERS[:2_000]).tolist() == alone


def test_arms_get_their_shares() -> None:
    shares = {"champion": 0.5, "challenger": 0.3, "random": 0.15, "holdout": 0.05}
    arms = Allocation.of(shares).arms_of("spring", MEMBERS)
    for arm, share in enumerate(shares.values()):
        error = np.sqrt(share * (1 - share) / len(MEMBERS))
        assert abs((arms == arm).mean() - share) < 4 * error


def test_experiments_and_layers_are_independent_of_each_other() -> None:
    first, second = (buckets("arm", name, MEMBERS) for name in ("spring", "autumn"))
    layer = buckets("layer", "default", MEMBERS)
    for one, other in ((first, second), (first, layer)):
        together = np.mean((one < BUCKETS / 2) & (other < BUCKETS / 2))
        assert abs(together - 0.25) < 4 * np.sqrt(0.25 * 0.75 / len(MEMBERS))


@given(st.lists(st.integers(1, 100), min_size=2, max_size=6), st.data())
def test_a_change_of_shares_moves_no_more_than_it_has_to(
    weights: list[int], data: st.DataObject
) -> None:
    before = Allocation.of(shares_of(weights))
    size = len(weights)
    other = data.draw(st.lists(st.integers(0, 100), min_size=size, max_size=size).filter(any))
    after = before.changed(shares_of(other))
    had, has = (np.bincount(one.owner, minlength=size) for one in (before, after))
    assert np.abs(has / BUCKETS - list(shares_of(other).values())).max() <= 1 / BUCKETS
    assert (before.owner != after.owner).sum() == np.abs(had - has).sum() / 2
    assert ((before.owner == after.owner) | (has > had)[after.owner]).all()


@given(st.lists(st.integers(1, 100), min_size=2, max_size=6))
def test_an_allocation_reads_back_as_it_was_written(weights: list[int]) -> None:
    first = Allocation.of(shares_of(weights))
    there = first.changed(shares_of(weights[::-1]))
    back = Allocation.from_json(there.names, there.to_json())
    assert (back.owner == there.owner).all()


@given(st.lists(st.integers(1, 3_000), min_size=2, max_size=8))
def test_experiments_of_a_layer_exclude_each_other(sizes: list[int]) -> None:
    taken: list[tuple[tuple[int, int], ...]] = []
    for size in sizes:
        left = BUCKETS - sum(stop - start for slots in taken for start, stop in slots)
        if size > left:
            with pytest.raises(ExperimentError, match="left"):
                free_slots(taken, size / BUCKETS)
            taken.pop(0)  # an experiment stops: its members are free for the next
            continue
        taken.append(free_slots(taken, size / BUCKETS))
    held = np.zeros(BUCKETS, dtype=np.int64)
    for slots in taken:
        for start, stop in slots:
            held[start:stop] += 1
    assert held.max() <= 1


def test_a_member_is_in_at_most_one_experiment_of_a_layer() -> None:
    shares = {"a": 0.5, "b": 0.5}
    first = Running(experiment(shares), free_slots([], 0.3), Allocation.of(shares))
    second = Running(experiment(shares), free_slots([first.slots], 0.3), Allocation.of(shares))
    one, other = first.assign(MEMBERS), second.assign(MEMBERS)
    assert not ((one != NOBODY) & (other != NOBODY)).any()
    assert abs((one != NOBODY).mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / len(MEMBERS))


def test_the_shares_of_a_moment_are_those_that_held_then() -> None:
    even, uneven, most = ({"a": share, "b": 1 - share} for share in (0.5, 0.25, 0.9))
    day = [datetime(2026, 5, number, tzinfo=UTC) for number in range(1, 10)]
    first = Allocation.of(even)
    second = first.changed(uneven)
    third = second.changed(most)
    slots = free_slots([], 1.0)
    running = Running(
        experiment(even), slots, third, ((day[1], first), (day[3], second)), since=day[5]
    )
    found = [running.at(moment).share("a") for moment in (day[0], day[2], day[4], day[6])]
    assert found == [0.5, 0.5, 0.25, 0.9]
    assert Running(experiment(even), slots, first).at(day[0]).share("a") == 0.5


def test_a_share_of_less_than_a_bucket_is_refused() -> None:
    with pytest.raises(ExperimentError, match=r"share of arm 'tiny' is 1e-05, wanted 0\.0001"):
        Allocation.of({"most": 0.99999, "tiny": 0.00001})


def test_shares_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ExperimentError, match=r"add up to 0\.9, wanted 1"):
        experiment({"a": 0.5, "b": 0.4})


@pytest.mark.parametrize("shares", [{"a": float("nan"), "b": 0.5}, {"a": 1.5, "b": -0.5}])
def test_a_share_that_is_no_share_moves_nobody(shares: dict[str, float]) -> None:
    with pytest.raises(ExperimentError, match="wanted 1"):
        Allocation.of({"a": 0.5, "b": 0.5}).changed(shares)
