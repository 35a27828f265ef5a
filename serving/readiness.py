"""Whether calls should come here: what a balancer asks, every second or more often.

A scorer exists only with a verified release whose golden requests this very process answered
(``serving.release.load_release``), so a release is not asked for here. The log and the list of
suppressions may go away at any moment: both are tried, at most once a second and never on the
time of whoever asks.
"""

from __future__ import annotations

import threading
from time import time

from serving.errors import LogUnavailable
from serving.forgotten import NOBODY
from serving.log import Log
from serving.recent import Recent
from serving.telemetry import Telemetry

FRESH_SECONDS = 5.0  # how long ago the log was written, and the list read, at most


class Readiness:
    """Why this worker should get no calls.

    Fresh is a list of suppressions that this worker read from the log's database within
    ``FRESH_SECONDS``: unsubscriptions are written there in the transaction that acknowledges them,
    so what was read then holds all that were acknowledged before.
    """

    def __init__(self, log: Log, telemetry: Telemetry) -> None:
        self._log = log
        self._telemetry = telemetry
        self._draining = threading.Event()
        self._written = Recent(self._write)
        self._listed = Recent(self._list)

    def drain(self) -> None:
        """Not ready from now on: this worker is about to stop. For signal handlers: no lock."""
        self._draining.set()

    def failing(self) -> list[str]:
        """Codes of what is amiss, empty when ready; answers within about a second."""
        found = [
            *(["draining"] if self._draining.is_set() else []),
            *_fault(self._written, "log_unwritable", "log_stuck"),
            *_fault(self._listed, "suppression_unreadable", "suppression_stale"),
        ]
        self._telemetry.ready(not found)
        return found

    def _write(self) -> bool:
        at = time()
        try:
            self._log.check_writable()
        except LogUnavailable:
            return False
        self._telemetry.log_written(at)
        return True

    def _list(self) -> bool:
        at = time()
        try:
            self._log.suppressed([NOBODY])  # of no one at all, no table would be read
        except LogUnavailable:
            self._telemetry.suppressions_read(None)
            return False
        self._telemetry.suppressions_read(at)
        return True


def _fault(tried: Recent[bool], failed: str, late: str) -> list[str]:
    newest = tried.newest()
    if newest is None or newest.age > FRESH_SECONDS:
        return [late]
    return [] if newest.answer else [failed]
