"""Calls decided together: in batches, within their deadlines, and no more than fit in time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from time import monotonic

import pytest

from serving.engine import MOST_TOGETHER, MOST_WAITING, Engine, Watched
from serving.errors import DeadlinePassed, LogUnavailable, Overloaded
from serving.making import Subject
from serving.schemas import Versions
from serving.scorer import Answers, Asked, Outcome
from tests.serving.conftest import AS_OF, FakeRelease

VERSIONS = Versions(release="r1", as_of=AS_OF, policy="p1", models={})
RELEASE = FakeRelease()
LATER = 30.0


def about(*members: str) -> Asked:
    return Asked(RELEASE, "spring", {member: Subject() for member in members})


async def ask(engine: Engine, asked: Asked, until: float) -> Answers:
    engine.check(len(asked), until)
    return await engine.answer(asked, until)


def answered(asked: Asked) -> Answers:
    return Answers({}, VERSIONS, tuple(asked.subjects))


class Gate:
    """Decides nothing until it is opened; remembers the batches."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.batches: list[list[str]] = []

    def __call__(self, calls: Sequence[Asked]) -> list[Outcome]:
        self.batches.append([member for call in calls for member in call.subjects])
        assert self.open.wait(LATER)
        return [answered(call) for call in calls]


async def _begun(gate: Gate, batches: int) -> None:
    while len(gate.batches) < batches:
        await asyncio.sleep(0.001)


def test_calls_that_come_while_others_are_decided_share_the_next_batch() -> None:
    async def calls() -> tuple[list[list[str]], list[Answers]]:
        gate = Gate()
        engine = Engine(gate)
        tasks = []
        for number in range(2):  # two batches are at work at a time
            tasks.append(asyncio.ensure_future(ask(engine, about(f"first{number}"), _in(LATER))))
            await _begun(gate, number + 1)
        calls = [ask(engine, about(f"m{number}"), _in(LATER)) for number in range(50)]
        tasks.extend(asyncio.ensure_future(call) for call in calls)
        await asyncio.sleep(0)
        gate.open.set()
        return gate.batches, await asyncio.gather(*tasks)

    batches, answers = asyncio.run(calls())
    assert batches[:2] == [["first0"], ["first1"]]
    assert batches[2] == [f"m{number}" for number in range(50)]
    assert [answer.degraded[0] for answer in answers[2:]] == [f"m{number}" for number in range(50)]


def test_a_batch_holds_no_more_members_than_its_bound() -> None:
    async def calls() -> list[list[str]]:
        gate = Gate()
        gate.open.set()
        engine = Engine(gate)
        part = [f"m{number}" for number in range(MOST_TOGETHER // 2 + 1)]
        await asyncio.gather(*(ask(engine, about(*part), _in(LATER)) for _ in range(4)))
        return gate.batches

    assert all(len(batch) <= MOST_TOGETHER for batch in asyncio.run(calls()))


def test_a_call_past_its_deadline_is_told_so_and_one_not_begun_is_never_decided() -> None:
    async def calls() -> list[list[str]]:
        gate = Gate()
        engine = Engine(gate)
        begun = []
        for number in range(2):
            begun.append(asyncio.ensure_future(ask(engine, about(f"a{number}"), _in(0.05))))
            await _begun(gate, number + 1)
        waiting = asyncio.ensure_future(ask(engine, about("b"), _in(0.05)))
        for task in (*begun, waiting):
            with pytest.raises(DeadlinePassed):
                await task
        gate.open.set()
        await ask(engine, about("c"), _in(LATER))
        return gate.batches

    assert asyncio.run(calls()) == [["a0"], ["a1"], ["c"]]


def test_more_members_than_the_queue_holds_are_refused_at_once() -> None:
    async def calls() -> None:
        gate = Gate()
        refused: list[str] = []
        engine = Engine(gate, Watched(refused=lambda: refused.append("a call")))
        tasks = [asyncio.ensure_future(ask(engine, about("a"), _in(LATER)))]
        await _begun(gate, 1)
        tasks.append(asyncio.ensure_future(ask(engine, about("b"), _in(LATER))))
        await _begun(gate, 2)
        full = [f"m{number}" for number in range(MOST_WAITING)]
        tasks.append(asyncio.ensure_future(ask(engine, about(*full), _in(LATER))))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await ask(engine, about("c"), _in(LATER))
        assert refused == ["a call"]
        gate.open.set()
        await asyncio.gather(*tasks)

    asyncio.run(calls())


def test_a_call_that_cannot_be_in_time_is_refused_instead_of_answered_late() -> None:
    async def calls() -> None:
        slow = threading.Event()

        def decide(asked: Sequence[Asked]) -> list[Outcome]:
            slow.wait(0.05)
            return [answered(call) for call in asked]

        engine = Engine(decide)
        for _ in range(20):  # it learns that a member takes about a twentieth of a second
            await ask(engine, about("a"), _in(LATER))
        tasks = [asyncio.ensure_future(ask(engine, about(f"m{n}"), _in(LATER))) for n in range(9)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await ask(engine, about("late"), _in(0.1))
        await asyncio.gather(*tasks)

    asyncio.run(calls())


def test_a_large_call_is_not_refused_for_its_own_size_alone() -> None:
    async def calls() -> None:
        gate = Gate()
        engine = Engine(gate)
        begun = asyncio.ensure_future(ask(engine, about("a"), _in(LATER)))
        await _begun(gate, 1)
        engine.check(MOST_WAITING + 1, _in(0.001))
        gate.open.set()
        await begun

    asyncio.run(calls())


@pytest.mark.parametrize("fault", [LogUnavailable, ZeroDivisionError])
def test_what_keeps_a_batch_from_its_answers_is_told_to_its_callers_alone(
    fault: Callable[[], Exception],
) -> None:
    async def calls() -> None:
        def decide(asked: Sequence[Asked]) -> list[Outcome]:
            if "bad" in asked[0].subjects:
                raise fault()
            return [answered(call) for call in asked]

        engine = Engine(decide)
        with pytest.raises(type(fault())):
            await ask(engine, about("bad"), _in(LATER))
        assert (await ask(engine, about("good"), _in(LATER))).degraded == ("good",)

    asyncio.run(calls())


def _in(seconds: float) -> float:
    return monotonic() + seconds
