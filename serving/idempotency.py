"""``Idempotency-Key``: a call that is repeated gets its answer again, and does nothing twice.

Decisions are repeatable by push and member anyway, so of their calls only the body's digest is
kept; of batches the receipt is kept too, written in the transaction that took the batch. Neither
holds a member's id, and of the key, which may be made of one, there is only a hash.

Source: IETF draft-ietf-httpapi-idempotency-key-header-07.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, select

from serving.batches import Refused, Taken
from serving.errors import KeyReused
from serving.moments import iso
from serving.tables import idempotency as table

KEPT = timedelta(days=7)

_FOUND = select(table.c.route, table.c.digest, table.c.answer).where(
    table.c.api_key_id == bindparam("api_key"), table.c.key == bindparam("name")
)
_OLD = delete(table).where(table.c.created_at < bindparam("before"))


@dataclass(frozen=True, slots=True)
class Once:
    """One call that must not be done twice. api_key_id: whose key it is; empty where none was asked
    for. key: a hash of the caller's. digest: of the body, under the caller's key."""

    api_key_id: str
    key: str
    route: str
    digest: str

    @classmethod
    def of(cls, api_key_id: str | None, key: str, route: str, body: bytes) -> Once:
        # Under the caller's key nobody finds the body by trying bodies.
        digest = hmac.digest(key.encode(), body, "sha256").hex()
        return cls(api_key_id or "", hashlib.sha256(key.encode()).hexdigest(), route, digest)


@dataclass(frozen=True, slots=True)
class Earlier:
    """The same call came before; answer: what is kept of its answer."""

    answer: str | None


def earlier(connection: Connection, once: Once) -> Earlier | None:
    """None where the call is new. Raises ``KeyReused`` where another one had its key."""
    found = connection.execute(_FOUND, {"api_key": once.api_key_id, "name": once.key}).one_or_none()
    if found is None:
        return None
    if (found.route, found.digest) != (once.route, once.digest):
        raise KeyReused
    return Earlier(found.answer)


def keep(connection: Connection, once: Once, answer: str | None, at: datetime) -> None:
    """Write a new call down; those older than a week are forgotten."""
    connection.execute(_OLD, {"before": iso(at - KEPT)})
    connection.execute(
        table.insert(),
        {
            "api_key_id": once.api_key_id, "key": once.key, "route": once.route,
            "digest": once.digest, "answer": answer, "created_at": iso(at),
        },
    )  # fmt: skip


def batch_once(
    once: Once | None, work: Callable[[Connection], Taken], at: datetime
) -> Callable[[Connection], tuple[Taken, bool]]:
    """``work``, or the receipt of the call that came before; whether it is that one's."""

    def done(connection: Connection) -> tuple[Taken, bool]:
        before = None if once is None else earlier(connection, once)
        if before is not None:
            return _read(str(before.answer)), True
        taken = work(connection)
        if once is not None:
            keep(connection, once, json.dumps(asdict(taken)), at)
        return taken, False

    return done


def _read(text: str) -> Taken:
    stored = json.loads(text)
    refused = tuple(Refused(**one) for one in stored["refused"])
    return Taken(stored["accepted"], stored["duplicates"], refused)


def claim(connection: Connection, once: Once, at: datetime) -> bool:
    """Take the key for a call that is repeatable by itself; whether it is new."""
    if earlier(connection, once) is not None:
        return False
    keep(connection, once, None, at)
    return True
