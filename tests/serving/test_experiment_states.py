"""Whatever is asked of a book in whatever order, it never comes to what must not be."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from numpy.typing import NDArray

from experiments.assignment import BUCKETS, Running
from experiments.design import Arm, Experiment
from serving.errors import ServiceError
from serving.experiment_audit import Change
from serving.experiment_entry import Decided
from serving.experiments import Book
from serving.log import Log

IDS = ("a", "b", "c", "d")
LATER = {"draft": {"running"}, "running": {"stopped"}, "stopped": {"decided"}, "decided": set()}
ids = st.sampled_from(IDS)
percent = st.integers(1, 99)


def declared(name: str, layer: str, traffic: int, pushes: tuple[str, ...]) -> Experiment:
    arms = (Arm("old", 0.5, "champion"), Arm("new", 0.5, "random"))
    return Experiment(name, arms, "old", layer=layer, traffic=traffic / 100, push_ids=pushes)


def buckets_of(running: Running) -> NDArray[np.bool_]:
    found = np.zeros(BUCKETS, dtype=bool)
    for start, stop in running.slots:
        found[start:stop] = True
    return found


class Lifecycle(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.log = Log(Path(self.folder.name) / "log.db")
        self.book = Book(self.log)
        self.states: dict[str, str] = {}
        self.changes = 0
        self.hours = 0

    def teardown(self) -> None:
        if hasattr(self, "log"):
            self.log.close()
            self.folder.cleanup()

    def change(self) -> Change:
        self.hours += 1
        return Change(datetime(2026, 5, 1, tzinfo=UTC) + timedelta(hours=self.hours), "ann")

    @rule(
        name=ids,
        layer=st.sampled_from(("one", "two")),
        traffic=st.sampled_from((30, 60, 100)),
        pushes=st.sampled_from(((), ("may",), ("june", "may"), ("july",))),
    )
    def create(self, name: str, layer: str, traffic: int, pushes: tuple[str, ...]) -> None:
        try:
            self.book.create(declared(name, layer, traffic, pushes), self.change())
        except ServiceError:
            assert name in self.states

    @precondition(lambda self: self.states)
    @rule(name=ids)
    def start(self, name: str) -> None:
        self._try(lambda: self.book.start(name, self.change()))

    @precondition(lambda self: self.states)
    @rule(name=ids)
    def stop(self, name: str) -> None:
        self._try(lambda: self.book.stop(name, self.change()))

    @precondition(lambda self: self.states)
    @rule(name=ids, old=percent)
    def share(self, name: str, old: int) -> None:
        shares = {"old": old / 100, "new": 1 - old / 100}
        self._try(lambda: self.book.share(name, shares, self.change()))

    @precondition(lambda self: self.states)
    @rule(name=ids, arm=st.sampled_from(("old", "new")))
    def decide(self, name: str, arm: str) -> None:
        decided = Decided(arm, None, anyway=True, why="enough", by="ann")
        self._try(lambda: self.book.decide(name, decided, self.change()))

    def _try(self, step: Callable[[], object]) -> None:
        with suppress(ServiceError):
            step()

    @invariant()
    def states_only_ever_go_on(self) -> None:
        if not hasattr(self, "book"):
            return
        found = {one.experiment_id: one.state for one in self.book.page("", 10)}
        for name, state in found.items():
            before = self.states.get(name)
            if before is None:
                assert state == "draft"
            elif before != state:
                assert state in LATER[before]
        assert set(found) >= set(self.states)
        self.states = dict(found)

    @invariant()
    def a_member_and_a_push_have_one_experiment(self) -> None:
        if not hasattr(self, "book"):
            return
        running = self.book.running()
        for number, one in enumerate(running):
            taken = buckets_of(one)
            assert taken.sum() == round(one.experiment.traffic * BUCKETS)
            for other in running[:number]:
                same = one.experiment.layer == other.experiment.layer
                pushes = [set(each.experiment.push_ids) for each in (one, other)]
                apart = all(pushes) and not pushes[0] & pushes[1]
                assert not (taken & buckets_of(other)).any() if same else apart

    @invariant()
    def every_version_has_one_line_in_the_trail(self) -> None:
        if not hasattr(self, "book"):
            return
        for entry in self.book.page("", 10):
            trail = self.book.audit(entry.experiment_id, 0, 1_000)
            assert [one.version for one in trail] == list(range(1, entry.version + 1))


Lifecycle.TestCase.settings = settings(max_examples=12, stateful_step_count=15, deadline=None)
TestLifecycle = pytest.mark.slow(Lifecycle.TestCase)
