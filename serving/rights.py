"""The rights of a member, for every caller: to see what is held, and to be forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from serving.erasure_schemas import MemberExport
from serving.erasures import Erasure
from serving.parts import Parts


def exported(parts: Parts, member_id: str) -> MemberExport:
    """Everything that the scorer holds of a member. Of a stranger, and of one who was erased, that
    is nothing.

    Raises:
        LogUnavailable: the log cannot be read.
    """
    release = parts.decider.release
    erased = parts.log.erased([member_id])
    return MemberExport(
        member_id=member_id,
        release=release.versions.release,
        log=parts.erasures.held(member_id),
        features={} if erased else release.features_of(member_id),
        lifetime_value=None if erased else release.lifetime_value_of(member_id),
    )


def forgotten(parts: Parts, members: Sequence[str], at: datetime) -> Erasure:
    """Record that ``members`` are to be forgotten; from then on nothing is sent to them.

    Raises:
        LogUnavailable, NoErasureKey: nothing was recorded.
    """
    found = parts.erasures.ask(members, at)
    for member in members:
        parts.fresh.forget(member)
    return found
