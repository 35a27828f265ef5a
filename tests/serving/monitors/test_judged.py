"""A quiet stream seldom alarms; what goes wrong does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from decisions.pacing import CONTACTS, MONEY, UNIT, Use
from experiments.watching import Counted
from serving.monitors.calibrated import Settled, calibration
from serving.monitors.drift import FEATURES, SCORES, Drifted, drift, mixed
from serving.monitors.freshness import Feed, freshness
from serving.monitors.pacing import Paced, pacing
from serving.monitors.result import MONITORS, Result, plain, worst
from serving.monitors.shares import Split, sample_ratio
from serving.monitors.silence import Heard, outcome_feed
from serving.monitors.tally import Tally, hour_of
from serving.monitors.tally_parts import heard
from serving.monitors.thresholds import BY_DEFAULT, Thresholds
from serving.monitors.unsubscribes import Leaving, unsubscribes
from serving.monitors.volume import volume

Numbers = NDArray[np.float64]
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HALVES = {"control": 0.5, "treated": 0.5}


def states(results: Sequence[Result]) -> dict[str, str]:
    return {one.subject: one.state for one in results}


def alarms(results: Sequence[Result]) -> bool:
    return worst(results) == "alert"


def test_a_feed_that_stopped_alarms_and_one_that_never_ran_does_not() -> None:
    feeds = [
        Feed("events", NOW - timedelta(hours=2)),
        Feed("decisions", NOW - timedelta(days=2.5)),
        Feed("outcomes", NOW - timedelta(days=4)),
        Feed("orders", None),
    ]
    told = freshness(feeds, BY_DEFAULT, NOW)
    assert list(states(told).values()) == ["ok", "warn", "alert", "cannot_say"]
    assert "4.0 days ago, limit 3: no newer row came in" in told[2].words
    patient = Thresholds(freshness={"outcomes": 30})
    assert states(freshness(feeds, patient, NOW))["outcomes"] == "ok"


def spread(rng: np.random.Generator, n: int, shares: Numbers) -> Numbers:
    return np.asarray(rng.multinomial(n, shares) / n)


def index(p: Numbers, q: Numbers) -> float:
    from features.health import stability

    return stability(p, q)


def unmoved(rng: np.random.Generator, name: str, n: int, shares: Numbers) -> Drifted:
    return Drifted(name, index(spread(rng, n, shares), spread(rng, n, shares)), n, n, len(shares))


def test_a_hundred_quiet_features_of_few_members_do_not_alarm() -> None:
    rng, shares, loud = np.random.default_rng(1), np.full(11, 1 / 11), 0
    for _ in range(200):
        quiet = [
            Drifted(
                f"f{n}", index(spread(rng, 300, shares), spread(rng, 300, shares)), 300, 300, 11
            )
            for n in range(100)
        ]
        loud += worst(drift(FEATURES, quiet, BY_DEFAULT, NOW)) in ("alert", "warn")
    assert loud <= 2


def test_a_shifted_feature_among_quiet_ones_alarms() -> None:
    rng, shares = np.random.default_rng(2), np.full(11, 1 / 11)
    moved = shares * np.linspace(0.1, 1.9, 11)
    subjects = [unmoved(rng, f"f{n}", 900, shares) for n in range(100)]
    shifted = index(shares, spread(rng, 900, moved / moved.sum()))
    told = drift(FEATURES, [*subjects, Drifted("basket", shifted, 900, 900, 11)], BY_DEFAULT, NOW)
    assert [one.subject for one in told if one.state == "alert"] == ["basket"]
    few = drift(FEATURES, [Drifted("basket", shifted, 90, 90, 11)], BY_DEFAULT, NOW)
    assert few[0].state == "cannot_say"


def test_another_mix_of_pushes_is_no_drift_of_estimates_and_another_estimate_is() -> None:
    rng = np.random.default_rng(3)

    def low(n: int) -> Numbers:
        return rng.beta(2, 30, n)

    def high(n: int) -> Numbers:
        return rng.beta(8, 30, n)

    before = {"spring": low(4_000), "gold": high(1_000)}
    other_mix = mixed({"spring": low(500), "gold": high(4_000)}, before)
    assert other_mix is not None
    assert alarms(drift(SCORES, [other_mix], BY_DEFAULT, NOW)) is False
    halved = mixed({"spring": low(2_000) / 2, "gold": high(2_000) / 2}, before)
    assert halved is not None
    assert alarms(drift(SCORES, [halved], BY_DEFAULT, NOW))
    assert mixed({"winter": low(4_000), "gold": high(1_000)}, before) is None


def settled(rng: np.random.Generator, n: int, times: float = 1.0) -> Settled:
    predicted = rng.beta(2, 40, n)
    return Settled(predicted, rng.random(n) < times * predicted, np.arange(n))


def test_calibrated_estimates_seldom_alarm_and_doubled_conversions_do() -> None:
    rng, loud = np.random.default_rng(4), 0
    for _ in range(150):
        quiet = {name: settled(rng, 1_500) for name in ("sent", "held_out", "not_chosen")}
        loud += alarms(calibration(quiet, BY_DEFAULT, NOW))
    assert loud <= 2
    off = {"sent": settled(rng, 1_500, 1.9), "held_out": settled(rng, 1_500)}
    told = calibration({**off, "not_chosen": settled(rng, 100)}, BY_DEFAULT, NOW)
    assert states(told) == {"sent": "alert", "held_out": "ok", "not_chosen": "cannot_say"}
    assert "wanted 1 ± 0.25" in told[0].words


def test_a_split_of_50_6_to_49_4_alarms_and_an_even_one_watched_for_long_does_not() -> None:
    uneven = Split("spring", [({"control": 75_900, "treated": 74_100}, HALVES)])
    assert alarms(sample_ratio([uneven], BY_DEFAULT, NOW))
    rng, loud = np.random.default_rng(5), 0
    for _ in range(40):
        control = rng.binomial(1_000, 0.5, 60).cumsum()
        splits = [
            Split("e", [({"control": int(k), "treated": 1_000 * day - int(k)}, HALVES)])
            for day, k in enumerate(control, 1)
        ]
        loud += alarms(sample_ratio(splits, BY_DEFAULT, NOW))
    assert loud <= 1


def test_an_experiment_says_nothing_without_members_and_alarms_on_strays() -> None:
    nobody = Split("new", [({}, HALVES)])
    strays = Split("odd", [({"control": 500, "treated": 500, "ghost": 9}, HALVES)])
    told = sample_ratio([nobody, strays], BY_DEFAULT, NOW)
    assert states(told) == {"new": "cannot_say", "odd": "alert"}
    assert told[1].words == "9 of 1,009 members are in arms that have no share"


def leaving(rng: np.random.Generator, rate: float, wobble: float) -> Leaving:
    """28 days of 1,500 sends at .3 %, and 7 of them at ``rate``; days differ by ``wobble``."""

    def day(of: float) -> Counted:
        return Counted(int(rng.binomial(1_500, of * np.exp(rng.normal(0, wobble)))), 1_500)

    recent = [day(rate) for _ in range(7)]
    total = Counted(sum(one.events for one in recent), 1_500 * 7)
    return Leaving(total, [day(0.003) for _ in range(28)])


@pytest.mark.parametrize("wobble", [0.0, 0.3])
def test_steady_unsubscribes_seldom_alarm(wobble: float) -> None:
    rng, loud = np.random.default_rng(6), 0
    for _ in range(120):
        quiet = {f"push {n}": leaving(rng, 0.003, wobble) for n in range(8)}
        loud += alarms(unsubscribes(quiet, BY_DEFAULT, NOW))
    assert loud <= 2


def test_doubled_unsubscribes_alarm_and_few_sends_cannot_say() -> None:
    rng = np.random.default_rng(7)
    caught = sum(
        alarms(unsubscribes({"push": leaving(rng, 0.006, 0.1)}, BY_DEFAULT, NOW))
        for _ in range(100)
    )
    assert caught >= 85
    few = Leaving(Counted(3, 40), [Counted(3, 1_500)] * 28)
    told = unsubscribes({"push": few, "mail": leaving(rng, 0.003, 0)}, BY_DEFAULT, NOW)
    assert states(told) == {"push": "cannot_say", "mail": "ok"}
    assert told[0].words == "40 recent sends, wanted at least 500"


def paced(taken: float, planned: float, limit: str = MONEY) -> Paced:
    most = 1_000 * UNIT
    return Paced("spring", limit, Use(0, round(taken * most), round(planned * most)), most)


@given(st.floats(0.06, 1.0), st.floats(-0.09, 0.09))
def test_a_push_on_pace_does_not_alarm(planned: float, off: float) -> None:
    assert not alarms(pacing([paced(min(max(planned + off, 0), 1), planned)], BY_DEFAULT, NOW))


def test_a_push_that_stopped_spending_or_ran_ahead_alarms() -> None:
    halted, ahead = paced(0.2, 0.45), paced(0.6, 0.3, CONTACTS)
    told = pacing([halted, ahead, paced(0.01, 0.02), paced(1.0, 1.4)], BY_DEFAULT, NOW)
    assert [one.state for one in told] == ["alert", "alert", "cannot_say", "ok"]
    assert told[0].words == (
        "200.00 of 1,000.00 used (20%; 0% not yet reported as sent), the plan's pace is 45%: "
        "behind, it stays unspent"
    )
    assert "600,000,000 of 1,000,000,000 used" in told[1].words
    nothing = Paced("spring", MONEY, Use(), 0)
    assert pacing([nothing], BY_DEFAULT, NOW)[0].state == "cannot_say"


def test_a_push_that_is_over_is_never_behind_and_may_have_overspent() -> None:
    over = NOW - timedelta(days=180)
    behind, ahead = (replace(one, over=over) for one in (paced(0.0, 0.29), paced(0.6, 0.3)))
    told = pacing([behind, ahead, replace(behind, over=NOW + timedelta(days=1))], BY_DEFAULT, NOW)
    assert [one.state for one in told] == ["ok", "alert", "alert"]
    assert told[0].words.endswith("29%; it was over on 2025-11-02, so it is not behind")


def hours(rng: np.random.Generator) -> list[int]:
    hour = np.arange(24 * 7 * 6)
    wobble = np.exp(rng.normal(0, 0.2, len(hour)))
    return [int(one) for one in rng.poisson(300 * (1 + 0.8 * np.sin(hour / 24 * 6.28)) * wobble)]


def test_traffic_of_day_and_night_does_not_alarm_and_a_stop_does() -> None:
    rng = np.random.default_rng(8)
    assert not any(alarms(volume(hours(rng), BY_DEFAULT, NOW)) for _ in range(60))
    usual = hours(rng)
    stopped = volume([*usual[:-24], *[0] * 24], BY_DEFAULT, NOW)
    assert set(states(stopped).values()) == {"alert"}
    tripled = volume([*usual[:-24], *(3 * one for one in usual[-24:])], BY_DEFAULT, NOW)
    assert states(tripled)["last_day"] == "alert"


def test_a_shop_of_a_few_decisions_or_of_one_week_cannot_say() -> None:
    batch = [0] * (24 * 7 * 6 - 1)
    assert states(volume([*batch, 5_000], BY_DEFAULT, NOW))["last_hour"] == "cannot_say"
    assert states(volume([100] * 168, BY_DEFAULT, NOW))["last_day"] == "cannot_say"


BEFORE = {"sent": 9_000, "opened": 3_000, "unsubscribed": 40, "failed": 500}


def test_sends_without_outcomes_alarm() -> None:
    told = outcome_feed(Heard(2_000, {}, 10_000, BEFORE), BY_DEFAULT, NOW)
    assert states(told) == {
        "all": "alert", "sent": "alert", "opened": "alert", "unsubscribed": "cannot_say",
    }  # fmt: skip
    assert told[0].words == "2,000 sends and 0 outcomes in 24 hours, 2,508 expected"
    never = outcome_feed(Heard(2_000, {}), BY_DEFAULT, NOW)
    assert states(never) == {"all": "alert"}


def test_one_type_that_stopped_alarms_alone() -> None:
    came = Heard(5_000, {"sent": 4_400, "opened": 1_500}, 50_000, {**BEFORE, "unsubscribed": 400})
    told = states(outcome_feed(came, BY_DEFAULT, NOW))
    assert told == {"all": "ok", "sent": "ok", "opened": "ok", "unsubscribed": "alert"}


def test_purchases_take_days_and_are_not_missed_hours_after_a_batch() -> None:
    """20,000 sends every second week; 600 of them redeem, on the fifth day in the mean."""
    tally, rng = Tally(), np.random.default_rng(3)
    batch = NOW - timedelta(days=28)
    while batch <= NOW:
        tally.sends[hour_of(batch)] = 20_000
        for hours in rng.exponential(120, 600):
            came = tally.outcomes.setdefault(hour_of(batch + timedelta(hours=hours)), {})
            came["redeemed"] = came.get("redeemed", 0) + 1
        batch += timedelta(days=14)

    def at(hours: int, *, silent_since: int = 99) -> str:
        now = NOW + timedelta(hours=hours)
        last = hour_of(NOW + timedelta(hours=min(hours, silent_since)))
        known = {hour: one for hour, one in tally.outcomes.items() if hour <= last}
        seen = heard(replace(tally, outcomes=known), BY_DEFAULT, now, elsewhere=False)
        return states(outcome_feed(seen, BY_DEFAULT, now)).get("redeemed", "")

    assert {at(hours) for hours in range(80)} <= {"ok", "cannot_say"}
    assert at(60) == "ok"
    assert at(60, silent_since=-30) == "alert"


def test_a_feed_by_files_or_of_few_sends_cannot_say() -> None:
    by_files = outcome_feed(Heard(2_000, {}, elsewhere=True), BY_DEFAULT, NOW)
    assert states(by_files) == {"all": "cannot_say"}
    assert states(outcome_feed(Heard(30, {}), BY_DEFAULT, NOW)) == {"all": "cannot_say"}
    rare = outcome_feed(Heard(200, {}, 10_000, {"converted": 50}), BY_DEFAULT, NOW)
    assert states(rare)["all"] == "cannot_say"


def test_names_of_others_are_one_short_line() -> None:
    told = Result("pacing", "a\x1b[31m\n" + "b" * 500, "ok", "fine", NOW, float("inf"), 1.0)
    written = told.to_json()
    assert written["subject"].startswith("a [31m b")
    assert len(written["subject"]) == 120
    assert written["value"] is None
    assert (written["link"], written["runbook"]) == (
        "/health#pacing", "docs/runbook/BudgetOffPace.md",
    )  # fmt: skip
    assert plain("x" * 9, 5) == "xxxx…"


def test_the_worst_state_of_nothing_is_that_nothing_can_be_said() -> None:
    assert worst([]) == "cannot_say"
    assert set(MONITORS) >= {FEATURES, SCORES}
