"""What fails again and again is left alone, and tried again now and then."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serving.breaker import Breaker, Rules

RULES = Rules(failures=3, pause=1.0, longest=5.0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def failing(times: int) -> tuple[Breaker, Clock]:
    clock = Clock()
    breaker = Breaker(RULES, clock)
    for _ in range(times):
        assert breaker.allows()
        breaker.failed()
    return breaker, clock


def test_a_failure_now_and_then_opens_nothing() -> None:
    breaker, _ = failing(2)
    breaker.succeeded()
    for _ in range(2):
        breaker.failed()
    assert breaker.state == "closed"
    assert breaker.allows()


def test_failures_in_a_row_open_it_for_a_pause() -> None:
    breaker, clock = failing(3)
    assert breaker.state == "open"
    assert not breaker.allows()
    clock.now += 0.999
    assert not breaker.allows()


def test_after_a_pause_one_try_is_let_through() -> None:
    breaker, clock = failing(3)
    clock.now += 1.0
    before = breaker.state
    assert before == "half_open"
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert breaker.state == "closed"


def test_failures_of_tries_begun_before_it_opened_prolong_nothing() -> None:
    breaker, clock = failing(3)
    breaker.failed()
    clock.now += 1.0
    assert breaker.allows()


def test_every_failed_try_doubles_the_pause_up_to_the_longest() -> None:
    breaker, clock = failing(3)
    pauses = []
    for _ in range(5):
        began = clock.now
        while not breaker.allows():
            clock.now += 0.5
        pauses.append(clock.now - began)
        breaker.failed()
    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_a_try_that_nobody_hears_of_again_blocks_nothing() -> None:
    breaker, clock = failing(3)
    clock.now += 1.0
    assert breaker.allows()
    clock.now += 1.0
    assert breaker.allows()


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=60))
def test_open_it_lets_through_one_try_a_pause_at_most(steps: list[tuple[float, bool]]) -> None:
    clock = Clock()
    breaker = Breaker(RULES, clock)
    allowed_at: list[float] = []
    for passed, works in steps:
        clock.now += passed
        was = breaker.state
        if not breaker.allows():
            assert was == "open"
            continue
        if was == "half_open" and allowed_at:
            assert clock.now - allowed_at[-1] >= RULES.pause
        allowed_at.append(clock.now)
        if works:
            breaker.succeeded()
            assert breaker.state == "closed"
        else:
            breaker.failed()
