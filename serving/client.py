"""The scorer's API from Python: ``Client``, and ``AsyncClient`` with the same calls.

    with Client("http://127.0.0.1:8787", key) as client:
        if client.decide("spring", "15098").send: ...

A call is repeated when nothing is heard, and when the scorer is busy; repeated, it does nothing
twice. It ends within its deadline: with an answer, with an error of ``serving.client_errors``, or,
for decisions, with the fallback's answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import httpx2
from pydantic import BaseModel

from serving import client_calls as calls
from serving.catalogue_schemas import CatalogueOffer, CataloguePush
from serving.client_calls import Call, no_send
from serving.client_errors import Busy, ClientError, Fault, NoAnswer
from serving.client_experiments import AsyncExperimentCalls, ExperimentCalls
from serving.client_retry import Plan, Policy, Reply, Send, plan
from serving.erasure_schemas import ErasureShown
from serving.evaluation_schemas import EvaluationJob
from serving.explain_schemas import Explained, TimelinePage
from serving.schemas import MAX_MEMBERS, AudienceJob, Decision, FlatDecision, Receipt

T = TypeVar("T", bound=BaseModel)
Fallback = Callable[[str, str], FlatDecision]
Contexts = Mapping[str, Mapping[str, Any] | None]
_NOTHING_TO_BE_HAD = (NoAnswer, Busy, Fault)
_LOOK_AGAIN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Many:
    """decisions: one a member, in the order asked. degraded: what could not be had in some call."""

    decisions: tuple[Decision, ...]
    degraded: tuple[str, ...]


class _Shared:
    """What both clients know.

    Args:
        address: such as ``http://127.0.0.1:8787``.
        key: ``pw_...``; empty for a scorer that asks for none.
        policy: how long and how often a call is tried.
        fallback: push and member to what is answered when nothing can be had; None raises instead.
    """

    def __init__(
        self,
        address: str,
        key: str = "",
        policy: Policy = Policy(),  # noqa: B008 - frozen
        fallback: Fallback | None = no_send,
    ) -> None:
        self._policy = policy
        self._fallback = fallback
        self._address = address
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def _plan(self) -> Plan:
        return plan(self._policy)

    def _instead(self, push_id: str, members: Sequence[str], error: ClientError) -> list[Decision]:
        if self._fallback is None:
            raise error
        return [calls.as_decision(self._fallback(push_id, member)) for member in members]


class Client(_Shared, ExperimentCalls):
    """Calls that wait. Connections are kept; one client may serve several threads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._http = httpx2.Client(base_url=self._address, headers=self._headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def decide(self, push_id: str, member_id: str) -> FlatDecision:
        """Which offer, if any, for this member now?"""
        try:
            return self._run(calls.decide(push_id, member_id))
        except _NOTHING_TO_BE_HAD:
            if self._fallback is None:
                raise
            return self._fallback(push_id, member_id)

    def decide_many(
        self, push_id: str, members: Contexts | Sequence[str], key: str | None = None
    ) -> Many:
        """One decision for each member, in calls of a thousand; ``key``: idempotency key."""
        contexts = _contexts(members)
        decisions: list[Decision] = []
        degraded: dict[str, None] = {}
        for number, call in enumerate(
            calls.decide_many(push_id, contexts, key, self._policy.timeout)
        ):
            try:
                answer = self._run(call)
            except _NOTHING_TO_BE_HAD as error:
                decisions += self._instead(push_id, _asked(contexts, number), error)
                degraded["no_answer"] = None
            else:
                decisions += answer.decisions
                degraded |= dict.fromkeys(answer.degraded)
        return Many(tuple(decisions), tuple(degraded))

    def send_events(self, rows: Sequence[Mapping[str, Any]], key: str | None = None) -> Receipt:
        """Rows of the table ``events``; what is accepted is on disk."""
        return calls.all_receipts([self._run(c) for c in calls.send_rows("events", rows, key)])

    def send_outcomes(self, rows: Sequence[Mapping[str, Any]], key: str | None = None) -> Receipt:
        """Rows of the table ``outcomes``; what is accepted is on disk."""
        return calls.all_receipts([self._run(c) for c in calls.send_rows("outcomes", rows, key)])

    def put_offer(
        self, offer_id: str, offer: Mapping[str, Any], if_match: str | None = None
    ) -> CatalogueOffer:
        return self._run(calls.put_offer(offer_id, offer, if_match))

    def put_push(
        self, push_id: str, push: Mapping[str, Any], if_match: str | None = None
    ) -> CataloguePush:
        return self._run(calls.put_push(push_id, push, if_match))

    def audience(self, push_id: str, seconds: float = 600.0, **asked: Any) -> AudienceJob:
        """Plan a push for everybody, and wait at most ``seconds`` until that is done or failed."""
        job, until = self._run(calls.ask_audience(push_id, asked)), time.monotonic() + seconds
        while job.state in ("queued", "running"):
            if time.monotonic() > until:
                raise NoAnswer(f"the audience is not done after {seconds:g} s")
            time.sleep(_LOOK_AGAIN_SECONDS)
            job = self._run(calls.audience(job.audience_id))
        return job

    def evaluation(
        self, policies: Sequence[Mapping[str, Any]], seconds: float = 600.0, **asked: Any
    ) -> EvaluationJob:
        """Evaluate policies on past decisions, and wait at most ``seconds`` until that is done or
        failed. ``asked``: see ``serving.evaluation_schemas.EvaluationAsked``."""
        job, until = self._run(calls.ask_evaluation(policies, asked)), time.monotonic() + seconds
        while job.state in ("queued", "running"):
            if time.monotonic() > until:
                raise NoAnswer(f"the evaluation is not done after {seconds:g} s")
            time.sleep(_LOOK_AGAIN_SECONDS)
            job = self._run(calls.evaluation(job.evaluation_id))
        return job

    def audience_members(self, audience_id: str) -> Iterator[dict[str, Any]]:
        """The members of an audience that is done, best first."""
        after: int | None = 0
        while after is not None:
            page = self._run(calls.audience_page(audience_id, after))
            yield from page.members
            after = page.next

    def explanation(self, decision_id: str) -> Explained:
        return self._run(calls.explanation(decision_id))

    def timeline(self, member_id: str, after: str | None = None, limit: int = 100) -> TimelinePage:
        return self._run(calls.timeline(member_id, after, limit))

    def erase(self, member_id: str) -> ErasureShown:
        return self._run(calls.erase(member_id))

    def _run(self, call: Call[T]) -> T:
        steps = self._plan()
        heard: Reply | Exception | None = None
        while True:
            try:
                step = steps.send(heard)
            except StopIteration as done:
                reply: Reply = done.value
                return call.answer.model_validate_json(reply.body)
            heard = None
            if isinstance(step, Send):
                heard = self._sent(call, step)
            else:
                time.sleep(step.seconds)

    def _sent(self, call: Call[Any], step: Send) -> Reply | Exception:
        try:
            found = self._http.send(_request(self._http, call, step))
        except httpx2.TransportError as error:
            return error
        return Reply(found.status_code, found.headers, found.content)


class AsyncClient(_Shared, AsyncExperimentCalls):
    """The same calls for an event loop."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._http = httpx2.AsyncClient(base_url=self._address, headers=self._headers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def decide(self, push_id: str, member_id: str) -> FlatDecision:
        """As ``Client.decide``."""
        try:
            return await self._run(calls.decide(push_id, member_id))
        except _NOTHING_TO_BE_HAD:
            if self._fallback is None:
                raise
            return self._fallback(push_id, member_id)

    async def decide_many(
        self, push_id: str, members: Contexts | Sequence[str], key: str | None = None
    ) -> Many:
        """As ``Client.decide_many``."""
        contexts = _contexts(members)
        decisions: list[Decision] = []
        degraded: dict[str, None] = {}
        for number, call in enumerate(
            calls.decide_many(push_id, contexts, key, self._policy.timeout)
        ):
            try:
                answer = await self._run(call)
            except _NOTHING_TO_BE_HAD as error:
                decisions += self._instead(push_id, _asked(contexts, number), error)
                degraded["no_answer"] = None
            else:
                decisions += answer.decisions
                degraded |= dict.fromkeys(answer.degraded)
        return Many(tuple(decisions), tuple(degraded))

    async def send_events(
        self, rows: Sequence[Mapping[str, Any]], key: str | None = None
    ) -> Receipt:
        found = [await self._run(call) for call in calls.send_rows("events", rows, key)]
        return calls.all_receipts(found)

    async def send_outcomes(
        self, rows: Sequence[Mapping[str, Any]], key: str | None = None
    ) -> Receipt:
        found = [await self._run(call) for call in calls.send_rows("outcomes", rows, key)]
        return calls.all_receipts(found)

    async def put_offer(
        self, offer_id: str, offer: Mapping[str, Any], if_match: str | None = None
    ) -> CatalogueOffer:
        return await self._run(calls.put_offer(offer_id, offer, if_match))

    async def put_push(
        self, push_id: str, push: Mapping[str, Any], if_match: str | None = None
    ) -> CataloguePush:
        return await self._run(calls.put_push(push_id, push, if_match))

    async def audience(self, push_id: str, seconds: float = 600.0, **asked: Any) -> AudienceJob:
        """As ``Client.audience``."""
        job, until = await self._run(calls.ask_audience(push_id, asked)), time.monotonic() + seconds
        while job.state in ("queued", "running"):
            if time.monotonic() > until:
                raise NoAnswer(f"the audience is not done after {seconds:g} s")
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            job = await self._run(calls.audience(job.audience_id))
        return job

    async def evaluation(
        self, policies: Sequence[Mapping[str, Any]], seconds: float = 600.0, **asked: Any
    ) -> EvaluationJob:
        """As ``Client.evaluation``."""
        asking = calls.ask_evaluation(policies, asked)
        job, until = await self._run(asking), time.monotonic() + seconds
        while job.state in ("queued", "running"):
            if time.monotonic() > until:
                raise NoAnswer(f"the evaluation is not done after {seconds:g} s")
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            job = await self._run(calls.evaluation(job.evaluation_id))
        return job

    async def audience_members(self, audience_id: str) -> AsyncIterator[dict[str, Any]]:
        """As ``Client.audience_members``."""
        after: int | None = 0
        while after is not None:
            page = await self._run(calls.audience_page(audience_id, after))
            for member in page.members:
                yield member
            after = page.next

    async def explanation(self, decision_id: str) -> Explained:
        return await self._run(calls.explanation(decision_id))

    async def timeline(
        self, member_id: str, after: str | None = None, limit: int = 100
    ) -> TimelinePage:
        return await self._run(calls.timeline(member_id, after, limit))

    async def erase(self, member_id: str) -> ErasureShown:
        return await self._run(calls.erase(member_id))

    async def _run(self, call: Call[T]) -> T:
        steps = self._plan()
        heard: Reply | Exception | None = None
        while True:
            try:
                step = steps.send(heard)
            except StopIteration as done:
                reply: Reply = done.value
                return call.answer.model_validate_json(reply.body)
            heard = None
            if isinstance(step, Send):
                heard = await self._sent(call, step)
            else:
                await asyncio.sleep(step.seconds)

    async def _sent(self, call: Call[Any], step: Send) -> Reply | Exception:
        try:
            # The library's timeouts are of single steps; this one is of the whole try.
            async with asyncio.timeout(step.timeout):
                found = await self._http.send(_request(self._http, call, step))
        except (httpx2.TransportError, TimeoutError) as error:
            return error
        return Reply(found.status_code, found.headers, found.content)


def _contexts(members: Contexts | Sequence[str]) -> Contexts:
    return members if isinstance(members, Mapping) else dict.fromkeys(members)


def _asked(contexts: Contexts, number: int) -> list[str]:
    """The members of call ``number``."""
    first = number * MAX_MEMBERS
    return list(contexts)[first : first + MAX_MEMBERS]


def _request(
    http: httpx2.Client | httpx2.AsyncClient, call: Call[Any], step: Send
) -> httpx2.Request:
    return http.build_request(
        call.method, call.path, params=dict(call.query) or None, content=call.body,
        headers=dict(call.headers), timeout=step.timeout,
    )  # fmt: skip
