"""What the clients call of experiments."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel

from serving import client_calls as calls
from serving.client_calls import Call
from serving.client_errors import Busy, NoAnswer
from serving.experiment_results_schema import ExperimentResults, ShadowResults
from serving.experiment_schemas import ExperimentChange, ExperimentPage, ExperimentShown

T = TypeVar("T", bound=BaseModel)
_UNDER_WAY = (Busy, NoAnswer)  # a try is shorter than a readout may take


class ExperimentCalls(ABC):
    """Part of ``Client``. A call that comes again does nothing twice."""

    @abstractmethod
    def _run(self, call: Call[T]) -> T: ...

    def create_experiment(self, declared: Mapping[str, Any]) -> ExperimentShown:
        """A draft; ``declared`` has the fields of ``experiments.design.Experiment``."""
        return self._run(calls.create_experiment(declared))

    def experiment(self, experiment_id: str) -> ExperimentShown:
        return self._run(calls.experiment(experiment_id))

    def experiments(self, state: str | None = None, after: str = "") -> ExperimentPage:
        """By id, at most 200; ``after``: the last page's ``next``."""
        return self._run(calls.experiments(state, after))

    def start_experiment(self, experiment_id: str, why: str = "") -> ExperimentShown:
        return self._run(calls.move_experiment(experiment_id, "start", {"why": why}))

    def stop_experiment(self, experiment_id: str, why: str = "") -> ExperimentShown:
        return self._run(calls.move_experiment(experiment_id, "stop", {"why": why}))

    def change_shares(
        self,
        experiment_id: str,
        shares: Mapping[str, float],
        why: str = "",
        if_match: str | None = None,
    ) -> ExperimentShown:
        """Give the arms other shares while it runs."""
        return self._run(calls.change_shares(experiment_id, shares, why, if_match))

    def promote_arm(
        self, experiment_id: str, arm: str, why: str = "", *, anyway: bool = False
    ) -> ExperimentShown:
        """Decide a stopped experiment for ``arm``; ``anyway``: against the readout's verdict."""
        body = {"arm": arm, "why": why, "anyway": anyway}
        return self._run(calls.move_experiment(experiment_id, "promote", body))

    def experiment_results(
        self, experiment_id: str, as_of: datetime | None = None, seconds: float = 300.0
    ) -> ExperimentResults:
        """What it shows, now or as it was known at ``as_of``; waits at most ``seconds`` for it."""
        call, until = calls.experiment_results(experiment_id, as_of), time.monotonic() + seconds
        while True:
            try:
                return self._run(call)
            except _UNDER_WAY:
                if time.monotonic() > until:
                    raise

    def experiment_shadow(self, experiment_id: str, as_of: datetime | None = None) -> ShadowResults:
        """What arms of a shadow experiment would have decided, until now or before ``as_of``."""
        return self._run(calls.experiment_shadow(experiment_id, as_of))

    def experiment_audit(self, experiment_id: str) -> Iterator[ExperimentChange]:
        """Who changed what, when and why, oldest first."""
        after: int | None = 0
        while after is not None:
            page = self._run(calls.experiment_audit(experiment_id, after))
            yield from page.changes
            after = page.next


class AsyncExperimentCalls(ABC):
    """The same for ``AsyncClient``."""

    @abstractmethod
    async def _run(self, call: Call[T]) -> T: ...

    async def create_experiment(self, declared: Mapping[str, Any]) -> ExperimentShown:
        return await self._run(calls.create_experiment(declared))

    async def experiment(self, experiment_id: str) -> ExperimentShown:
        return await self._run(calls.experiment(experiment_id))

    async def experiments(self, state: str | None = None, after: str = "") -> ExperimentPage:
        return await self._run(calls.experiments(state, after))

    async def start_experiment(self, experiment_id: str, why: str = "") -> ExperimentShown:
        return await self._run(calls.move_experiment(experiment_id, "start", {"why": why}))

    async def stop_experiment(self, experiment_id: str, why: str = "") -> ExperimentShown:
        return await self._run(calls.move_experiment(experiment_id, "stop", {"why": why}))

    async def change_shares(
        self,
        experiment_id: str,
        shares: Mapping[str, float],
        why: str = "",
        if_match: str | None = None,
    ) -> ExperimentShown:
        return await self._run(calls.change_shares(experiment_id, shares, why, if_match))

    async def promote_arm(
        self, experiment_id: str, arm: str, why: str = "", *, anyway: bool = False
    ) -> ExperimentShown:
        body = {"arm": arm, "why": why, "anyway": anyway}
        return await self._run(calls.move_experiment(experiment_id, "promote", body))

    async def experiment_results(
        self, experiment_id: str, as_of: datetime | None = None, seconds: float = 300.0
    ) -> ExperimentResults:
        call, until = calls.experiment_results(experiment_id, as_of), time.monotonic() + seconds
        while True:
            try:
                return await self._run(call)
            except _UNDER_WAY:
                if time.monotonic() > until:
                    raise

    async def experiment_shadow(
        self, experiment_id: str, as_of: datetime | None = None
    ) -> ShadowResults:
        return await self._run(calls.experiment_shadow(experiment_id, as_of))

    async def experiment_audit(self, experiment_id: str) -> AsyncIterator[ExperimentChange]:
        after: int | None = 0
        while after is not None:
            page = await self._run(calls.experiment_audit(experiment_id, after))
            for change in page.changes:
                yield change
            after = page.next
