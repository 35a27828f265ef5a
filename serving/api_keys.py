"""API keys ``pw_<environment>_<id>_<secret>``: made, stored hashed, rotated, revoked."""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from serving.log import Log
from serving.moments import iso
from serving.scorer_error import ScorerError
from serving.tables import api_keys

SCOPES = (
    "decide", "events:write", "outcomes:write", "catalog:write", "audience:export", "experiments",
    "experiments:read", "publish", "erase", "admin",
)  # fmt: skip
MOST_ACTIVE = 2  # keys of one line: the one in use and the one that takes its place
_ENVIRONMENT = re.compile(r"[a-z0-9]{1,16}")


class ApiKeyError(ScorerError):
    """A key that cannot be made or found; the message is for the command line."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key: everything but the secret.

    scopes: ``admin`` opens every route. lineage: id of the first key of those that followed each
    other. rate: calls a second that one worker answers it, None for any number. burst: calls that
    it may make at once after a pause.
    """

    key_id: str
    environment: str
    scopes: tuple[str, ...]
    label: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    lineage: str
    rate: float | None
    burst: int | None

    def active(self, at: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


@dataclass(frozen=True, slots=True)
class NewKey:
    """What to make. ``environment`` keeps the keys of, say, a test scorer out of the live one.

    burst: None for twice the rate.
    """

    environment: str
    scopes: tuple[str, ...]
    label: str = ""
    expires_at: datetime | None = None
    rate: float | None = None
    burst: int | None = None

    def __post_init__(self) -> None:
        if not _ENVIRONMENT.fullmatch(self.environment):
            raise ApiKeyError("the environment of a key is 1 to 16 of a-z and 0-9, such as live")
        unknown = sorted(set(self.scopes) - set(SCOPES))
        if unknown or not self.scopes:
            found = f"no scope {unknown[0]!r}" if unknown else "a key without scopes opens nothing"
            raise ApiKeyError(f"{found}; scopes: {', '.join(SCOPES)}")
        if self.rate is not None and not 0 < self.rate < math.inf:
            raise ApiKeyError(f"the rate is {self.rate:g} calls a second, wanted above 0")
        if self.burst is not None and (self.rate is None or self.burst < 1):
            raise ApiKeyError("a burst is 1 call or more, and goes with --rate")


class Keys:
    """The keys in a scorer's log."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def create(self, wanted: NewKey, at: datetime) -> str:
        """Make a key and return it: the only time that it can be seen."""
        row, key = _made(wanted, at)

        def work(connection: Connection) -> None:
            connection.execute(api_keys.insert(), [row])

        self._log.write(work)
        return key

    def rotate(self, key_id: str, at: datetime, overlap: timedelta) -> str:
        """A second key with the same scopes, label, rate and lifetime; the old one expires after
        ``overlap``.

        Raises:
            ApiKeyError: no such key, it opens nothing any more, or it has a successor already.
        """

        def work(connection: Connection) -> tuple[str, str]:
            found = connection.execute(select(api_keys)).all()
            known = {row.key_id: _stored(row._mapping) for row in found}
            old = known.get(key_id)
            fault = _unfit(old, list(known.values()), at)
            if fault or old is None:
                return fault, ""
            life = None if old.expires_at is None else at + (old.expires_at - old.created_at)
            wanted = NewKey(old.environment, old.scopes, old.label, life, old.rate, old.burst)
            row, key = _made(wanted, at, old.lineage)
            connection.execute(api_keys.insert(), [row])
            ends = at + overlap if old.expires_at is None else min(old.expires_at, at + overlap)
            mine = api_keys.update().where(api_keys.c.key_id == key_id)
            connection.execute(mine.values(expires_at=iso(ends)))
            return "", key

        fault, key = self._log.write(work)
        if fault:
            raise ApiKeyError(fault.format(key_id=key_id))
        return key

    def all(self) -> list[ApiKey]:
        """Oldest first."""
        with self._log.reading() as connection:
            found = connection.execute(select(api_keys).order_by(api_keys.c.created_at))
            return [_stored(row._mapping) for row in found]

    def hashed(self) -> dict[str, tuple[ApiKey, str]]:
        """Every key by its id, with the sha256 of its secret."""
        with self._log.reading() as connection:
            found = connection.execute(select(api_keys)).all()
        return {row.key_id: (_stored(row._mapping), row.secret_sha256) for row in found}

    def active(self, environment: str, at: datetime) -> list[ApiKey]:
        return [key for key in self.all() if key.environment == environment and key.active(at)]

    def revoke(self, key_id: str, at: datetime) -> None:
        """Raises ``ApiKeyError`` when there is no such key. The first revocation counts."""

        def work(connection: Connection) -> int:
            mine = api_keys.c.key_id == key_id
            known = connection.execute(select(api_keys.c.key_id).where(mine)).one_or_none()
            change = api_keys.update().where(mine, api_keys.c.revoked_at.is_(None))
            connection.execute(change.values(revoked_at=iso(at)))
            return 0 if known is None else 1

        if not self._log.write(work):
            raise ApiKeyError(f"no key {key_id!r}; `pushwise keys list` shows the ids")


def secret_hash(secret: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()


def _made(wanted: NewKey, at: datetime, lineage: str | None = None) -> tuple[dict[str, Any], str]:
    """The row of a new key, and the key."""
    key_id, secret = secrets.token_hex(6), secrets.token_hex(32)
    burst = wanted.burst
    if burst is None and wanted.rate is not None:
        burst = math.ceil(2 * wanted.rate)
    row = {
        "key_id": key_id,
        "environment": wanted.environment,
        "secret_sha256": secret_hash(secret),
        "scopes": " ".join(wanted.scopes),
        "label": wanted.label,
        "created_at": iso(at),
        "expires_at": None if wanted.expires_at is None else iso(wanted.expires_at),
        "lineage": lineage or key_id,
        "rate": wanted.rate,
        "burst": burst,
    }
    return row, f"pw_{wanted.environment}_{key_id}_{secret}"


def _unfit(old: ApiKey | None, known: list[ApiKey], at: datetime) -> str:
    """Why ``old`` cannot be rotated, empty when it can."""
    if old is None:
        return "no key {key_id!r}; `pushwise keys list` shows the ids"
    if not old.active(at):
        return "key {key_id!r} opens nothing any more; make a new one with `pushwise keys create`"
    both = [key for key in known if key.lineage == old.lineage and key.active(at)]
    if len(both) < MOST_ACTIVE:
        return ""
    names = " and ".join(key.key_id for key in both)
    return (
        f"{names} are both active, and only {MOST_ACTIVE} keys of one line may be; revoke the "
        "older with `pushwise keys revoke`, or wait until it has expired"
    )


def _stored(row: RowMapping) -> ApiKey:
    def moment(name: str) -> datetime | None:
        return None if row[name] is None else datetime.fromisoformat(row[name])

    return ApiKey(
        row["key_id"],
        row["environment"],
        tuple(row["scopes"].split()),
        row["label"],
        datetime.fromisoformat(row["created_at"]),
        moment("expires_at"),
        moment("revoked_at"),
        row["lineage"] or row["key_id"],
        row["rate"],
        row["burst"],
    )
