from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.workspace import Workspace
from tests.training.shops import AS_OF, OPENED, purchases, store
from training.errors import TrainingError
from training.frames import (
    LabelledRows,
    first_event,
    label_windows,
    labelled_rows,
    newest_day,
)

MONTH = timedelta(days=30)
WINDOWS = label_windows(OPENED, AS_OF, MONTH)
# Of other shops only the last window is looked at: features of those to train on need no building.
LAST = replace(WINDOWS, train=())


@pytest.fixture(scope="module")
def rows(shop: Workspace) -> LabelledRows:
    return labelled_rows(shop, WINDOWS)


def shop_of(folder: Path, events: pd.DataFrame, members: pd.DataFrame | None = None) -> Workspace:
    made = Workspace(folder)
    store(made, "events", events)
    if members is not None:
        store(made, "members", members)
    return made


def naive(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.replace(tzinfo=None), "us")


@given(st.integers(0, 3000), st.integers(1, 120))
def test_windows_follow_each_other_and_end_by_the_moment_asked(history: int, days: int) -> None:
    horizon = timedelta(days=days)
    try:
        windows = label_windows(AS_OF - timedelta(days=history), AS_OF, horizon)
    except TrainingError:
        assert history < 6 * days
        return
    ends = [moment + horizon for moment in windows.moments]
    assert list(windows.moments[1:]) == ends[:-1]
    assert ends[-1] == AS_OF
    assert windows.train[0] - horizon >= AS_OF - timedelta(days=history)
    assert 3 <= len(windows.train) <= 6


def test_too_little_history_says_how_much_there_is_and_is_needed() -> None:
    with pytest.raises(TrainingError, match=r"100 days of events .* wanted 180 for a horizon"):
        label_windows(AS_OF - timedelta(days=100), AS_OF, MONTH)


def test_a_member_bought_if_a_purchase_lies_in_the_horizon(rows: LabelledRows) -> None:
    events = purchases()
    for moment in WINDOWS.moments:
        inside = events.occurred_at.between(moment, moment + MONTH, inclusive="left")
        buyers = set(events.member_id[inside])
        here = rows.at(moment)
        assert here.happened.tolist() == [member in buyers for member in here.member_ids.tolist()]


def test_everyone_with_an_event_by_then_has_one_row(rows: LabelledRows) -> None:
    events = purchases()
    for moment in WINDOWS.moments:
        there = sorted(set(events.member_id[events.occurred_at < moment]))
        assert rows.at(moment).member_ids.tolist() == there


def test_features_do_not_know_the_outcome(rows: LabelledRows, tmp_path: Path) -> None:
    events = purchases()
    moment = WINDOWS.test
    past = events[events.occurred_at < moment]
    extra = events[events.occurred_at >= moment].assign(member_id="m0000", unit_price=None)
    altered = labelled_rows(shop_of(tmp_path, pd.concat([past, extra])), LAST).at(moment)
    assert np.array_equal(altered.values, rows.at(moment).values, equal_nan=True)
    assert altered.happened.sum() == 1 < rows.at(moment).happened.sum()


def test_outcomes_do_not_read_the_past(rows: LabelledRows, tmp_path: Path) -> None:
    events = purchases()
    moment = WINDOWS.test
    later = events[events.occurred_at >= moment]
    seen = pd.DataFrame({"member_id": np.unique(rows.at(moment).member_ids)}).assign(
        event_id=lambda frame: "first" + frame.member_id,
        type="purchase",
        occurred_at=pd.Timestamp(OPENED),
        known_at=pd.Timestamp(OPENED),
    )
    other_past = labelled_rows(shop_of(tmp_path, pd.concat([seen, later])), LAST).at(moment)
    assert np.array_equal(other_past.happened, rows.at(moment).happened)


def test_a_member_yet_to_join_is_not_there_and_one_who_joined_is(tmp_path: Path) -> None:
    members = pd.DataFrame(
        {
            "member_id": ["early", "late"],
            "joined_at": pd.to_datetime([WINDOWS.test - MONTH, WINDOWS.test + MONTH]),
        }
    )
    made = shop_of(tmp_path, purchases(members=20), members)
    there = labelled_rows(made, LAST).at(WINDOWS.test).member_ids.tolist()
    assert "early" in there
    assert "late" not in there


def test_a_purchase_reported_after_the_end_is_not_yet_an_outcome(tmp_path: Path) -> None:
    events = purchases(members=20)
    late = events.occurred_at >= WINDOWS.test
    events.loc[late, "known_at"] = pd.Timestamp(AS_OF + timedelta(days=1))
    made = shop_of(tmp_path, events)
    assert not labelled_rows(made, LAST).at(WINDOWS.test).happened.any()


def test_the_digest_tells_whether_the_rows_are_the_same(
    rows: LabelledRows, shop: Workspace
) -> None:
    assert labelled_rows(shop, WINDOWS).digest() == rows.digest()
    assert rows.at(*WINDOWS.train).digest() != rows.digest()


def test_the_sample_of_very_many_members_follows_the_seed(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.frames.MOST_MEMBERS", 40)
    first, same, other = (labelled_rows(shop, WINDOWS, seed) for seed in (0, 0, 1))
    assert len(first.at(WINDOWS.test).happened) == 40
    assert first.digest() == same.digest() != other.digest()


def test_a_feature_that_is_absent_is_named(rows: LabelledRows) -> None:
    with pytest.raises(TrainingError, match="'views_7d'"):
        rows.column("views_7d")


def test_finds_the_first_event_and_the_newest_day(tmp_path: Path) -> None:
    at = pd.to_datetime(["2026-01-05T10:00Z", "2026-03-07T23:59Z"])
    events = pd.DataFrame(
        {"event_id": ["a", "b"], "member_id": "m", "type": "view", "occurred_at": at}
    )
    made = shop_of(tmp_path, events)
    assert newest_day(made) == datetime(2026, 3, 7, tzinfo=UTC)
    assert first_event(made, AS_OF + timedelta(days=365)) == at[0]
    with pytest.raises(TrainingError, match="no events before 2025-10-28"):
        first_event(made, AS_OF)


def test_no_events_at_all_says_so(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no events in .* give --as-of"):
        newest_day(Workspace(tmp_path))
