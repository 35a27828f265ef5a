"""The verdict: split, guardrails, deciding metric, in this order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pytest

from experiments.cells import NAMES, Cells
from experiments.design import Analysis, Arm, Guardrail
from experiments.findings import Readout
from experiments.looks import look_at
from experiments.readout import readout
from tests.experiments.members import START, ab, cell, cells, look, spenders, values

FOUR = Analysis(looks=4)
ALWAYS = Analysis(sequential="always")


@dataclass(frozen=True)
class Case:
    """effect: on the gain of a challenger whose members leave with chance ``leave``; 1 % of the
    champion's do."""

    kind: str
    reason: str
    analysis: Analysis = FOUR
    effect: float = 0.0
    members: int = 4000
    leave: float = 0.01
    day: float = 28
    complete: bool = True


def told(case: Case) -> Readout:
    rng = np.random.default_rng(60)
    found = cells(
        cell("champion", spenders(rng, case.members), complete=case.complete),
        cell(
            "challenger",
            spenders(rng, case.members, case.effect, case.leave),
            complete=case.complete,
        ),
    )
    return readout(ab(case.analysis), found, look(case.analysis, case.day))


@pytest.mark.parametrize(
    "case",
    [
        Case("promote", "better", effect=2),
        Case("promote", "better", effect=2, leave=0.003, day=14),
        Case("promote", "better", effect=2, day=35),
        Case("harm", "worse", effect=-2),
        Case("harm", "guardrail_broken", effect=2, leave=0.04),
        Case("harm", "guardrail_broken", effect=2, leave=0.04, day=8),
        Case("wait", "guardrail_open", effect=4, members=1000, day=21),
        Case("inconclusive", "guardrail_open", effect=4, members=1000),
        Case("keep", "too_small_to_matter", analysis=replace(FOUR, lift=2)),
        Case("inconclusive", "not_told_apart", analysis=replace(FOUR, lift=0.1)),
        Case("wait", "more_looks", day=14),
        Case("wait", "before_first_look", effect=2, day=3),
        Case("wait", "between_looks", effect=2, day=15),
        Case("wait", "always_on", analysis=ALWAYS, day=15),
        Case("wait", "always_on", analysis=ALWAYS, day=90),
        Case("promote", "better", analysis=ALWAYS, effect=2, day=15),
        Case("cannot_say", "too_few_members", analysis=ALWAYS, effect=2, complete=False),
        Case("cannot_say", "too_few_members", effect=2, members=99),
    ],
    ids=lambda case: f"{case.kind}-{case.reason}-{case.day}",
)
def test_each_branch(case: Case) -> None:
    found = told(case).verdict
    assert (found.kind, found.reason) == (case.kind, case.reason), found.sentence


def test_a_failed_split_stops_whatever_the_metric_says() -> None:
    rng = np.random.default_rng(61)
    found = cells(cell("champion", spenders(rng, 4000)), cell("challenger", spenders(rng, 3000, 9)))
    verdict = readout(ab(), found, look(Analysis())).verdict
    assert (verdict.kind, verdict.reason, verdict.arm) == ("cannot_say", "srm", "")
    assert "champion 4000, challenger 3000 where the shares say champion 3500" in verdict.sentence


def test_members_who_did_nothing_tell_nothing() -> None:
    found = cells(cell("champion", values(500)), cell("challenger", values(500)))
    verdict = readout(ab(), found, look(Analysis())).verdict
    assert (verdict.kind, verdict.reason) == ("cannot_say", "nothing_varies")


def test_guardrails_come_before_the_metric() -> None:
    strict = Analysis(guardrails=(Guardrail("unsubscribed", 0.02), Guardrail("complained", 0.001)))
    rng = np.random.default_rng(62)
    arm = spenders(rng, 4000, more=2)
    arm[:, NAMES.index("complained")] = rng.random(4000) < 0.02
    found = cells(cell("champion", spenders(rng, 4000)), cell("challenger", arm))
    verdict = readout(ab(strict), found, look(strict)).verdict
    assert verdict.reason == "guardrail_broken"
    assert verdict.sentence == (
        "Stop challenger: complained 2.05% of its members against 0.00% in champion, at least 1.61 "
        "percentage points more where 0.10 is allowed."
    )


def test_capped_money_is_judged_and_the_uncapped_told_too() -> None:
    """One member who spends a fortune decides nothing."""
    capped = Analysis(cap=200, before_days=0)
    rng = np.random.default_rng(63)
    arm, control = (spenders(rng, 2000, more, unsubscribed=0.001) for more in (3, 0))
    arm[0, NAMES.index("gain")] = -50_000
    for table in (arm, control):
        table[:, NAMES.index("judged")] = np.clip(table[:, NAMES.index("gain")], -200, 200)
    members = cells(cell("champion", control), cell("challenger", arm))
    found = readout(ab(capped), members, look(capped))
    contrast = found.contrast("challenger", "champion")
    assert found.verdict.kind == "promote"
    assert "at most 200 of each member" in found.verdict.sentence
    assert contrast.primary == contrast.plain
    assert contrast.uncapped == contrast.metrics["gain"].plain


def three(rng: np.random.Generator, effects: dict[str, float], day: float = 28) -> Readout:
    arms = (Arm("champion", 0.4, "champion"), *(Arm(n, 0.3, "release", n) for n in effects))
    found = [cell("champion", spenders(rng, 4000))]
    found += [cell(name, spenders(rng, 3000, effect)) for name, effect in effects.items()]
    shares = ({arm.name: arm.share for arm in arms},)
    return readout(ab(FOUR, arms), cells(*found, shares=shares), look(FOUR, day))


def test_of_two_winners_the_larger_is_promoted_and_harm_is_named_beside() -> None:
    rng = np.random.default_rng(64)
    assert three(rng, {"r2": 2, "r3": 4}).verdict.arm == "r3"
    found = three(rng, {"r2": 3, "r3": -3}).verdict
    assert (found.kind, found.arm) == ("promote", "r2")
    assert "Do not promote r3" in found.sentence


def test_while_one_arm_waits_harm_of_another_is_told() -> None:
    found = three(np.random.default_rng(65), {"r2": 0, "r3": -5}, day=21).verdict
    assert (found.kind, found.arm) == ("wait", "r2")
    assert "Do not promote r3" in found.sentence


def test_an_experiment_that_was_stopped_early_waits_for_no_look() -> None:
    rng = np.random.default_rng(66)
    found = cells(cell("champion", spenders(rng, 4000)), cell("challenger", spenders(rng, 4000)))
    stopped = look_at(FOUR, START, START + timedelta(days=20), START + timedelta(days=10))
    verdict = readout(ab(FOUR), found, stopped).verdict
    assert (verdict.kind, verdict.reason) == ("inconclusive", "not_told_apart")


def test_random_sends_are_no_candidate_beside_a_release_but_are_alone() -> None:
    rng = np.random.default_rng(67)
    arms = (Arm("holdout", 0.5, "holdout"), Arm("random", 0.5, "random"))
    found = cells(cell("holdout", spenders(rng, 4000)), cell("random", spenders(rng, 4000, 2)))
    verdict = readout(ab(FOUR, arms), found, look(FOUR)).verdict
    assert (verdict.kind, verdict.arm) == ("promote", "random")


def test_shares_changed_half_way_do_not_turn_the_verdict() -> None:
    """The second half's members spend 20 more, and nine in ten of them are in the challenger."""
    rng = np.random.default_rng(68)
    shares = ({"champion": 0.9, "challenger": 0.1}, {"champion": 0.1, "challenger": 0.9})
    found = Cells(
        START + timedelta(days=28),
        shares,
        tuple(
            cell(arm, spenders(rng, round(5000 * share), more=20 * epoch), epoch)
            for epoch, one in enumerate(shares)
            for arm, share in one.items()
        ),
    )
    told = readout(ab(), found, look(Analysis()))
    assert told.srm.passed
    assert told.verdict.reason == "not_told_apart"
