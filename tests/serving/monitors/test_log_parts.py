"""What monitors read of the log, on both engines."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pytest

from experiments.design import Arm, Experiment
from features.progress import silent
from serving import tables
from serving.experiment_audit import Change
from serving.experiments import Book
from serving.ledger import State
from serving.log import Log
from serving.moments import iso
from serving.monitors.counting import brought_up
from serving.monitors.log_parts import Happened, paced, score_drift, settled, splits
from serving.monitors.seqs import first_since, newest, spread_rows
from serving.monitors.tally import SPLIT, Tally
from serving.monitors.thresholds import BY_DEFAULT
from tests.console.monitored_log import NOW, Stream

ON_BOTH_ENGINES = True
EXPERIMENT = Experiment(
    "spring-test",
    (Arm("champion", 0.5, "champion"), Arm("rival", 0.5, "release", release="r2")),
    control="champion",
)


def written(log: Log, stream: Stream) -> Stream:
    stream.make()
    log.write(stream.insert)
    return stream


def test_the_log_is_added_up_by_hour_day_and_push(log: Log) -> None:
    stream = written(log, Stream(an_hour=1, lesser=0.3, leaves=0.1))
    tally = brought_up(log, Tally(), NOW, silent)
    sends = sum(row["offer_id"] is not None for row in stream.rows)
    kinds = [json.loads(one["row"])["type"] for one in stream.told]
    lesser = sum('"degraded":[]' not in row["inputs"] for row in stream.rows)
    assert sum(tally.decided.values()) == len(stream.rows)
    assert sum(tally.sends.values()) == sends
    assert sum(one[f"push{SPLIT}spring"] for one in tally.contacts.values()) == sends
    assert sum(one["spring"] for one in tally.asked.values()) == len(stream.rows)
    assert sum(one["features_late"] for one in tally.degraded.values()) == lesser
    told = tally.between("outcomes", NOW - timedelta(days=60), NOW)
    assert told == {kind: kinds.count(kind) for kind in set(kinds)}
    assert tally.between("left", NOW - timedelta(days=60), NOW + timedelta(days=1)) == {
        f"push{SPLIT}spring": kinds.count("unsubscribed")
    }


def test_an_unsubscription_counts_for_the_send_that_it_speaks_of(log: Log) -> None:
    stream = Stream(an_hour=0)
    for number, days in enumerate((9, 5, 1)):
        stream.decide(np.random.default_rng(1), NOW - timedelta(days=days), 0, lately=False)
        row = stream.rows[-1]
        row |= {"offer_id": "ten", "member_id": "ann", "push_id": f"p{number}"}
    log.write(stream.insert)
    elsewhere = {"push_id": "other", "member_id": "ann"}
    of_decision = {"decision_id": stream.rows[1]["decision_id"]}
    named = [{"push_id": "p0", "member_id": "ann"}, of_decision, elsewhere]
    rows = [
        {**one, "event_id": f"e{number}", "type": "unsubscribed",
         "occurred_at": iso(NOW - timedelta(days=4))}
        for number, one in enumerate(named)
    ]  # fmt: skip
    assert not log.keep_outcomes(rows, NOW).refused
    tally = brought_up(log, Tally(), NOW, silent)
    assert tally.left == {"2026-04-22": {f"push{SPLIT}p0": 1}, "2026-04-26": {f"push{SPLIT}p1": 1}}


def test_a_moment_is_found_without_reading_the_log(log: Log) -> None:
    stream = written(log, Stream(an_hour=1))
    with log.reading() as connection:
        made = tables.decisions
        for days in (0, 3, 20, 90):
            since = NOW - timedelta(days=days)
            before = sum(row["decided_at"] < iso(since) for row in stream.rows)
            assert first_since(connection, made, "decided_at", since) == before + 1
        last = newest(connection, made)
        assert last == len(stream.rows)
        few = spread_rows(connection, made, ("seq",), (1, last + 1), 200)
        assert 100 <= len(few) <= 250
        assert few[0].seq < 60
        assert few[-1].seq > 0.7 * last
        assert len(spread_rows(connection, made, ("seq",), (1, last + 1), 10**6)) == last


@pytest.mark.parametrize(("scores", "large"), [(1.0, False), (0.4, True)])
def test_estimates_are_held_against_those_after_the_release(
    log: Log, scores: float, large: bool
) -> None:
    written(log, Stream(an_hour=3, scores=scores))
    found = score_drift(log, BY_DEFAULT, NOW)
    assert [one.subject for one in found.drifted] == ["p_if_sent", "p_if_not"]
    assert all((one.index > 0.25) is large for one in found.drifted)
    assert "after release r1 came" in found.drifted[0].words


def test_where_nothing_was_estimated_lately_there_is_no_drift_to_tell(log: Log) -> None:
    written(log, Stream(an_hour=1, stopped=8 * 24))
    assert score_drift(log, BY_DEFAULT, NOW).why == "nothing was estimated in the last 7 days"


def test_an_empty_log_has_no_estimates_experiments_or_pace(log: Log) -> None:
    assert score_drift(log, BY_DEFAULT, NOW).why == "nothing was decided yet"
    assert splits(log) == []
    assert paced(log, ["spring"], NOW, {}) == []
    assert settled(log, []) == {}


def test_members_count_in_the_arm_and_under_the_shares_that_they_came_under(log: Log) -> None:
    book, stream = Book(log), Stream()
    book.create(EXPERIMENT, Change(NOW - timedelta(days=9), "key"))
    book.start("spring-test", Change(NOW - timedelta(days=8), "key"))
    change = Change(NOW - timedelta(days=4), "key")
    book.share("spring-test", {"champion": 0.2, "rival": 0.8}, change)
    moments = [NOW - timedelta(days=day) for day in (6, 6, 6, 3, 3)]
    arms = ["champion", "rival", "rival", "rival", "champion"]
    for number, (arm, at) in enumerate(zip(arms, moments, strict=True)):
        stream.decide(np.random.default_rng(number), at, number, lately=True)
        stream.rows[-1] |= {"arm": arm, "experiment": "spring-test", "push_id": f"p{number}"}
    stream.rows[4]["member_id"] = "m0"  # came on the sixth day, and counts there
    log.write(stream.insert)
    (found,) = splits(log)
    first, second = found.epochs
    assert (first[0], second[0]) == ({"champion": 1, "rival": 2}, {"rival": 1})
    assert second[1] == pytest.approx({"champion": 0.2, "rival": 0.8})


def held(log: Log, states: dict[str, State]) -> None:
    rows = [
        {"decision_id": decision, "push_id": "spring", "takes": "{}", "state": state,
         "expires_at": iso(NOW)}
        for decision, state in states.items()
    ]  # fmt: skip
    log.write(lambda connection: connection.execute(tables.reservations.insert(), rows))


def test_what_was_sent_is_held_against_the_estimate_of_a_send(log: Log) -> None:
    stream = Stream()
    grades = ["modelled"] * 8 + ["prior"]
    for number, grade in enumerate(grades):
        stream.decide(np.random.default_rng(1), NOW, number, lately=False)
        sent = number % 2 == 0
        told = {"p_if_sent": 0.2, "p_if_not": 0.1, "evidence": grade}
        answer = {"send": sent, "reason": None if sent else "holdout", "estimates": told}
        stream.rows[-1] |= {"answer": json.dumps(answer)}
    log.write(stream.insert)
    happened = [
        Happened(row["decision_id"], number, number < 3) for number, row in enumerate(stream.rows)
    ]
    found = settled(log, happened)
    assert {name: len(one.converted) for name, one in found.items()} == {"sent": 4, "held_out": 4}
    assert set(found["sent"].predicted) == {0.2}
    assert sorted(found["held_out"].converted.tolist()) == [False, False, False, True]
    ids = [row["decision_id"] for row in stream.rows[:6:2]]
    states = (State.ACTIVATED, State.FAILED, State.EXPIRED)
    held(log, dict(zip(ids, states, strict=True)))
    # One is reported as sent: what is not reported is not known to be sent.
    assert len(settled(log, happened)["sent"].converted) == 1
