"""The steps of an experiment that look beyond the log: its start, and which arm goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

from experiments.design import Arm
from serving.errors import NoPublishing, ServiceError
from serving.experiment_audit import Change
from serving.experiment_entry import Decided, Entry
from serving.experiment_errors import (
    ArmPush,
    ArmRelease,
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


def start(book: Book, experiment_id: str, change: Change, releases: Releases | None) -> Entry:
    """Let a draft decide from now on, once its arms' releases were looked at.

    Args:
        releases: None where nobody knows which there are.

    Raises:
        UnknownExperiment, WrongState, LayerFull, PushTaken, PreconditionFailed.
        ArmRelease: a release is not there as it was signed.
        ArmPush: a release does not know a push that it would have to decide.
    """
    entry = book.find(experiment_id)
    if entry.state == "draft" and releases is not None:
        for arm in entry.declared.arms:
            if arm.release:
                _check_arm(arm, entry.declared.push_ids, releases)
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
    return book.published(wanted.experiment_id, releases.publish(release), change)


def _release(entry: Entry, arm: str) -> str:
    """Empty where the arm is none."""
    try:
        return entry.declared.arm(arm).release
    except KeyError:
        fault = FieldProblem(
            pointer="/arm", code="unknown_arm", detail="wanted one of the experiment's arms"
        )
        raise InvalidExperiment(fault) from None


def _decided(
    entry: Entry, wanted: Promotion, change: Change, read: Callable[[Entry], Reading | None]
) -> Decided:
    reading = read(entry)
    allowed = wanted.arm == entry.declared.control or (
        reading is not None and wanted.arm in reading.allows
    )
    if not allowed and not wanted.anyway:
        raise VerdictForbids("there is no verdict yet" if reading is None else reading.sentence)
    if not allowed and not change.why.strip():
        raise WhyWanted
    told = None if reading is None else reading.told
    return Decided(wanted.arm, told, not allowed, change.why, change.by)
