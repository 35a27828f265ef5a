"""API keys ``pw_<environment>_<id>_<secret>``: made, stored hashed, checked on every route."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import Connection, RowMapping, select
from starlette.requests import Request

from serving.errors import ExpiredKey, MissingKey, UnknownKey, WrongScope
from serving.log import Log, iso
from serving.scorer_error import ScorerError
from serving.tables import api_keys

SCOPES = (
    "decide", "events:write", "outcomes:write", "catalog:write", "audience:export", "publish",
    "erase", "admin",
)  # fmt: skip
OPEN_PATHS = frozenset({"/livez", "/readyz", "/metrics", "/openapi.json"})
_ENVIRONMENT = re.compile(r"[a-z0-9]{1,16}")
_KEY = re.compile(r"pw_([a-z0-9]{1,16})_([0-9a-f]{12})_([0-9a-f]{64})")
_NO_HASH = "0" * 64


class ApiKeyError(ScorerError):
    """A key that cannot be made or found; the message is for the command line."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key: everything but the secret. ``scopes``: ``admin`` opens every route."""

    key_id: str
    environment: str
    scopes: tuple[str, ...]
    label: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def active(self, at: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


@dataclass(frozen=True, slots=True)
class NewKey:
    """What to make. ``environment`` keeps the keys of, say, a test scorer out of the live one."""

    environment: str
    scopes: tuple[str, ...]
    label: str = ""
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        if not _ENVIRONMENT.fullmatch(self.environment):
            raise ApiKeyError("the environment of a key is 1 to 16 of a-z and 0-9, such as live")
        unknown = sorted(set(self.scopes) - set(SCOPES))
        if unknown or not self.scopes:
            found = f"no scope {unknown[0]!r}" if unknown else "a key without scopes opens nothing"
            raise ApiKeyError(f"{found}; scopes: {', '.join(SCOPES)}")


class Keys:
    """The keys in a scorer's log."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def create(self, wanted: NewKey, at: datetime) -> str:
        """Make a key and return it: the only time that it can be seen."""
        key_id, secret = secrets.token_hex(6), secrets.token_hex(32)
        row = {
            "key_id": key_id,
            "environment": wanted.environment,
            "secret_sha256": _hash(secret),
            "scopes": " ".join(wanted.scopes),
            "label": wanted.label,
            "created_at": iso(at),
            "expires_at": None if wanted.expires_at is None else iso(wanted.expires_at),
        }

        def work(connection: Connection) -> None:
            connection.execute(api_keys.insert(), [row])

        self._log.write(work)
        return f"pw_{wanted.environment}_{key_id}_{secret}"

    def all(self) -> list[ApiKey]:
        """Oldest first."""
        with self._log.reading() as connection:
            found = connection.execute(select(api_keys).order_by(api_keys.c.created_at))
            return [_stored(row._mapping) for row in found]

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


class Access:
    """Who may call what.

    Args:
        environment: keys of other environments are unknown here.
        required: whether calls need a key at all; without, the caller must keep strangers out.
    """

    def __init__(self, log: Log, environment: str, *, required: bool = True) -> None:
        self._log = log
        self._environment = environment
        self._required = required

    def check(self, authorization: str | None, scope: str, at: datetime) -> None:
        """Raises ``MissingKey``, ``UnknownKey``, ``ExpiredKey`` or ``WrongScope``."""
        if not self._required:
            return
        scheme, _, presented = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not presented.strip():
            raise MissingKey
        key = self._known(presented.strip())
        if key.revoked_at is not None:
            raise ExpiredKey(f"was revoked on {key.revoked_at:%Y-%m-%d}")
        if not key.active(at):
            raise ExpiredKey(f"expired on {key.expires_at:%Y-%m-%d}")
        if scope not in key.scopes and "admin" not in key.scopes:
            raise WrongScope(scope)

    def _known(self, presented: str) -> ApiKey:
        parts = _KEY.fullmatch(presented)
        if parts is None:
            raise UnknownKey
        environment, key_id, secret = parts.groups()
        with self._log.reading() as connection:
            row = connection.execute(
                select(api_keys).where(api_keys.c.key_id == key_id)
            ).one_or_none()
        stored = _NO_HASH if row is None else row.secret_sha256
        same = hmac.compare_digest(stored, _hash(secret))
        if row is None or not same or {environment, row.environment} != {self._environment}:
            raise UnknownKey
        return _stored(row._mapping)


@dataclass(frozen=True, slots=True)
class Requires:
    """A route's dependency: the call's key must have ``scope``."""

    scope: str

    def __call__(self, request: Request) -> None:
        access: Access = request.app.state.parts.access
        access.check(request.headers.get("authorization"), self.scope, datetime.now(UTC))


def check_scopes(app: FastAPI) -> None:
    """Raises ``RuntimeError`` when a route neither declares a scope nor is meant to be open."""
    for route in iter_route_contexts(app.routes):
        if route.path in OPEN_PATHS:
            continue
        dependant = getattr(route, "dependant", None)
        calls = [] if dependant is None else [part.call for part in dependant.dependencies]
        if not any(isinstance(call, Requires) and call.scope in SCOPES for call in calls):
            raise RuntimeError(
                f"route {route.path} declares no scope; give it Depends(Requires(...)), "
                f"one of {', '.join(SCOPES)}"
            )


def _hash(secret: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()


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
    )
