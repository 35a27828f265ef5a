"""The pushes that there are: of the release, of the catalogue, and those that were sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from dashboard.web.errors import NotFound
from dashboard.web.language import noted
from dashboard.web.visit import Visit
from decisions.catalogue import Push
from features.insights.prepared import Prepared, PreparedError, prepared
from serving.catalogue import Catalogue, Version
from serving.catalogue_entry import Known, in_release, push_of

State: TypeAlias = Literal["draft", "planned", "running", "sent"]
STATES: Mapping[str, str] = {
    "draft": noted("draft"),
    "planned": noted("planned"),
    "running": noted("running"),
    "sent": noted("sent"),
}
MEANINGS: Mapping[str, str] = {
    "draft": noted("In the catalogue; no release in use knows it yet."),
    "planned": noted("In the release in use; it goes out later."),
    "running": noted("It goes out, or members may still answer to it."),
    "sent": noted("It went out, and the time in which answers count is over."),
}
SIGNS: Mapping[str, str] = {"draft": "wait", "planned": "wait", "running": "good", "sent": "good"}


@dataclass(frozen=True, slots=True)
class KnownPush:
    """One push, from wherever it is known.

    push: as the release decides it, else as the catalogue has it; None where the workspace's tables
    alone know it, and then earned is there. version: of the catalogue. in_release: whether the
    release in use has it. waits: whether the catalogue has it otherwise than the release. earned:
    see ``serving.push_contributions``.
    """

    push_id: str
    send_at: datetime
    channel: str
    state: State
    push: Push | None
    version: Version | None
    in_release: bool
    waits: bool
    earned: Mapping[str, Any] | None

    @property
    def went_out(self) -> bool:
        return self.state in ("running", "sent")


def known_pushes(visit: Visit) -> Sequence[KnownPush]:
    """All of them, the one that goes out last first."""
    parts = visit.ground.parts
    release = None if parts is None else parts.decider.release
    versions = {one.entry_id: one for one in Catalogue(visit.ground.log).newest("pushes")}
    found = list(_known(release, versions, _shown(contributions(visit)), visit.now))
    return sorted(found, key=lambda one: (-one.send_at.timestamp(), one.push_id))


def known_push(visit: Visit, push_id: str) -> KnownPush | None:
    """One of them; None where there is none of that id."""
    parts = visit.ground.parts
    release = None if parts is None else parts.decider.release
    version = Catalogue(visit.ground.log).find("pushes", push_id)
    versions = {} if version is None else {push_id: version}
    found = _known(release, versions, _shown(contributions(visit)), visit.now)
    return next((one for one in found if one.push_id == push_id), None)


def asked_push(visit: Visit) -> KnownPush:
    """The push of the address. Raises ``NotFound``."""
    found = known_push(visit, visit.path("push_id"))
    if found is None:
        raise NotFound("neither the release in use nor the catalogue has a push of this name")
    return found


def contributions(visit: Visit) -> Prepared | None:
    """What pushes earned, as it was prepared; None where it was not, or cannot be read."""
    try:
        return prepared(visit.ground.workspace, "pushes")
    except PreparedError:
        return None


def state_of(push: Push, *, decided: bool, now: datetime) -> State:
    """How far ``push`` is; decided: whether a release in use has it."""
    if now < push.send_at:
        return "planned" if decided else "draft"
    over = push.send_until + timedelta(days=push.attribution_days)
    return "running" if now < over else "sent"


def _known(
    release: Known | None,
    versions: Mapping[str, Version],
    earned: Mapping[str, Mapping[str, Any]],
    now: datetime,
) -> Iterator[KnownPush]:
    theirs = {} if release is None else release.pushes
    for push_id in dict.fromkeys((*theirs, *versions)):
        version, decided = versions.get(push_id), push_id in theirs
        push = theirs[push_id] if decided else push_of(versions[push_id].row)
        waits = version is not None and (
            release is None or not in_release("pushes", push_id, version.row, release)
        )
        yield KnownPush(
            push_id, push.send_at, push.channel, state_of(push, decided=decided, now=now), push,
            version, decided, waits, earned.get(push_id),
        )  # fmt: skip
    for push_id, one in earned.items():
        if push_id not in theirs and push_id not in versions:
            state: State = "sent" if one.get("whole", True) else "running"
            at = datetime.fromisoformat(one["send_at"])
            yield KnownPush(
                push_id, at, one["channel"], state, None, None, in_release=False, waits=False,
                earned=one,
            )  # fmt: skip


def _shown(document: Prepared | None) -> Mapping[str, Mapping[str, Any]]:
    if document is None:
        return {}
    return {one["push_id"]: one for one in document.document.get("shown", ())}
