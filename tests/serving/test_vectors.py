"""The sample of feature vectors: which decisions are in it, what is kept of them, and how many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from features.workspace import Workspace
from serving import vectors
from serving.log import Log
from serving.release import load_release
from serving.scorer import Decider, Scorer
from serving.settings import Settings, SettingsError
from serving.vectors import LoggedVector, in_sample, kept
from serving.watch import Fixed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving.conftest import Bench, FakeRelease

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Holding:
    """A decider that holds one fake release."""

    release: FakeRelease


def sample(log: Log) -> list[LoggedVector]:
    with log.reading() as connection:
        return kept(connection)


def decide(log: Log, decider: Decider, members: Sequence[str], share: float) -> None:
    Scorer(decider, log, share).decide("spring", dict.fromkeys(members), NOW)


def test_a_decision_is_in_the_sample_by_its_id_alone_and_in_proportion() -> None:
    ids = [f"decision{number}" for number in range(20_000)]
    tenth = {one for one in ids if in_sample(one, 0.1)}
    assert len(tenth) == pytest.approx(2_000, rel=0.1)
    assert tenth == {one for one in ids if in_sample(one, 0.1)}
    assert tenth > {one for one in ids if in_sample(one, 0.05)}
    assert all(in_sample(one, 1.0) for one in ids)
    assert not any(in_sample(one, 0.0) for one in ids)


def test_keeps_what_the_release_knew_of_each_member(bench: Bench, log: Log) -> None:
    release = load_release(bench.release("r1"), bench.trusted)
    decide(log, Fixed(release), ["m07", "stranger"], share=1.0)
    known, unknown = sample(log)
    row = release.snapshot.take(release.snapshot.rows(["m07"]))[0]
    np.testing.assert_array_equal(np.frombuffer(known.vector, "<f4"), row)
    assert np.isnan(np.frombuffer(unknown.vector, "<f4")).all()
    assert (known.member_id, known.release) == ("m07", "r1")
    assert datetime.fromisoformat(known.as_of) == release.snapshot.as_of
    stored = log.decision(known.decision_id)
    assert stored is not None
    assert stored.member_id == "m07"


def test_an_answer_given_again_is_not_sampled_again(make_fake: type[FakeRelease], log: Log) -> None:
    decider = Holding(make_fake())
    decide(log, decider, ["a", "b"], share=1.0)
    decide(log, decider, ["a", "b"], share=1.0)
    assert [one.member_id for one in sample(log)] == ["a", "b"]
    decide(log, decider, ["c"], share=0.0)
    assert len(sample(log)) == 2


def test_a_vector_is_kept_only_where_its_decision_stands(
    make_fake: type[FakeRelease], log: Log
) -> None:
    decide(log, Holding(make_fake()), ["a"], share=1.0)
    first = log.decided("spring", ["a"])["a"]
    late = replace(first, decision_id="late")
    vector = replace(sample(log)[0], decision_id="late")
    assert log.keep_decisions([late], [vector])["a"] == first
    assert [one.decision_id for one in sample(log)] == [first.decision_id]


def test_the_oldest_vectors_make_room(
    make_fake: type[FakeRelease], log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "KEPT", 3)
    decider = Holding(make_fake())
    for member in "abcde":
        decide(log, decider, [member], share=1.0)
    assert [one.member_id for one in sample(log)] == ["c", "d", "e"]


def test_a_sample_that_is_no_share_starts_no_scorer(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"the vector sample is 1\.5, wanted 0 to 1"):
        Settings(Workspace(tmp_path), vector_sample=1.5)
