"""Versions of the releases that decided: an answer names those of its own release, for ever."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, select

from serving.log import Log
from serving.moments import iso
from serving.schemas import Versions
from serving.tables import releases_seen
from serving.upsert import insert


class VersionsSeen:
    """What the log knows of releases; remembers what it has read, which never changes."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._known: dict[str, Versions] = {}

    def note(self, versions: Versions) -> None:
        """Write down a release before the first decision by it. Raises ``LogUnavailable``."""
        if versions.release in self._known:
            return
        row = {
            "release": versions.release,
            "versions": versions.model_dump_json(),
            "seen_at": iso(datetime.now(UTC)),
        }

        def work(connection: Connection) -> None:
            connection.execute(insert(connection, releases_seen).on_conflict_do_nothing(), [row])

        self._log.write(work)
        self._known[versions.release] = versions

    def of(self, release: str) -> Versions | None:
        """None of a release that decided before versions were kept. Raises ``LogUnavailable``."""
        if release not in self._known:
            asked = select(releases_seen.c.versions).where(releases_seen.c.release == release)
            with self._log.reading() as connection:
                text = connection.execute(asked).scalar_one_or_none()
            if text is None:
                return None
            self._known[release] = Versions.model_validate_json(text)
        return self._known[release]
