"""Who may call what: the key of a call, checked on every route."""

from __future__ import annotations

import asyncio
import hmac
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from serving.api_keys import SCOPES, ApiKey, ApiKeyError, Keys, NewKey, secret_hash
from serving.errors import ExpiredKey, MissingKey, RateLimited, UnknownKey, WrongScope
from serving.log import Log
from serving.rate import Rates

__all__ = ["SCOPES", "Access", "ApiKey", "ApiKeyError", "Keys", "NewKey", "Requires"]

OPEN_PATHS = frozenset({"/livez", "/readyz", "/metrics", "/openapi.json"})
REMEMBERED_SECONDS = 1.0  # so long may a key still open what it opened, after it was revoked
STALE_SECONDS = 30.0  # and so long where the keys cannot be read again: the log hangs
PATIENCE_SECONDS = 0.02  # that a call waits for the keys to be read, if it was known before
_KEY = re.compile(r"pw_([a-z0-9]{1,16})_([0-9a-f]{12})_([0-9a-f]{64})")
_NO_HASH = "0" * 64
_Hashed = Mapping[str, tuple[ApiKey, str]]


class Access:
    """Who may call what.

    The keys are read from the log once a second at most, and again for an id that is not among
    them, up to twenty times a second.

    Args:
        environment: keys of other environments are unknown here.
        required: whether calls need a key at all; without, the caller must keep strangers out.
        clock: seconds that only ever grow.
    """

    def __init__(
        self,
        log: Log,
        environment: str,
        *,
        required: bool = True,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._keys = Keys(log)
        self._environment = environment
        self._required = required
        self._clock = clock
        self._rates = Rates(clock)
        self._strangers = Rates(clock)
        self._lock = threading.Lock()
        self._known: _Hashed = {}
        self._read_at = -2 * REMEMBERED_SECONDS + clock()

    def remembers(self, authorization: str | None) -> bool:
        """Whether ``check`` can answer without reading the log."""
        parts = _KEY.fullmatch(_presented(authorization))
        return not self._required or parts is None or (self._fresh() and parts[2] in self._known)

    def reads_for_another(self, authorization: str | None) -> bool:
        """Whether the log is being read already, and the key of the call was known lately.

        Then nobody else waits for it: a log that hangs must not keep every call.
        """
        parts = _KEY.fullmatch(_presented(authorization))
        lately = self._clock() - self._read_at < STALE_SECONDS
        return parts is not None and self._lock.locked() and lately and parts[2] in self._known

    def check(self, authorization: str | None, scope: str, at: datetime) -> None:
        """Raises ``MissingKey``, ``UnknownKey``, ``ExpiredKey``, ``WrongScope`` or ``RateLimited``;
        ``LogUnavailable`` where the keys cannot be read."""
        if not self._required:
            return
        presented = _presented(authorization)
        if not presented:
            raise MissingKey
        key = self._matching(presented, self._looked_up)
        self._admit(key, scope, at)

    def check_remembered(self, authorization: str | None, scope: str, at: datetime) -> None:
        """The same by the keys that were read last, without reading the log."""
        if self._required:
            self._admit(self._matching(_presented(authorization), self._known.get), scope, at)

    def _admit(self, key: ApiKey, scope: str, at: datetime) -> None:
        if key.revoked_at is not None:
            raise ExpiredKey(f"was revoked on {key.revoked_at:%Y-%m-%d}")
        if not key.active(at):
            raise ExpiredKey(f"expired on {key.expires_at:%Y-%m-%d}")
        if scope not in key.scopes and "admin" not in key.scopes:
            raise WrongScope(scope)
        if key.rate is not None:
            seconds = self._rates.wait(key.key_id, key.rate, key.burst or 1)
            if seconds:
                raise RateLimited(key.rate, seconds)

    def _matching(
        self, presented: str, look_up: Callable[[str], tuple[ApiKey, str] | None]
    ) -> ApiKey:
        parts = _KEY.fullmatch(presented)
        if parts is None:
            raise UnknownKey
        environment, key_id, secret = parts.groups()
        key, stored = look_up(key_id) or (None, _NO_HASH)
        same = hmac.compare_digest(stored, secret_hash(secret))
        if key is None or not same or {environment, key.environment} != {self._environment}:
            raise UnknownKey
        return key

    def _looked_up(self, key_id: str) -> tuple[ApiKey, str] | None:
        if not self._fresh():
            self._read(lambda: not self._fresh())
        elif key_id not in self._known and not self._strangers.wait("", 20, 20):
            self._read(lambda: key_id not in self._known)  # it may have been made just now
        return self._known.get(key_id)

    def _fresh(self) -> bool:
        return self._clock() - self._read_at < REMEMBERED_SECONDS

    def _read(self, needed: Callable[[], bool]) -> None:
        with self._lock:
            if not needed():
                return  # somebody read meanwhile
            began = self._clock()  # what is revoked while we read counts from the next time
            self._known = self._keys.hashed()
            self._read_at = began


@dataclass(frozen=True, slots=True)
class Requires:
    """A route's dependency: the call's key must have ``scope``, or one of the scopes ``others``."""

    scope: str
    others: tuple[str, ...] = ()

    async def __call__(self, request: Request) -> None:
        access: Access = request.app.state.parts.access
        presented = request.headers.get("authorization")
        for scope in (*self.others, self.scope):  # the last one's refusal is the one that is told
            try:
                await _check(access, presented, scope)
            except WrongScope:
                if scope == self.scope:
                    raise
            else:
                return


async def _check(access: Access, presented: str | None, scope: str) -> None:
    now = datetime.now(UTC)
    if access.remembers(presented):
        access.check(presented, scope, now)
        return
    if not access.reads_for_another(presented):  # reading may wait, and the loop must not
        reading = asyncio.ensure_future(run_in_threadpool(access.check, presented, scope, now))
        reading.add_done_callback(_heard)
        await asyncio.wait({reading}, timeout=PATIENCE_SECONDS)
        if reading.done() or not access.reads_for_another(presented):
            await reading
            return
    access.check_remembered(presented, scope, now)


def _heard(reading: asyncio.Future[None]) -> None:
    """What comes of a check that nobody waited for is nobody's fault."""
    if not reading.cancelled():
        reading.exception()


def key_id(request: Request) -> str | None:
    """Who calls, after ``Requires`` let the call in; None where no key was asked for."""
    parts = _KEY.fullmatch(_presented(request.headers.get("authorization")))
    return None if parts is None else parts[2]


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


def _presented(authorization: str | None) -> str:
    """The key of a header ``Authorization``, empty where it holds none."""
    scheme, _, presented = (authorization or "").partition(" ")
    return presented.strip() if scheme.lower() == "bearer" else ""
