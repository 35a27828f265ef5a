"""When to send a call again: a plan that sends nothing itself, so that any client can follow it."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic

from serving.client_errors import NoAnswer, error_of
from serving.problem import TYPE, Problem

_AGAIN = frozenset({408, 429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Policy:
    """How long and how often a call is tried.

    deadline: seconds that a call may take with all its repetitions. tries: most times it is sent.
    first_wait, most_wait: seconds; waits double between them, each drawn at random from nothing up
    to that, so that callers who failed together do not come back together. A ``Retry-After`` is
    kept to where it is longer. timeout: most seconds that one try may take.
    """

    deadline: float = 10.0
    tries: int = 5
    first_wait: float = 0.05
    most_wait: float = 2.0
    timeout: float = 5.0
    clock: Callable[[], float] = field(default=monotonic, repr=False)
    draw: Callable[[], float] = field(default=random.random, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Send:
    """Send the call; give the plan a ``Reply``, or the exception when there is none."""

    timeout: float


@dataclass(frozen=True, slots=True)
class Sleep:
    seconds: float


Plan = Generator[Send | Sleep, Reply | Exception | None, Reply]


def plan(policy: Policy) -> Plan:
    """What to do until there is an answer below 400, which it returns.

    Raises:
        ProblemError: the scorer refused, or was busy to the end.
        NoAnswer: nothing was heard to the end.
    """
    until = policy.clock() + policy.deadline
    last: Exception = NoAnswer(f"no answer within {policy.deadline:g} s")
    for attempt in range(policy.tries):
        left = until - policy.clock()
        if left <= 0:
            break
        heard = yield Send(min(left, policy.timeout))
        asked = 0.0
        if isinstance(heard, Reply):
            if heard.status < 400:
                return heard
            retry_after = _retry_after(heard)
            last = error_of(_problem(heard), retry_after)
            if heard.status not in _AGAIN:
                raise last
            asked = retry_after or 0.0
        elif isinstance(heard, Exception):
            last = NoAnswer(f"no answer within {policy.deadline:g} s ({type(heard).__name__})")
            last.__cause__ = heard
        backoff = min(policy.most_wait, policy.first_wait * 2**attempt) * policy.draw()
        wait = max(backoff, asked)
        if attempt + 1 == policy.tries or policy.clock() + wait >= until:
            break
        yield Sleep(wait)
    raise last


def _problem(heard: Reply) -> Problem:
    """What was told; of a balancer before the scorer, which tells no problems, its status."""
    try:
        return Problem.model_validate_json(heard.body)
    except ValueError:
        detail = "what answered is not the scorer"
        return Problem(
            type=TYPE + "unknown", title="no problem", status=heard.status, detail=detail
        )


def _retry_after(heard: Reply) -> float | None:
    told = heard.headers.get("retry-after", "")
    if told.isdigit():
        return float(told)
    try:
        moment = parsedate_to_datetime(told)
    except ValueError:
        return None
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())
