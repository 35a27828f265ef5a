"""Experiments under way, as a scorer decides them: each arm with the release that answers in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import structlog

from decisions.pacing import Part
from decisions.rules import RuleError
from decisions.variant import AS_IS, Variant
from experiments.assignment import NOBODY, Running
from experiments.design import Arm
from serving.errors import LogUnavailable, ReleaseGone
from serving.seated import Seated

if TYPE_CHECKING:
    from serving.scorer import Answering

ARMS = "arm/"  # begins the names of what an arm has used of a push's limits
_MOST_TOLD = 1_000  # pushes; push ids come from callers, and a memory must not grow for ever
Shares = Mapping[str, float]  # by arm


@dataclass(frozen=True, slots=True)
class Branch:
    """An arm. release: what answers in it. part: of the push's limits that it has."""

    experiment_id: str
    arm: str
    variant: Variant
    release: Answering
    part: Part


@dataclass(frozen=True, slots=True)
class Seat:
    """A member's place. shares: chance of each arm when the member came in."""

    branch: Branch
    shares: Shares


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One experiment in one push. branches: in the order of its arms."""

    running: Running
    branches: tuple[Branch, ...]

    @property
    def experiment_id(self) -> str:
        return self.running.experiment.experiment_id

    @property
    def remembers(self) -> bool:
        """Whether members may be in another arm than their hash says: shares were changed."""
        return bool(self.running.earlier)

    @property
    def oldest(self) -> datetime:
        """As of when the oldest of its releases knows contacts."""
        return min(branch.release.versions.as_of for branch in self.branches)

    def seats(self, members: Sequence[str], earlier: Seated) -> dict[str, Seat]:
        """Who of ``members`` is in it, and where.

        Args:
            earlier: who was in it before: they stay where they were.
        """
        by_name = {branch.arm: branch for branch in self.branches}
        found: dict[str, Seat] = {}
        now = _shares(self.running.allocation.share, by_name)
        places = self.running.assign(members).tolist()
        for member, place in zip(members, places, strict=True):
            if member in earlier:
                arm, since = earlier[member]
                found[member] = Seat(by_name[arm], _shares(self.running.at(since).share, by_name))
            elif place != NOBODY:
                found[member] = Seat(self.branches[place], now)
        return found


def seats_in(
    trials: Iterable[Trial], members: Sequence[str], earlier: Mapping[str, Seated]
) -> dict[str, Seat]:
    """Who of ``members`` is in one of ``trials``, and where. earlier: by experiment."""
    found: dict[str, Seat] = {}
    for trial in trials:
        found |= trial.seats(members, earlier.get(trial.experiment_id, {}))
    return found


def _shares(of: Callable[[str], float], arms: Mapping[str, Branch]) -> Shares:
    return {arm: of(arm) for arm in arms}


class FindsTrial(Protocol):
    """Finds the experiments that decide a push; no member is in two of them."""

    def of_push(self, push_id: str, release: Answering) -> tuple[Trial, ...]: ...


class NoTrials:
    """No experiment is under way."""

    def of_push(self, push_id: str, release: Answering) -> tuple[Trial, ...]:
        return ()


@dataclass(eq=False)
class Trials:
    """What is under way, with all of its releases in memory.

    ``look`` brings it up to date and may take seconds; ``of_push`` answers at once. A scorer takes
    part in an experiment only when it has all that its arms need: members who ask before are
    decided as if there were none, whatever arm would have been theirs, so no arm is favoured.

    Args:
        read: what is under way. Raises ``LogUnavailable``.
        load: a release by its id, other than the one in use. Raises ``ReleaseGone``.
    """

    read: Callable[[], Sequence[Running]]
    load: Callable[[str], Answering]
    _running: tuple[Running, ...] = ()
    _loaded: dict[str, Answering] = field(default_factory=dict)
    _refused: frozenset[str] = frozenset()
    _left_out: set[tuple[str, str]] = field(default_factory=set)  # told once each
    _asks: dict[tuple[str, str], bool] = field(default_factory=dict)  # by release and rule

    def look(self) -> None:
        """Read what is under way and load what is missing; a log that cannot be read changes
        nothing."""
        try:
            running = tuple(one for one in self.read() if one.experiment.mode == "live")
        except LogUnavailable:
            return
        wanted = {arm.release for one in running for arm in one.experiment.arms if arm.release}
        loaded = {name: one for name, one in self._loaded.items() if name in wanted}
        refused = set()
        for name in sorted(wanted - loaded.keys()):
            try:
                loaded[name] = self.load(name)
            except ReleaseGone as error:
                refused.add(name)
                if name not in self._refused:
                    log = structlog.get_logger("pushwise.experiments")
                    log.error("an arm's release is refused", release=name, why=str(error))
        # In this order: who reads them in between finds a release missing, and no experiment.
        self._loaded, self._refused = loaded, frozenset(refused)
        self._running = running

    def of_push(self, push_id: str, release: Answering) -> tuple[Trial, ...]:
        """The experiments that decide ``push_id`` beside ``release``, the one in use, without those
        of which an arm cannot decide this push."""
        found = []
        for running in self._running if push_id in release.pushes else ():
            pushes = running.experiment.push_ids
            if not pushes or push_id in pushes:
                branches = [self._branch(running, arm, release) for arm in running.experiment.arms]
                there = [one for one in branches if one is not None and self._can(one, push_id)]
                if len(there) == len(branches):
                    found.append(Trial(running, tuple(there)))
                else:
                    self._tell(running, push_id, branches)
        return tuple(found)

    def _tell(self, running: Running, push_id: str, branches: Sequence[Branch | None]) -> None:
        """Say once that a push is decided outside an experiment that it belongs to."""
        experiment = running.experiment
        known = (experiment.experiment_id, push_id)
        if known in self._left_out or len(self._left_out) >= _MOST_TOLD:
            return
        self._left_out.add(known)
        arms = [
            arm.name
            for arm, branch in zip(experiment.arms, branches, strict=True)
            if branch is None or not self._can(branch, push_id)
        ]
        structlog.get_logger("pushwise.experiments").warning(
            "a push is decided outside an experiment: an arm has no release here, or its release "
            "or rule does not fit the push",
            experiment=known[0], push=push_id, arms=arms,
        )  # fmt: skip

    def _can(self, branch: Branch, push_id: str) -> bool:
        """Whether an arm can decide a push at all."""
        push, variant = branch.release.pushes.get(push_id), branch.variant
        if push is None or not variant.fits(push):
            return False
        if not variant.rule:
            return True
        asked = (branch.release.versions.release, variant.rule)
        if asked not in self._asks:
            self._asks[asked] = _asks(branch.release, variant.rule)
        return self._asks[asked]

    def _branch(self, running: Running, arm: Arm, in_use: Answering) -> Branch | None:
        release: Answering | None = in_use
        if arm.release and arm.release != in_use.versions.release:
            release = self._loaded.get(arm.release)
        if release is None:
            return None
        experiment_id = running.experiment.experiment_id
        share = running.experiment.traffic * running.allocation.share(arm.name)
        part = Part(f"{ARMS}{experiment_id}/{arm.name}", share)
        return Branch(experiment_id, arm.name, variant_of(arm), release, part)


def variant_of(arm: Arm) -> Variant:
    """What decides in ``arm``, beside its release."""
    if arm.kind in ("champion", "release"):
        return AS_IS
    if arm.kind == "rule":
        return Variant("rule", arm.rule, arm.offer)
    return Variant("random" if arm.kind == "random" else "holdout")


def _asks(release: Answering, rule: str) -> bool:
    """Whether ``rule`` can be asked of the members of ``release``."""
    try:
        release.check_rule(rule)
    except RuleError:
        return False
    return True
