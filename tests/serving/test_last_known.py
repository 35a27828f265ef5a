"""What was read last of a member, for a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from features.fresh_reader import Fresh
from serving.last_known import LastKnown

NOW = datetime(2026, 5, 20, 15, tzinfo=UTC)


def fresh(behind: float) -> Fresh:
    return Fresh({}, behind)


def test_the_newest_read_is_given() -> None:
    known = LastKnown()
    known.keep({"m1": fresh(1.0)}, NOW)
    known.keep({"m1": fresh(2.0)}, NOW - timedelta(seconds=5))  # begun earlier, came in later
    assert known.of(["m1", "m2"], NOW) == {"m1": fresh(1.0)}


def test_what_is_too_old_is_not_given_and_not_kept() -> None:
    known = LastKnown(age=timedelta(minutes=1))
    known.keep({"m1": fresh(1.0)}, NOW)
    assert known.of(["m1"], NOW + timedelta(minutes=1))
    assert not known.of(["m1"], NOW + timedelta(minutes=1, microseconds=1))
    assert len(known) == 0


def test_whoever_was_not_asked_for_the_longest_goes() -> None:
    known = LastKnown(members=2)
    known.keep({"m1": fresh(1.0)}, NOW)
    known.keep({"m2": fresh(2.0)}, NOW)
    known.of(["m1"], NOW)
    known.keep({"m3": fresh(3.0)}, NOW)
    assert set(known.of(["m1", "m2", "m3"], NOW)) == {"m1", "m3"}


def test_an_erased_member_is_forgotten() -> None:
    known = LastKnown()
    known.keep({"m1": fresh(1.0), "m2": fresh(2.0)}, NOW)
    known.forget("m1")
    known.forget("nobody")
    assert set(known.of(["m1", "m2"], NOW)) == {"m2"}
