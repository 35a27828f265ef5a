"""A push as the experiment that it was."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from features.push_experiment import (
    HELD,
    NAME,
    SENT,
    PushTrialError,
    as_experiment,
    by_offer,
    push_trial,
)
from tests.features.given import AS_OF, Given, ago

PUSH: dict[str, Any] = {
    "push_id": "spring", "channel": "push", "send_at": ago(30), "offer_ids": ["a", "b"],
    "attribution_days": 7.0, "holdout": 0.2,
}  # fmt: skip


def decision(number: int, offer: str | None, probability: float, **more: Any) -> dict[str, Any]:
    return {
        "decision_id": f"d{number}", "push_id": "spring", "member_id": f"m{number}",
        "offer_id": offer, "probability": probability, "decided_at": ago(30 - number / 100),
        **more,
    }  # fmt: skip


# Two who could not be sent anything; of the others one in five is held out.
SCORED = [
    *(decision(n, "a" if n % 3 else "b", 0.8, arm="policy") for n in range(8)),
    *(decision(n, None, 0.2, arm="holdout") for n in range(8, 10)),
    *(decision(n, None, 1.0, arm="policy") for n in range(10, 12)),
]
DRAWN = [
    *(decision(n, "a", 0.45, arm="random") for n in range(5)),
    *(decision(n, "b", 0.45, arm="random") for n in range(5, 9)),
    decision(9, None, 0.1, arm="random"),
]


def test_who_was_held_out_is_one_arm_and_whom_chance_had_no_part_in_is_in_none(
    given: Given,
) -> None:
    tables = given.tables(pushes=[PUSH], decisions=SCORED)
    trial = push_trial(tables, "spring", AS_OF)
    assert (trial.decided, trial.sent, trial.held, trial.share) == (12, 8, 2, 0.2)
    assert (trial.offers, trial.drawn, trial.labelled) == (("a", "b"), None, True)
    rows = as_experiment(tables, trial).decisions.execute().set_index("member_id")
    assert set(rows.experiment) == {NAME}
    assert rows.arm.value_counts().to_dict() == {SENT: 8, HELD: 2}
    assert rows.loc["m8", "arm"] == HELD


def test_where_all_was_drawn_whoever_was_sent_nothing_was_held_out(given: Given) -> None:
    tables = given.tables(pushes=[{**PUSH, "holdout": None}], decisions=DRAWN)
    trial = push_trial(tables, "spring", AS_OF)
    assert (trial.sent, trial.held, trial.share) == (9, 1, 0.1)
    assert dict(zip(trial.offers, trial.drawn or (), strict=True)) == {"a": 0.45, "b": 0.45}
    arms = by_offer(tables, trial).decisions.execute().arm.value_counts().to_dict()
    assert arms == {trial.arms["a"]: 5, trial.arms["b"]: 4, HELD: 1}


def test_exploration_does_not_change_the_share_held_out(given: Given) -> None:
    explored = [{**one, "probability": one["probability"] + 0.01} for one in SCORED[:10]]
    tables = given.tables(pushes=[{**PUSH, "exploration": 0.1}], decisions=explored)
    assert push_trial(tables, "spring", AS_OF).share == 0.2


def test_decisions_of_an_experiment_are_read_with_the_experiment(given: Given) -> None:
    inside = [{**one, "experiment": "e1"} for one in SCORED]
    tables = given.tables(pushes=[PUSH], decisions=inside)
    with pytest.raises(PushTrialError, match="pushwise experiment report e1"):
        push_trial(tables, "spring", AS_OF)


@pytest.mark.parametrize(
    ("decisions", "message"),
    [
        ([], "no decision of push 'spring' before"),
        (SCORED[:8], "8 members whom chance let have it and 0 whom it kept out"),
        (
            [*DRAWN, decision(20, None, 0.3, arm="random")],
            "sent nothing with probabilities from 0.1 to 0.3",
        ),
    ],
)
def test_a_push_that_no_chance_left_members_out_of_tells_why(
    given: Given, decisions: list[dict[str, Any]], message: str
) -> None:
    tables = given.tables(pushes=[PUSH], decisions=decisions)
    with pytest.raises(PushTrialError, match=message):
        push_trial(tables, "spring", AS_OF)


def test_an_unknown_push_and_one_that_was_not_decided_by_then_are_refused(given: Given) -> None:
    tables = given.tables(pushes=[PUSH], decisions=SCORED)
    with pytest.raises(PushTrialError, match="no push 'summer'"):
        push_trial(tables, "summer", AS_OF)
    with pytest.raises(PushTrialError, match="no decision"):
        push_trial(tables, "spring", ago(30) - timedelta(days=1))
