"""Members decided alike at a moment: those of one arm of an experiment, or of none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from decisions.contacts import Contacts
from decisions.pacing import CONTACTS, Part, Terms, Use
from decisions.variant import AS_IS
from serving.choice import NOTHING, Choice, Picked
from serving.degradation import Estimating
from serving.errors import NothingDecides
from serving.inputs import BranchInputs
from serving.making import Made
from serving.situation import Situation
from serving.trials import Branch, Seat, Trial

if TYPE_CHECKING:
    from serving.scorer import Answering

ARM_FAILED = "arm_failed"  # the release in use decided in place of the arm's own


@dataclass(frozen=True, slots=True)
class Lot:
    """made: what is decided, by the versions of ``release``. branch: None outside experiments."""

    made: Made
    release: Answering
    members: tuple[str, ...]
    branch: Branch | None = None

    @property
    def part(self) -> Part | None:
        """Of the push's limits, whose; None: of the whole push."""
        return None if self.branch is None else self.branch.part


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen for the members of a lot, in their order.

    situation: that it was chosen in. failed: what could not be had.
    """

    lot: Lot
    choices: list[Choice]
    situation: Situation
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """One try at deciding a push with what its limits have left.

    made: what is decided, by ``release``, the one in use. seats: who is in which of ``trials``,
    and where.
    used: of the push's limits. spent: whether nothing is to be sent any more.
    """

    made: Made
    release: Answering
    trials: tuple[Trial, ...]
    seats: Mapping[str, Seat]
    suppressed: frozenset[str]
    used: Mapping[str, Use]
    spent: bool
    estimating: Estimating

    def lots(self, waiting: Sequence[str]) -> list[Lot]:
        """``waiting``, those of each arm together, and those of none."""
        of_arm: dict[tuple[str, str], list[str]] = {}
        for member in waiting:
            if member in self.seats:
                branch = self.seats[member].branch
                of_arm.setdefault((branch.experiment_id, branch.arm), []).append(member)
        outside = tuple(member for member in waiting if member not in self.seats)
        found = [self._lot(self.release, outside)] if outside else []
        for members in of_arm.values():
            branch = self.seats[members[0]].branch
            found.append(self._lot(branch.release, tuple(members), branch))
        return found

    def chosen(self, lot: Lot) -> Chosen:
        """Decide a lot. Where nothing of its arm's own release works, the one in use stands in: the
        members are still the arm's, whose failures are a part of what it does.

        Raises:
            NothingDecides: neither works.
        """
        choices, situation, failed = self._choose(lot)
        if choices is None and lot.release is not self.release:
            lot = self._lot(self.release, lot.members, lot.branch)
            choices, situation, again = self._choose(lot)
            failed = (*failed, ARM_FAILED, *again)
        if choices is None:
            raise NothingDecides(failed)
        return Chosen(lot, choices, situation, failed)

    def branches(self, found: Sequence[Chosen]) -> dict[str, BranchInputs]:
        """Where each member of an experiment was decided, and how likely the other arms were to
        choose alike.

        What is logged is the probability of the choice before anybody is in an arm, so that
        decisions of all arms can be learned from together.
        """
        picked = {
            member: choice.picked
            for one in found
            if one.lot.branch is not None
            for member, choice in zip(one.lot.members, one.choices, strict=True)
        }
        others = dict.fromkeys(picked, 0.0)
        for arm in (branch for trial in self.trials for branch in trial.branches):
            likely = tuple(one for one in picked if self._may_be_in(arm, one))
            chances = self._chances(arm, likely, [picked[one] for one in likely])
            for member, chance in zip(likely, chances, strict=True):
                others[member] += self.seats[member].shares[arm.arm] * chance
        return {member: _inputs(self.seats[member], rest) for member, rest in others.items()}

    def _may_be_in(self, arm: Branch, member: str) -> bool:
        """Whether the member is in another arm and might be in this one."""
        seat = self.seats[member]
        if seat.branch.experiment_id != arm.experiment_id or seat.branch.arm == arm.arm:
            return False
        return seat.shares[arm.arm] > 0

    def _choose(self, lot: Lot) -> tuple[list[Choice] | None, Situation, tuple[str, ...]]:
        situation, push_id = self._situation(lot), lot.made.push.push_id
        return self.estimating.choose(lot.release, push_id, lot.members, situation)

    def _chances(
        self, arm: Branch, members: tuple[str, ...], picked: Sequence[Picked]
    ) -> list[float]:
        """With what probability ``arm`` would have picked what was ``picked`` for its members: by
        the release in use where nothing of its own works, as it would have been decided."""
        nothing = [float(one == NOTHING) for one in picked]
        if arm.variant.kind == "holdout" or not members:
            return nothing
        fallback = () if arm.release is self.release else (self.release,)
        for release in (arm.release, *fallback):
            lot = self._lot(release, members, arm)
            found = self.estimating.chances(
                release, lot.made.push.push_id, members, self._situation(lot), picked
            )
            if found is not None:
                return found
        return nothing

    def _lot(
        self, release: Answering, members: tuple[str, ...], branch: Branch | None = None
    ) -> Lot:
        if release is self.release:
            return Lot(self._known_by(release, self.made), release, members, branch)
        push = release.pushes[self.made.push.push_id]
        made = replace(self.made, push=push, versions=release.versions)
        return Lot(self._known_by(release, made), release, members, branch)

    def _known_by(self, release: Answering, made: Made) -> Made:
        """Without the contacts that the release knows of by itself."""
        since = int(release.versions.as_of.timestamp())
        if all(contact.at >= since for contact in made.contacts):
            return made
        return replace(made, contacts=[one for one in made.contacts if one.at >= since])

    def _situation(self, lot: Lot) -> Situation:
        contacts = lot.made.contacts
        return Situation(
            self._terms(lot),
            self.suppressed,
            Contacts.of(lot.members, contacts) if contacts else None,
            lot.made.fresh(lot.members),
            variant=AS_IS if lot.branch is None else lot.branch.variant,
        )

    def _terms(self, lot: Lot) -> Terms:
        push_id, branch = lot.made.push.push_id, lot.branch
        if branch is None:
            found = lot.release.terms(push_id, self.used)
        else:
            found = lot.release.terms(push_id, self.used, branch.variant, branch.part)
        return replace(found, left={**found.left, CONTACTS: 0}) if self.spent else found


def _inputs(seat: Seat, others: float) -> BranchInputs:
    branch = seat.branch
    share = seat.shares[branch.arm]
    return BranchInputs(branch.experiment_id, branch.arm, share, others, branch.variant)
