from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pyarrow import parquet

from decisions.catalogue import Push
from features.contract import EVENT_TYPES, TABLES
from features.ingest.schema import checked_schema
from training.errors import TrainingError
from training.market.clock import microseconds, shopping_days
from training.market.config import MarketConfig
from training.market.events import Events
from training.market.live import (
    NOT_ASKED,
    Live,
    catalogue,
    open_live,
    send,
    tell,
    write_events,
    write_outcomes,
)
from training.market.pushes import Round
from training.market.world import Sending, sending_of

CONFIG = MarketConfig(members=4_000, seed=3)
WEEK = timedelta(days=7)
OFFERS = ("hualien-percent-5", "hualien-percent-10", "hualien-content")


@pytest.fixture(scope="module")
def opened() -> Live:
    return open_live(CONFIG, 3 * WEEK)


@pytest.fixture(scope="module")
def begun(opened: Live) -> Live:
    """The year behind it is told."""
    live, _ = tell(opened, shopping_days(CONFIG.history_end))
    return live


def pushed(live: Live, week: int = 0) -> Sending:
    at = CONFIG.history_end + week * WEEK
    push = Push(f"week-{week}", "push", at, OFFERS, attribution_days=7.0)
    return sending_of(live.world, push)


def best(live: Live, sending: Sending) -> NDArray[np.int64]:
    gain = live.truth(sending).expected_gain
    chosen = np.where(gain.max(axis=1) > 0, gain.argmax(axis=1), -1)
    return np.where(live.reachable, chosen, NOT_ASKED)


def margin(done: Round, members: int) -> NDArray[np.float64]:
    """Of each member's purchases, in money."""
    (converted,) = (one for one in done.outcomes if one.type == "converted")
    assert converted.margin is not None
    cents = np.bincount(converted.member, converted.margin.astype(np.float64), members)
    return np.asarray(cents / 100, dtype=np.float64)


def after_a_week(live: Live, week: int) -> tuple[Live, Events]:
    return tell(live, shopping_days(CONFIG.history_end + (week + 1) * WEEK))


def same(one: Events, other: Events) -> bool:
    return all(np.array_equal(getattr(one, n), getattr(other, n)) for n in Events.__slots__)


def test_what_was_told_does_not_depend_on_what_is_sent_later(begun: Live) -> None:
    sending = pushed(begun, week=1)
    quiet, first = after_a_week(begun, 0)
    busy, _ = send(begun, [(sending, best(begun, sending))])
    _, told = after_a_week(busy, 0)
    assert same(told, first)
    after, _ = send(quiet, [(sending, best(quiet, sending))])
    assert not same(after_a_week(after, 1)[1], after_a_week(quiet, 1)[1])


def test_the_same_choices_give_the_same_weeks(begun: Live) -> None:
    def played(live: Live) -> list[Events]:
        told = []
        for week in range(2):
            sending = pushed(live, week)
            live, _ = send(live, [(sending, best(live, sending))])
            live, events = after_a_week(live, week)
            told.append(events)
        return told

    assert all(same(*pair) for pair in zip(played(begun), played(begun), strict=True))


def test_each_week_tells_its_own_time_and_no_more(begun: Live) -> None:
    live, at = begun, microseconds(np.array([begun.told]))[0]
    for week in range(3):
        live, events = after_a_week(live, week)
        assert (np.diff(events.at) >= 0).all()
        assert at <= events.at.min()
        at = microseconds(np.array([live.told]))[0]
        assert events.at.max() <= at


def test_members_who_got_nothing_do_what_they_would_have_done(begun: Live) -> None:
    sending = pushed(begun)
    choice = best(begun, sending)
    left_alone = np.flatnonzero(choice < 0)
    sent, _ = send(begun, [(sending, choice)])

    def bought(live: Live) -> Counter[tuple[int, float]]:
        made = live.history.purchases
        kept = ~made.cancelled & np.isin(made.member, left_alone)
        return Counter(zip(made.member[kept].tolist(), made.day[kept].tolist(), strict=True))

    assert bought(sent) == bought(begun)


def test_what_comes_of_a_push_is_on_average_what_its_truth_says() -> None:
    live = open_live(MarketConfig(members=20_000, seed=4), WEEK)
    live, _ = tell(live, shopping_days(live.config.history_end))
    sending = pushed(live)
    truth, choice = live.truth(sending), best(live, sending)
    after, (done,) = send(live, [(sending, choice)])
    _, (quiet,) = send(live, [(sending, np.where(choice >= 0, -1, choice))])

    # The same purchases without a push are in both: what differs is the push's own doing.
    difference = margin(done, 20_000) - margin(quiet, 20_000)
    sent = choice >= 0
    gained = difference[sent].sum() - 0.05 * sent.sum()
    error = difference[sent].std() * np.sqrt(sent.sum())
    assert abs(gained - truth.gain(choice)) < 4 * error
    assert truth.gain(choice) > 8 * error  # or the line above would say nothing
    assert difference[~sent].sum() == 0
    assert after.history.contacts[-1][1].sum() == sent.sum()


def test_who_cannot_be_reached_is_sent_nothing(begun: Live) -> None:
    sending = pushed(begun)
    after, (done,) = send(begun, [(sending, np.zeros(len(begun.members), dtype=np.int64))])
    assert (done.choice[~begun.reachable] == -1).all()
    assert after.history.unsubscribed.sum() > 0
    assert not (after.reachable & after.history.unsubscribed).any()


def test_every_row_written_fits_the_contract_under_one_key(opened: Live, tmp_path: Path) -> None:
    files = {name: list(paths) for name, paths in catalogue(opened, tmp_path).items()}
    files |= {"events": [], "outcomes": []}
    live, events = tell(opened, shopping_days(CONFIG.history_end))
    files["events"].append(write_events(live, events, tmp_path))
    for week in range(3):
        sending = pushed(live, week)
        live, rounds = send(live, [(sending, best(live, sending))])
        live, events = after_a_week(live, week)
        files["events"].append(write_events(live, events, tmp_path))
        files["outcomes"].append(write_outcomes(rounds, week, tmp_path))
    tables = {
        name: pa.concat_tables([parquet.read_table(path) for path in paths])
        for name, paths in files.items()
    }
    for name, table in tables.items():
        assert table.schema.equals(checked_schema(TABLES[name]))
        keys = table[TABLES[name].key].to_pylist()
        assert name in ("members", "offers", "items") or len(set(keys)) == len(keys)
    rows = tables["events"].select(["type", "order_id"]).to_pylist()
    bought = {row["order_id"] for row in rows if row["type"] == "purchase"}
    refunded = [row["order_id"] for row in rows if row["type"] == "refund"]
    assert len(refunded) > 10
    assert set(refunded) <= bought
    assert len(EVENT_TYPES) > len({row["type"] for row in rows}) > 4


@pytest.mark.parametrize(("week", "says"), [(-1, "is sent on day"), (3, "and ends on")])
def test_a_push_out_of_the_markets_time_is_refused(begun: Live, week: int, says: str) -> None:
    sending = pushed(begun, week)
    with pytest.raises(TrainingError, match=says):
        send(begun, [(sending, np.full(len(begun.members), -1))])


def test_a_market_that_memory_cannot_hold_is_refused() -> None:
    with pytest.raises(TrainingError, match="take at most 100,000"):
        open_live(MarketConfig(members=200_000), WEEK)
