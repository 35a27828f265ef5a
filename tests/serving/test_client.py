"""The client against a real scorer, and against one that misbehaves."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from serving.client import AsyncClient, Client
from serving.client_calls import no_send
from serving.client_errors import Busy, Conflict, NoAnswer, NotAllowed, NotTaken, NotThere
from serving.client_retry import Plan, Policy, Reply, Send, Sleep, plan
from serving.server import background
from serving.settings import Settings

if TYPE_CHECKING:
    from tests.serving.conftest import Bench

HASTY = Policy(deadline=2.0, tries=3, first_wait=0.01, timeout=0.3)
VIEW = {"member_id": "m00", "type": "view", "occurred_at": "2026-05-01T00:00:00Z"}


@pytest.fixture
def address(bench: Bench, free_port: int) -> Iterator[str]:
    release = bench.release("r1")
    # A machine that runs many tests at once is slow: deadlines have tests of their own.
    settings = Settings(
        bench.workspace, port=free_port, release=release, insecure_dev=True, deadline=30.0
    )
    with background(settings) as address:
        yield address


def _compare(client: Client) -> None:
    """An experiment from its declaration to its end."""
    arms = [
        {"name": "champion", "share": 0.5, "kind": "champion"},
        {"name": "nothing", "share": 0.5, "kind": "holdout"},
    ]
    declared = {"experiment_id": "spring-model", "arms": arms, "control": "champion"}
    assert client.create_experiment(declared).state == "draft"
    assert client.start_experiment("spring-model", "agreed").state == "running"
    shares = {"champion": 0.75, "nothing": 0.25}
    with pytest.raises(Conflict):
        client.change_shares("spring-model", shares, if_match='"1"')
    assert client.change_shares("spring-model", shares).version == 3
    [running] = client.experiments("running").experiments
    assert running == client.experiment("spring-model")
    assert client.stop_experiment("spring-model").state == "stopped"
    decided = client.promote_arm("spring-model", "champion", "no harm")
    assert decided.decision is not None
    assert decided.decision.why == "no harm"
    trail = [one.action for one in client.experiment_audit("spring-model")]
    assert trail == ["created", "started", "shares_changed", "stopped", "decided"]


@pytest.mark.slow
def test_every_call_of_the_client_is_one_of_the_scorer(address: str) -> None:
    with Client(address, policy=Policy(deadline=60.0, timeout=30.0)) as client:
        one = client.decide("spring", "m00")
        assert one == client.decide("spring", "m00")
        members = [*(f"m{n:02d}" for n in range(50)), *map(str, range(1100))]
        many = client.decide_many("spring", members)
        assert [answer.member_id for answer in many.decisions][:2] == ["m00", "m01"]
        assert len(many.decisions) == 1150
        assert many.decisions[0].decision_id == one.decision_id
        assert one.decision_id is not None
        assert client.explanation(one.decision_id).push_id == "spring"
        rows = [{**VIEW, "event_id": f"e{n}"} for n in range(1500)]
        judged = client.evaluation([{"kind": "nothing"}], seconds=120.0)
        assert judged.failure is not None  # nothing was ingested here
        assert judged.failure.detail.startswith("no ")
        receipt = client.send_events([*rows, {"event_id": "bad"}], key="batch")
        assert (receipt.accepted, [row.index for row in receipt.rejected]) == (1500, [1500])
        assert client.send_events([*rows, {"event_id": "bad"}], key="batch") == receipt
        told = {"event_id": "o", "decision_id": one.decision_id, "type": "opened"}
        assert client.send_outcomes([{**told, "occurred_at": VIEW["occurred_at"]}]).accepted == 1
        assert client.timeline("m00").member_id == "m00"
        assert client.put_offer("twenty", {"kind": "percent_off", "value": 20}).version == 1
        soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        plan_of_it = {"channel": "push", "send_at": soon, "offer_ids": ["twenty"]}
        assert client.put_push("winter", plan_of_it).in_release is False
        with pytest.raises(Conflict) as changed:
            client.put_offer("twenty", {"kind": "gift"}, if_match='"0-x"')
        assert changed.value.code == "precondition_failed"
        with pytest.raises(NotTaken) as wrong:
            client.put_offer("twenty", {"kind": "gift", "value": -1})
        assert wrong.value.problem.errors[0].pointer == "/value"
        with pytest.raises(NotThere, match="unknown push"):
            client.decide_many("unheard-of", ["m00"])
        assert client.erase("m00").members == 1
        _compare(client)

    async def same() -> None:
        async with AsyncClient(address) as client:
            assert (await client.decide("spring", "m01")).member_id == "m01"
            assert len((await client.decide_many("spring", ["m01", "m02"])).decisions) == 2
            assert (await client.experiment("spring-model")).state == "decided"
            trail = [one.action async for one in client.experiment_audit("spring-model")]
            assert trail[0] == "created"
            assert (
                await client.send_events([{**VIEW, "event_id": "a", "member_id": "x"}])
            ).accepted

    asyncio.run(same())


@dataclass
class Misbehaving:
    """A server that answers each connection with the next of ``answers``; None resets it, and
    when there are no more it says nothing. ``heard``: what it was sent."""

    listener: socket.socket
    answers: list[bytes | None]
    heard: list[bytes] = field(default_factory=list)
    held: list[socket.socket] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                caller, _ = self.listener.accept()
            except OSError:
                return
            self.heard.append(caller.recv(65536))
            if not self.answers:
                self.held.append(caller)
                continue
            answer = self.answers.pop(0)
            if answer is not None:
                caller.sendall(answer)
            caller.close()


@contextmanager
def misbehaving(*answers: bytes | None) -> Iterator[Misbehaving]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Misbehaving(listener, list(answers))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
        for caller in server.held:
            caller.close()
    thread.join()


def told(status: str, body: str, *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


SENT = no_send("spring", "m00").model_copy(update={"release": "r9"})
ANSWER = told("200 OK", SENT.model_dump_json())
BUSY = told("503 Service Unavailable", "busy", "Retry-After: 0")


def test_a_busy_and_a_broken_connection_are_tried_again() -> None:
    with misbehaving(BUSY, None, ANSWER) as server, Client(server.address, policy=HASTY) as client:
        assert client.decide("spring", "m00").release == "r9"
        assert len(server.heard) == 3


def test_the_async_client_tries_again_too() -> None:
    async def ask(address: str) -> str:
        async with AsyncClient(address, policy=HASTY) as client:
            return (await client.decide("spring", "m00")).release

    with misbehaving(BUSY, None, ANSWER) as server:
        assert asyncio.run(ask(server.address)) == "r9"


def test_a_call_keeps_its_idempotency_key_when_it_is_repeated() -> None:
    receipt = told("200 OK", '{"accepted": 1, "duplicates": 0, "rejected": []}')
    with misbehaving(None, receipt) as server, Client(server.address, policy=HASTY) as client:
        assert client.send_events([{**VIEW, "event_id": "e"}]).accepted == 1
    keys = [line for sent in server.heard for line in sent.split(b"\r\n") if b"dempotency" in line]
    assert len(keys) == 2
    assert keys[0] == keys[1]


def test_when_nothing_is_heard_the_fallback_answers() -> None:
    with misbehaving() as server:
        with Client(server.address, policy=HASTY) as client:
            silent = client.decide("spring", "m00")
            assert (silent.send, silent.degraded) == (False, ["no_answer"])
            many = client.decide_many("spring", ["m00", "m01"])
            assert [one.send for one in many.decisions] == [False, False]
            assert many.degraded == ("no_answer",)
        with Client(server.address, policy=HASTY, fallback=None) as strict, pytest.raises(NoAnswer):
            strict.decide("spring", "m00")


def test_a_refusal_is_not_tried_again_and_needs_no_fallback() -> None:
    problem = (
        '{"type": "urn:pushwise:problem:unknown_key", "title": "unknown key", "status": 401, '
        '"detail": "the API key is not one of this scorer\'s"}'
    )
    with misbehaving(told("401 Unauthorized", problem)) as server:
        with (
            Client(server.address, "pw_x", policy=HASTY) as client,
            pytest.raises(NotAllowed) as no,
        ):
            client.decide("spring", "m00")
        assert no.value.code == "unknown_key"
        assert len(server.heard) == 1


def followed(policy: Policy, *heard: Reply | Exception) -> tuple[list[Send | Sleep], object]:
    """What the plan does when it hears ``heard``, and how it ends."""
    steps: Plan = plan(policy)
    done: list[Send | Sleep] = []
    waiting, reply = list(heard), None
    try:
        while True:
            done.append(steps.send(reply))
            reply = waiting.pop(0) if isinstance(done[-1], Send) else None
    except (Busy, NoAnswer) as error:
        return done, error
    except StopIteration as end:
        return done, end.value


def test_waits_double_at_random_and_keep_to_retry_after_and_deadline() -> None:
    policy = Policy(deadline=10, tries=4, first_wait=1, clock=lambda: 0.0, draw=lambda: 0.5)
    busy, asks = Reply(503, {}, b""), Reply(429, {"retry-after": "7"}, b"")
    done, end = followed(policy, busy, busy, asks, busy)
    assert [step for step in done if isinstance(step, Sleep)] == [
        Sleep(0.5),
        Sleep(1.0),
        Sleep(7.0),
    ]
    assert isinstance(end, Busy)
    done, end = followed(policy, Reply(503, {"retry-after": "11"}, b""))
    assert [type(step) for step in done] == [Send]  # later than the deadline: no use waiting
    assert isinstance(end, Busy)
    assert end.retry_after == 11.0
    assert isinstance(followed(policy, *[OSError()] * 4)[1], NoAnswer)
    assert followed(policy, Reply(200, {}, b"x"))[1] == Reply(200, {}, b"x")
