"""An experiment as JSON: what is written reads the same, and nothing else reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.declaration import from_json, to_json
from experiments.design import Analysis, Arm, Experiment, Guardrail
from experiments.errors import ExperimentError

PLAIN: dict[str, Any] = {
    "experiment_id": "spring",
    "arms": [
        {"name": "champion", "share": 0.5, "kind": "champion"},
        {"name": "nothing", "share": 0.5, "kind": "holdout"},
    ],
    "control": "nothing",
}


def test_what_may_be_left_out_has_its_default() -> None:
    arms = (Arm("champion", 0.5, "champion"), Arm("nothing", 0.5, "holdout"))
    assert from_json(PLAIN) == Experiment("spring", arms, "nothing")


@given(
    shares=st.integers(1, 9_999),
    pushes=st.lists(st.text("ab", min_size=1), max_size=3),
    cap=st.none() | st.floats(0.01, 1e6),
    most=st.lists(st.floats(0.001, 1), max_size=2),
    sequential=st.sampled_from(["group", "always"]),
)
def test_what_is_written_reads_the_same(
    shares: int, pushes: list[str], cap: float | None, most: list[float], sequential: Any
) -> None:
    declared = Experiment(
        "x",
        (
            Arm("new", shares / 10_000, "release", release="r2"),
            Arm("rule", 1 - shares / 10_000, "rule", rule="recency_days < 30", offer="ten"),
        ),
        "rule",
        push_ids=tuple(pushes),
        analysis=Analysis(
            cap=cap,
            sequential=sequential,
            guardrails=tuple(Guardrail("unsubscribed", one) for one in most),
        ),
    )
    assert from_json(json.loads(json.dumps(to_json(declared)))) == declared


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sahres": 1}, "experiment has no field 'sahres'; it has: experiment_id, arms"),
        ({"traffic": "all"}, "experiment.traffic is 'all', wanted a finite number"),
        ({"traffic": True}, "experiment.traffic is True, wanted a finite number"),
        ({"traffic": float("nan")}, "experiment.traffic is nan, wanted a finite number"),
        ({"mode": "dark"}, "experiment.mode is 'dark', wanted one of live, shadow"),
        ({"owner": "a\x00"}, "experiment.owner is 'a\\x00', wanted storable text"),
        ({"arms": "both"}, "experiment.arms is 'both', wanted a list"),
        ({"arms": [{"name": "a", "share": 1}]}, "experiment.arms[0] lacks the field 'kind'"),
        (
            {"arms": [{"name": "a", "share": 1, "kind": "random", "seed": 3}]},
            "experiment.arms[0] has no field 'seed'",
        ),
        ({"analysis": []}, "experiment.analysis is [], wanted names with values"),
        ({"analysis": {"looks": 2.0}}, "experiment.analysis.looks is 2.0, wanted a whole number"),
        ({"analysis": {"looks": 0}}, "looks is 0, wanted 1 to 100"),
        ({"analysis": {"guardrails": [{"metric": "unsubscribed"}]}}, "lacks the field 'most'"),
        (
            {"analysis": {"guardrails": [{"metric": "churned", "most": 0.1}]}},
            "metric is 'churned', wanted one of unsubscribed, complained",
        ),
        (
            {"analysis": {"segments": ["zip"]}},
            "segments[0] is 'zip', wanted one of lifecycle, value_tier",
        ),
        ({"control": "best"}, "control is 'best', wanted one of champion, nothing"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ExperimentError) as refused:
        from_json({**PLAIN, **change})
    assert told in str(refused.value)


def test_a_field_that_is_needed_is_missed() -> None:
    with pytest.raises(ExperimentError, match="experiment lacks the field 'control'"):
        from_json({name: value for name, value in PLAIN.items() if name != "control"})
