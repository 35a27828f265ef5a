"""Who may look at the dashboard, and what each may change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias, get_args

from sqlalchemy import Connection, Row, delete, select, update

from dashboard.web.language import noted
from dashboard.web.passwords import NOBODY, WeakPasswordError, fits, kept
from serving.log import Log
from serving.moments import iso
from serving.scorer_error import ScorerError
from serving.tables import sessions, users

# In the order of what they may: a viewer looks, an editor plans, writes and starts, a publisher
# decides what members get (releases, promotions) and forgets them.
Role: TypeAlias = Literal["viewer", "editor", "publisher"]
ROLES: tuple[Role, ...] = get_args(Role)
SPOKEN = (noted("viewer"), noted("editor"), noted("publisher"))
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


class UserError(ScorerError):
    """A user that does not exist, exists already, or cannot be made."""


@dataclass(frozen=True, slots=True)
class User:
    """disabled_at: since when the user may not log in; None: may."""

    name: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None = None

    def may(self, role: Role) -> bool:
        """Whether the user may do what ``role`` may."""
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True, slots=True)
class Users:
    """The users in a scorer's log. All methods raise ``LogUnavailable``."""

    log: Log

    def add(self, name: str, role: Role, password: str, at: datetime) -> User:
        """Raises ``UserError``: the name is taken or none, or the password too weak."""
        if not _NAME.fullmatch(name):
            raise UserError(
                "a name is 1 to 64 letters, digits and . _ @ + -, a letter or digit first"
            )
        row = {"name": name, "role": role, "password": _kept(password, name), "created_at": iso(at)}

        def work(connection: Connection) -> bool:
            if connection.execute(select(users.c.name).where(users.c.name == name)).first():
                return False
            connection.execute(users.insert(), [row])
            return True

        if not self.log.write(work):
            raise UserError(f"there is a user {name!r} already; `users set` changes one")
        return User(name, role, at)

    def change(
        self,
        name: str,
        at: datetime,
        *,
        role: Role | None = None,
        password: str | None = None,
        disabled: bool | None = None,
    ) -> User:
        """Change what is given. Whoever gets another password, or may not log in any more, is
        logged out everywhere.

        Raises:
            UserError: no such user, or the password is too weak.
        """
        values: dict[str, Any] = {}
        if role is not None:
            values["role"] = role
        if password is not None:
            values["password"] = _kept(password, name)
        if disabled is not None:
            values["disabled_at"] = iso(at) if disabled else None

        def work(connection: Connection) -> bool:
            mine = users.c.name == name
            if connection.execute(select(users.c.name).where(mine)).first() is None:
                return False
            if values:
                connection.execute(update(users).where(mine).values(**values))
            if password is not None or disabled:
                connection.execute(delete(sessions).where(sessions.c.user_name == name))
            return True

        if not self.log.write(work):
            raise UserError(f"no user {name!r}; `users list` shows them")
        return next(one for one in self.all() if one.name == name)

    def all(self) -> Sequence[User]:
        """By name."""
        with self.log.reading() as connection:
            found = connection.execute(select(users).order_by(users.c.name)).all()
        return [stored(row) for row in found]

    def knows(self, name: str, password: str) -> User | None:
        """The user, where the password is theirs and they may log in."""
        with self.log.reading() as connection:
            row = connection.execute(select(users).where(users.c.name == name)).one_or_none()
        right = fits(password, NOBODY if row is None else row.password)
        if row is None or not right or row.disabled_at is not None:
            return None
        return stored(row)


def stored(row: Row[Any]) -> User:
    """A user from a row of the table ``users``."""
    off = row.disabled_at
    return User(
        row.name,
        row.role,
        datetime.fromisoformat(row.created_at),
        None if off is None else datetime.fromisoformat(off),
    )


def _kept(password: str, name: str) -> str:
    try:
        return kept(password, name)
    except WeakPasswordError as error:
        raise UserError(str(error)) from error
