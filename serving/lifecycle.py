"""The steps of an experiment that look beyond the log: its start, and which arm goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

from decisions.catalogue import Push
from decisions.rules import RuleError
from experiments.design import Arm
from serving.errors import NoPublishing, ServiceError
from serving.experiment_audit import Change
from serving.experiment_entry import Decided, Entry
from serving.experiment_errors import (
    ArmOffer,
    ArmPush,
    ArmRelease,
    ArmRule,
    InvalidExperiment,
    VerdictForbids,
    WhyWanted,
    WrongState,
)
from serving.experiments import Book
from serving.preconditions import Conditions
from serving.problem import FieldProblem

if TYPE_CHECKING:
    from experiments.findings import Readout


class Releases(Protocol):
    """The workspace's releases, and the pointer to the published one."""

    def check(self, release_id: str) -> frozenset[str]:
        """The pushes it knows. Raises ``ServiceError`` unless it is there as it was signed."""

    def publish(self, release_id: str) -> str:
        """The id of what is published now. Raises ``ServiceError``."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the readout says. allows: the arms that may go on by it. told: the verdict as JSON."""

    sentence: str
    allows: frozenset[str]
    told: Mapping[str, Any]

    @classmethod
    def of(cls, readout: Readout) -> Self:
        """The verdict of a readout: arms that are better go on, guardrails held."""
        return cls.told_by(readout.to_json())

    @classmethod
    def none(cls, why: str) -> Self:
        """It cannot be read: nothing but the control may go on."""
        return cls(why, frozenset(), {"kind": "cannot_say", "sentence": why})

    @classmethod
    def told_by(cls, document: Mapping[str, Any]) -> Self:
        """The same, of a readout's document (``Readout.to_json``)."""
        verdicts = {one["arm"]: one["verdict"] for one in document["contrasts"] if one["verdict"]}
        told = {"as_of": document["as_of"], **document["verdict"], "arms": verdicts}
        better = frozenset(arm for arm, one in verdicts.items() if one["kind"] == "promote")
        return cls(document["verdict"]["sentence"], better, told)


@dataclass(frozen=True, slots=True)
class Promotion:
    """anyway: also against the readout's verdict, or without one."""

    experiment_id: str
    arm: str
    anyway: bool = False


class InUse(Protocol):
    """The release in use: it decides in every arm that names no other."""

    @property
    def pushes(self) -> Mapping[str, Push]: ...
    def check_rule(self, rule: str) -> None: ...


def start(
    book: Book,
    experiment_id: str,
    change: Change,
    releases: Releases | None,
    in_use: InUse | None = None,
) -> Entry:
    """Let a draft decide from now on, once it was looked at whether its arms can.

    Args:
        releases: None where nobody knows which there are. in_use: None where none is published.

    Raises:
        UnknownExperiment, WrongState, LayerFull, PushTaken, PreconditionFailed.
        ArmRelease: a release is not there as it was signed.
        ArmPush: a release does not know a push that it would have to decide.
        ArmRule, ArmOffer: a rule cannot be asked, or its offer is not the pushes'.
    """
    entry = book.find(experiment_id)
    if entry.state == "draft":
        for arm in entry.declared.arms:
            if arm.release and releases is not None:
                _check_arm(arm, entry.declared.push_ids, releases)
            elif not arm.release and in_use is not None:
                _check_in_use(arm, entry.declared.push_ids, in_use)
    if not change.conditions.if_match:  # what was looked at is what starts
        change = replace(change, conditions=Conditions((entry.etag,)))
    return book.start(experiment_id, change)


def _check_arm(arm: Arm, push_ids: Sequence[str], releases: Releases) -> None:
    try:
        known = releases.check(arm.release)
    except ServiceError as error:
        raise ArmRelease(arm.name) from error
    if not known.issuperset(push_ids):
        raise ArmPush(arm.name)


def _check_in_use(arm: Arm, push_ids: Sequence[str], in_use: InUse) -> None:
    if not in_use.pushes.keys() >= set(push_ids):
        raise ArmPush(arm.name)
    if not arm.rule:
        return
    try:
        in_use.check_rule(arm.rule)
    except RuleError as error:
        raise ArmRule(arm.name) from error
    offered = [arm.offer in push.offer_ids for push in in_use.pushes.values()]
    mine = [arm.offer in in_use.pushes[push_id].offer_ids for push_id in push_ids]
    if not (all(mine) if push_ids else any(offered)):
        raise ArmOffer(arm.name)


def promote(
    book: Book,
    wanted: Promotion,
    change: Change,
    read: Callable[[Entry], Reading | None],
    releases: Releases | None,
) -> Entry:
    """Decide for an arm. The control may always go on: nothing changes then.

    The decision is written down before the release is published, and that it was afterwards:
    what was interrupted in between goes on when it is called again.

    Args:
        read: the readout's verdict; None where it cannot be read.
        releases: None where none can be published.

    Raises:
        UnknownExperiment, WrongState, DecidedOtherwise, WhyWanted.
        InvalidExperiment: no such arm.
        VerdictForbids: the verdict does not allow it, and ``wanted.anyway`` does not say so.
        NoPublishing: the arm is a release, and ``releases`` is None.
        ServiceError: the release is not there as it was signed.
    """
    entry = book.find(wanted.experiment_id)
    release = _release(entry, wanted.arm)
    if entry.decision is None:
        if entry.state != "stopped":  # before anything is read, which takes seconds
            raise WrongState(entry.state, "stopped")
        if release and releases is None:
            raise NoPublishing
        if release and releases is not None:
            releases.check(release)
        entry = book.decide(wanted.experiment_id, _decided(entry, wanted, change, read), change)
    else:
        again = replace(entry.decision, arm=wanted.arm)
        entry = book.decide(wanted.experiment_id, again, change)
    if not release or entry.decision is None or entry.decision.published:
        return entry
    if releases is None:
        raise NoPublishing
    ours = replace(change, conditions=Conditions())  # they were asked of what was decided on
    return book.published(wanted.experiment_id, releases.publish(release), ours)


def _release(entry: Entry, arm: str) -> str:
    """Empty where the arm is none."""
    try:
        return entry.declared.arm(arm).release
    except KeyError:
        names = ", ".join(one.name for one in entry.declared.arms)
        fault = FieldProblem(
            pointer="/arm",
            code="unknown_arm",
            detail=f"wanted one of the experiment's arms: {names}",
        )
        raise InvalidExperiment(fault) from None


def _decided(
    entry: Entry, wanted: Promotion, change: Change, read: Callable[[Entry], Reading | None]
) -> Decided:
    reading = read(entry)
    control = entry.declared.control
    better = frozenset[str]() if reading is None else reading.allows
    allowed = wanted.arm == control or wanted.arm in better
    if not allowed and not wanted.anyway:
        said = "there is no verdict yet" if reading is None else reading.sentence
        names = " or ".join([*sorted(better - {control}), f"{control}, the control"])
        raise VerdictForbids(said, names)
    if not allowed and not change.why.strip():
        raise WhyWanted
    told = None if reading is None else reading.told
    return Decided(wanted.arm, told, not allowed, change.why, change.by)
