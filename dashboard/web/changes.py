"""Who changed what over the dashboard: written down, and never again changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from dashboard.web.users import User
from serving.log import Log
from serving.moments import iso
from serving.tables import changes


@dataclass(frozen=True, slots=True)
class Change:
    """action: route of the form that was sent. subject: id in the address; empty where none is.
    status: of the answer, below 400 where it was carried out."""

    at: datetime
    user: str
    role: str
    action: str
    subject: str
    status: int


@dataclass(frozen=True, slots=True)
class Changes:
    """All methods raise ``LogUnavailable``."""

    log: Log

    def note(self, user: User, action: str, subject: str, status: int, at: datetime) -> None:
        row = {
            "at": iso(at), "user_name": user.name, "role": user.role, "action": action,
            "subject": subject, "status": status,
        }  # fmt: skip

        def work(connection: Connection) -> None:
            connection.execute(changes.insert(), [row])

        self.log.write(work)

    def newest(self, most: int = 50) -> Sequence[Change]:
        """Newest first."""
        asked = select(changes).order_by(changes.c.seq.desc()).limit(most)
        with self.log.reading() as connection:
            return [
                Change(
                    datetime.fromisoformat(row.at), row.user_name, row.role, row.action,
                    row.subject, row.status,
                )
                for row in connection.execute(asked)
            ]  # fmt: skip
