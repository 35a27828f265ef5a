"""Sessions: a random token in a cookie; the log knows its hash alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from sqlalchemy import Connection, delete, select, update

from dashboard.web.users import User, stored
from serving.log import Log
from serving.moments import iso
from serving.tables import sessions, users

LONGEST = timedelta(hours=12)  # a working day, whatever happens
IDLE = timedelta(hours=2)
_NOTED = timedelta(minutes=1)  # so coarsely is kept when somebody was seen


@dataclass(frozen=True, slots=True)
class Session:
    """One user, logged in. token: what the cookie holds; it is written down nowhere."""

    token: str
    user: User

    @property
    def csrf(self) -> str:
        """What a form must bring along to be from one of our pages."""
        return _derived(self.token, "csrf").hex()

    def handle(self, member_id: str) -> str:
        """A member as an address may name them: nothing outside this session can read it.

        The same for as long as the session lasts, so that a page visited is known as visited.
        Source: AES-SIV, RFC 5297.
        """
        sealed = self._cipher.encrypt(member_id.encode(), None)
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def member(self, handle: str) -> str | None:
        """Whom a handle of this session means; None for any other text."""
        padded = handle + "=" * (-len(handle) % 4)
        try:
            return self._cipher.decrypt(base64.urlsafe_b64decode(padded), None).decode()
        except (InvalidTag, ValueError):
            return None

    @property
    def _cipher(self) -> AESSIV:
        return AESSIV(_derived(self.token, "member handles"))


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions in a scorer's log. All methods raise ``LogUnavailable``."""

    log: Log

    def begin(self, user: User, at: datetime) -> Session:
        """A new session; those that ended are forgotten."""
        token = secrets.token_urlsafe(32)
        row = {
            "token_sha256": _hashed(token),
            "user_name": user.name,
            "created_at": iso(at),
            "seen_at": iso(at),
        }

        def work(connection: Connection) -> None:
            over = (sessions.c.created_at <= iso(at - LONGEST)) | (
                sessions.c.seen_at <= iso(at - IDLE)
            )
            connection.execute(delete(sessions).where(over))
            connection.execute(sessions.insert(), [row])

        self.log.write(work)
        return Session(token, user)

    def find(self, token: str, at: datetime, *, visited: bool = True) -> Session | None:
        """The session of a cookie; None where it is over, or its user may not log in any more.

        Args:
            visited: whether somebody is there, so that the session lasts.
        """
        mine = sessions.c.token_sha256 == _hashed(token)
        asked = select(users, sessions.c.created_at.label("begun"), sessions.c.seen_at)
        with self.log.reading() as connection:
            joined = asked.join(sessions, sessions.c.user_name == users.c.name).where(mine)
            row = connection.execute(joined).one_or_none()
        if row is None or row.disabled_at is not None:
            return None
        seen = datetime.fromisoformat(row.seen_at)
        if at - seen >= IDLE or at - datetime.fromisoformat(row.begun) >= LONGEST:
            return None
        if visited and at - seen >= _NOTED:
            note = update(sessions).where(mine).values(seen_at=iso(at))
            self.log.write(lambda connection: connection.execute(note) and None)
        return Session(token, stored(row))

    def end(self, token: str) -> None:
        """Log out."""
        mine = delete(sessions).where(sessions.c.token_sha256 == _hashed(token))
        self.log.write(lambda connection: connection.execute(mine) and None)


def _hashed(token: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(token.encode()).hexdigest()


def _derived(token: str, purpose: str) -> bytes:
    return hmac.new(token.encode(), purpose.encode(), hashlib.sha256).digest()
