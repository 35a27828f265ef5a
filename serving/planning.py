"""A push decided for everybody of a release: what a plan and an audience job share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from decisions.catalogue import Offer, Push
from decisions.decide import Ask, Progress, unseen
from decisions.errors import DecisionError
from decisions.members import Members
from decisions.plan import Plan, Problem, planned, problem_of
from decisions.policy import Prices
from serving.contacts import contacts_since
from serving.log import Log
from serving.release import Release


@dataclass(frozen=True, eq=False)
class Planned:
    """problem: everything that was allocated. plan: the answer."""

    problem: Problem
    plan: Plan


def plan_for_all(
    release: Release,
    push: Push,
    log: Log | None,
    offers: tuple[Offer, ...] = (),
    progress: Progress = unseen,
) -> Planned:
    """Decide ``push`` for all members of ``release``.

    Nobody it sends to is suppressed when it is done: whoever unsubscribes while it is made is left
    out of another one.

    Args:
        log: of the scorer: who must not be contacted, and what members were sent since the
            release was made; None where there is none.
        offers: go before those of the release.

    Raises:
        DecisionError: the push names an offer that is nowhere described, or its limits conflict.
        LogUnavailable: the log cannot be read.
    """
    suppressed = _suppressed(log, release)
    ask = ask_of(release, push, offers, suppressed())
    if log is not None:
        since = contacts_since(log, ask.members.ids, release)
        ask = replace(ask, contacts=ask.contacts.plus(since))
    return _until_nobody_left(ask, release, suppressed, progress)


def _until_nobody_left(
    ask: Ask, release: Release, suppressed: Callable[[], frozenset[str]], progress: Progress
) -> Planned:
    while True:
        problem = problem_of(ask, release.estimator, progress)
        plan = planned(problem)
        barred = suppressed()
        if barred.isdisjoint(ask.members.ids[row] for row in plan.ranking.tolist()):
            return Planned(problem, plan)
        ask = replace(ask, suppressed=barred)


def _suppressed(log: Log | None, release: Release) -> Callable[[], frozenset[str]]:
    """Who must not be contacted, and who of the release was erased."""
    if log is None:
        return frozenset
    known = release.snapshot.member_ids
    return lambda: log.all_suppressed() | log.erased(member.decode() for member in known.tolist())


def ask_of(
    release: Release, push: Push, offers: tuple[Offer, ...], suppressed: frozenset[str]
) -> Ask:
    """The question about all members of ``release``; ``offers`` go before those of the release.

    Raises:
        DecisionError: the push names an offer that is nowhere described.
    """
    known = {**release.offers, **{offer.offer_id: offer for offer in offers}}
    missing = [offer_id for offer_id in push.offer_ids if offer_id not in known]
    if missing:
        raise DecisionError(
            f"push {push.push_id!r} names offer {missing[0]!r}, which is neither in its file under "
            f"[[offers]] nor in the release (it has: {', '.join(release.offers) or 'none'})"
        )
    snapshot = release.snapshot
    members = Members.everybody(
        snapshot.member_ids, snapshot.values, snapshot.encoding, snapshot.as_of
    )
    return Ask(
        push=push,
        offers=tuple(known[offer_id] for offer_id in push.offer_ids),
        members=members,
        policy=release.policy,
        prices=Prices(),
        suppressed=suppressed,
        contacts=release.contacts,
        hours=release.hours,
    )
