"""The durable state of fresh features: nothing is lost between two processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.errors import FeatureError
from features.fresh import HORIZON, Contacted, Did, MemberState, fold
from features.fresh_state import FreshState

NOW = datetime(2026, 5, 20, 15, tzinfo=UTC)
CARTED = fold(MemberState(), Did("add_to_cart", NOW, "boots", "shoes", 80.0))
SENT = fold(CARTED, Contacted("d1", NOW, failed=True))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feast" / "fresh.db"


@pytest.fixture
def state(path: Path) -> Iterator[FreshState]:
    with closing(FreshState(path)) as state:
        yield state


def test_another_process_reads_what_was_kept(path: Path, state: FreshState) -> None:
    state.keep({"m1": SENT, "m2": MemberState()}, {"events": 7}, NOW)
    with closing(FreshState(path)) as again:
        assert again.members(["m1", "m2", "m3"]) == {"m1": SENT, "m2": MemberState()}
        assert (again.mark("events"), again.mark("decisions")) == (7, 0)


def test_a_member_is_unsent_until_it_was_sent(state: FreshState) -> None:
    state.keep({"m1": SENT, "m2": CARTED}, {"events": 1}, NOW)
    assert state.unsent(NOW, 1).keys() < {"m1", "m2"}
    state.sent({"m1": SENT}, NOW)
    assert state.unsent(NOW, 10) == {"m2": CARTED}


def test_a_cart_that_ages_is_sent_again_once(state: FreshState) -> None:
    state.keep({"m1": CARTED}, {}, NOW)
    state.sent({"m1": CARTED}, NOW)
    later = NOW + HORIZON + timedelta(seconds=1)
    assert state.unsent(NOW + HORIZON, 10) == {}
    assert state.unsent(later, 10) == {"m1": CARTED}
    state.sent({"m1": CARTED}, later)
    assert state.unsent(later + HORIZON, 10) == {}


def test_states_and_marks_are_kept_together_or_not_at_all(state: FreshState) -> None:
    state.keep({"m1": CARTED}, {"events": 1}, NOW)
    broken = {"events": None}
    with pytest.raises(Exception, match="NOT NULL"):
        state.keep({"m1": SENT}, broken, NOW)  # type: ignore[arg-type]
    assert state.members(["m1"]) == {"m1": CARTED}
    assert state.mark("events") == 1


def test_another_file_is_told(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("no database, though long enough to be looked at as one" * 20)
    with pytest.raises(FeatureError, match=r"fresh\.db: not readable .*; delete it"):
        FreshState(path)
