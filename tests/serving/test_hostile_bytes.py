"""Ten thousand bodies, any bytes and almost what is wanted, over every call that takes one."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from fastapi.routing import iter_route_contexts
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.serving.asgi_calls import Answer, Asked, answer

if TYPE_CHECKING:
    from tests.serving.conftest import Scored

MARK = "h0stile"
_WHEN = "2026-05-01T00:00:00Z"
_EXPERIMENT = {
    "experiment_id": "x1", "control": "old", "traffic": 0.5, "push_ids": ["spring"],
    "arms": [
        {"name": "old", "share": 0.5, "kind": "champion"},
        {"name": "new", "share": 0.5, "kind": "rule", "rule": "recency_days < 3", "offer": "ten"},
    ],
    "analysis": {"looks": 2, "guardrails": [{"metric": "unsubscribed", "most": 0.01}]},
}  # fmt: skip
_GOOD: dict[tuple[str, str], Any] = {
    ("POST", "/v1/decisions"): {
        "push_id": "spring", "k": 3, "include": ["items"],
        "members": [{"member_id": "a", "context": {"page": "home", "n": 1}}],
    },
    ("POST", "/v1/decide"): {"push_id": "spring", "member_id": "a", "page": "home"},
    ("POST", "/v1/events"): {
        "events": [{"event_id": "e", "member_id": "a", "type": "view", "occurred_at": _WHEN,
                    "quantity": 1, "unit_price": "1.5"}]
    },
    ("POST", "/v1/outcomes"): {
        "outcomes": [{"event_id": "o", "member_id": "a", "push_id": "spring", "type": "opened",
                      "occurred_at": _WHEN, "value": 2}]
    },
    ("POST", "/v1/rules:audit"): {"rule": "recency_days < 3", "offer_id": "ten", "pool": "offer"},
    ("POST", "/v1/audiences"): {"push_id": "spring", "rule": "recency_days < 3", "budget": 10},
    ("POST", "/v1/audiences/{audience_id}:cancel"): {},
    ("POST", "/v1/evaluations"): {
        "policies": [{"kind": "release", "release_id": "r1", "exploration": False},
                     {"kind": "rule", "rule": "recency_days < 3", "offer_id": "ten"}],
        "objective": "margin", "against": 1, "since": _WHEN, "push_ids": ["spring"],
    },
    ("POST", "/v1/erasures"): {"member_ids": ["a", "b"]},
    ("POST", "/v1/releases/{release_id}:publish"): {},
    ("POST", "/v1/releases:rollback"): {},
    ("POST", "/v1/experiments"): _EXPERIMENT,
    ("PUT", "/v1/experiments/{experiment_id}"): {**_EXPERIMENT, "arms": [], "analysis": {}},
    ("PUT", "/v1/experiments/{experiment_id}/shares"): {
        "shares": {"old": 0.4, "new": 0.6}, "why": "more"
    },
    ("POST", "/v1/experiments/{experiment_id}:start"): {"why": "it is time"},
    ("POST", "/v1/experiments/{experiment_id}:stop"): {"why": "enough"},
    ("POST", "/v1/experiments/{experiment_id}:promote"): {
        "arm": "new", "why": "sure", "anyway": True
    },
    ("PUT", "/v1/offers/{offer_id}"): {
        "kind": "percent_off", "value": 10, "categories": ["shoes"], "valid_to": _WHEN, "stock": 3,
        "eligibility": "recency_days < 3", "min_spend": 2.5,
    },
    ("PUT", "/v1/pushes/{push_id}"): {
        "channel": "push", "send_at": _WHEN, "offer_ids": ["ten"], "objective": "margin",
        "holdout": 0.1, "budget": 100, "eligibility": "recency_days < 3",
    },
}  # fmt: skip
_ODD: tuple[Any, ...] = (
    None, True, -1, 0, 10**30, -(2**63), 1.5e308, float("nan"), float("inf"), "", MARK, "\x00",
    "\ud800", "9" * 400, "1e99999", MARK * 800, "2026-05-01", "0001-01-01T00:00:00+14:00",
    "2026-02-30T00:00:00Z", "recency_days < ", f"{MARK} == 1", "not " * 300, [], {}, [[[[]]]],
    [None], {MARK: MARK}, [MARK] * 30, {"\ud800": 1}, "\u202e\ufeff\u0301", "a|b", "[1, {}]",
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something can be changed in ``value``, itself included."""
    yield path
    if isinstance(value, dict):
        for name, part in value.items():
            yield from places(part, (*path, name))
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from places(part, (*path, place))


def mutated(good: Any, path: tuple[Any, ...], change: str, odd: Any) -> Any:
    """``good`` with ``odd`` at ``path``, without what is there, or with ``odd`` beside it."""
    if not path:
        return odd
    whole = copy.deepcopy(good)
    holder = whole
    for part in path[:-1]:
        holder = holder[part]
    if change == "drop":
        del holder[path[-1]]
    elif change == "beside" and isinstance(holder, dict):
        holder[MARK] = odd
    else:
        holder[path[-1]] = odd
    return whole


@dataclass(frozen=True)
class Hostile:
    method: str
    path: str
    body: bytes
    content_type: bytes = b"application/json"


def almost() -> Iterator[Hostile]:
    """Every call with a body that is nearly right; of some the end is missing."""
    for (method, path), good in sorted(_GOOD.items()):
        for place in places(good):
            for change in ("replace", "drop", "beside") if place else ("replace",):
                for number, odd in enumerate(_ODD):
                    text = json.dumps(mutated(good, place, change, odd)).encode()
                    yield Hostile(method, path, text[: -1 if number % 8 == 3 else None])
                    if change == "drop":
                        break


def any_bytes() -> st.SearchStrategy[Hostile]:
    calls = st.sampled_from(sorted(_GOOD))
    types = st.sampled_from((b"application/json", b"application/x-www-form-urlencoded"))
    return st.builds(
        lambda call, body, kind: Hostile(call[0], call[1], body, kind),
        calls, st.binary(max_size=60), types,
    )  # fmt: skip


def body_calls(scored: Scored) -> set[tuple[str, str]]:
    found = set()
    for route in iter_route_contexts(scored.client.app.routes):  # type: ignore[attr-defined]  # the client says ASGIApp
        for method in {"POST", "PUT"} & set(route.methods or ()):
            found.add((method, str(route.path)))
    return found


def check(call: Hostile, found: Answer) -> None:
    assert 200 <= found.status < 500, (call, found)
    if found.status < 400:
        return
    assert found.headers[b"content-type"] == b"application/problem+json"
    assert MARK.encode() not in found.body, (call, found)
    assert len(call.body) < 6 or call.body not in found.body, (call, found)


@dataclass
class Asking:
    """Asks one call after the other in one event loop, and counts them."""

    caller: Scored
    runner: asyncio.Runner
    answered: int = 0

    def __call__(self, call: Hostile) -> None:
        path = call.path
        for name in ("audience_id", "release_id", "offer_id", "push_id", "experiment_id"):
            path = path.replace(f"{{{name}}}", "x1")
        key = self.caller.client.headers["authorization"].encode()
        headers = ((b"authorization", key), (b"content-type", call.content_type))
        asked = Asked(call.method, path, [call.body], headers)
        check(call, self.runner.run(answer(self.caller.client.app, asked)))
        self.answered += 1


@pytest.fixture
def ask(caller: Scored) -> Iterator[Asking]:
    assert body_calls(caller) == set(_GOOD), "a call that takes a body is not tested here"
    structlog.configure(processors=[dropped])
    with asyncio.Runner() as runner:
        yield Asking(caller, runner)


@pytest.mark.slow
def test_ten_thousand_bodies_of_any_bytes_make_no_fault_and_no_echo(ask: Asking) -> None:
    # Ten bodies an example: what Hypothesis does around each costs more than the call.
    @settings(
        max_examples=1_000, deadline=None, database=None, derandomize=True,
        phases=(Phase.generate,), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(calls=st.lists(any_bytes(), min_size=10, max_size=10))
    def ask_all(calls: list[Hostile]) -> None:
        for call in calls:
            ask(call)

    ask_all()
    assert ask.answered == 10_000


@pytest.mark.slow
def test_bodies_that_are_nearly_right_make_no_fault_and_no_echo(ask: Asking) -> None:
    for call in islice(almost(), 0, None, 2):
        ask(call)
    assert ask.answered > 1_000


def dropped(*_: object) -> Any:
    raise structlog.DropEvent
