"""An experiment over HTTP, on a real server: it begins, decides, changes and ends while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from serving.pointer import publish
from tests.serving.conftest import MEMBERS
from tests.serving.test_server import Caller, make_key

if TYPE_CHECKING:
    from tests.serving.conftest import Bench, Running

DECLARED = {
    "experiment_id": "spring-test",
    "control": "champion",
    "push_ids": ["spring"],
    "arms": [
        {"name": "champion", "share": 0.4, "kind": "champion"},
        {"name": "challenger", "share": 0.4, "kind": "release", "release": "r2"},
        {"name": "holdout", "share": 0.2, "kind": "holdout"},
    ],
}


def until(found: Callable[[], Any]) -> Any:
    """Ask until the answer is true: scorers look at experiments once a second."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if answer := found():
            return answer
        time.sleep(0.2)
    raise AssertionError("waited 30 seconds in vain")


@pytest.mark.slow
def test_an_experiment_decides_from_its_start_to_its_stop(
    bench: Bench, start: Callable[..., Running]
) -> None:
    for name in ("r1", "r2"):
        bench.release(name)
    publish(bench.workspace.releases, "r1", bench.trusted)
    key = make_key(bench, "admin")
    asked = iter(MEMBERS)
    with Caller(start().address, key) as call:
        (before,) = call.decide(next(asked)).values()
        assert before["experiment"] == {"id": None, "arm": before["experiment"]["arm"]}
        assert call("POST", "/v1/experiments", DECLARED)[0] == 201
        status, running = call("POST", "/v1/experiments/spring-test:start")
        assert (status, running["state"]) == (200, "running")

        def inside() -> dict[str, Any] | None:
            (one,) = call.decide(next(asked)).values()
            return one if one["experiment"]["id"] == "spring-test" else None

        until(inside)
        many = call.decide(*(f"s{number}" for number in range(300)))
        shares = {arm["name"]: arm["share"] for arm in DECLARED["arms"]}  # type: ignore[index]  # JSON
        for name, share in shares.items():
            found = sum(one["experiment"]["arm"] == name for one in many.values())
            assert abs(found / 300 - share) < 4 * (share * (1 - share) / 300) ** 0.5
        assert {one["release"] for one in many.values()} == {"r1", "r2"}
        assert call("POST", "/v1/experiments/spring-test:stop")[0] == 200
        until(lambda: next(iter(call.decide(next(asked)).values()))["experiment"]["id"] is None)
        assert call.decide("s0")["s0"] == many["s0"]
