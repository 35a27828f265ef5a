"""What members were sent before: of a release, and of the scorer's own log since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Select, bindparam, select

from decisions.catalogue import Push
from decisions.contacts import Contact, Contacts
from models.artifact import Artifact
from serving import tables
from serving.among import among
from serving.log import Log
from serving.moments import iso
from serving.schemas import MAX_MEMBERS, Versions

KIND = "contacts"


def load_contacts(folder: Path) -> Contacts:
    """The contacts of a release, rows as its snapshot has them; none where it holds none.

    Raises:
        ArtifactError: what is there does not read.
        DecisionError: its parts do not fit.
    """
    if not folder.is_dir():
        return Contacts.none()
    stored = Artifact.load(folder, KIND)
    return Contacts.from_arrays(stored.arrays, stored.config["names"])


class Knowing(Protocol):
    """What is needed of a release: how far it knows contacts, and the pushes they were of."""

    @property
    def versions(self) -> Versions: ...
    @property
    def pushes(self) -> Mapping[str, Push]: ...


def contacts_since(log: Log, members: Sequence[str], release: Knowing) -> Contacts:
    """What ``members`` were sent by the log's own decisions since the release was made.

    Raises:
        LogUnavailable: the log cannot be read.
    """
    with log.reading() as connection:
        return Contacts.of(members, sent_since(connection, members, release))


def sent_since(
    connection: Connection,
    members: Sequence[str],
    release: Knowing,
    since: datetime | None = None,
) -> list[Contact]:
    """The same, one by one, oldest first. A message that is known to have failed was no contact.

    Args:
        since: another moment than when ``release`` was made.
    """
    dialect = connection.dialect.name
    given: dict[str, Any] = {"since": iso(since or release.versions.as_of)}
    if len(members) <= MAX_MEMBERS:
        asked, given["members"] = _sent_to(dialect), members
    else:  # of an audience, reading all is cheaper than naming each
        asked = _sent()
    found = connection.execute(asked, given).all()
    return [_contact(row, release.pushes) for row in found]


@cache
def _sent() -> Select[Any]:
    made, held = tables.decisions.c, tables.reservations.c
    failed = select(held.decision_id).where(
        held.decision_id == made.decision_id, held.state == "failed"
    )
    columns = (made.member_id, made.decided_at, made.offer_id, made.channel, made.push_id)
    return (
        select(*columns)
        .where(
            made.offer_id.is_not(None),
            made.decided_at >= bindparam("since"),
            ~failed.exists(),
        )
        .order_by(made.seq)
    )


@cache
def _sent_to(dialect: str) -> Select[Any]:
    return _sent().where(among(dialect, tables.decisions.c.member_id, "members"))


def _contact(row: Any, pushes: Mapping[str, Push]) -> Contact:
    push = pushes.get(row.push_id)
    campaign, service = ("", False) if push is None else (push.campaign_id, push.service)
    seconds = int(datetime.fromisoformat(row.decided_at).timestamp())
    return Contact(
        row.member_id, seconds, row.offer_id, row.channel, row.push_id, campaign, service
    )
