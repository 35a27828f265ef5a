"""Reads experiments out beside the scorer: in a process of its own, one at a time.

A readout takes gigabytes and a core for seconds, and decisions must not notice: the process has
another memory and a lower priority, and what it found is kept until the log goes on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.util import find_spec
from typing import Any

import structlog

from serving.drain import Exported, newest
from serving.experiment_entry import Entry
from serving.experiment_errors import NoReadout, ReadoutFailed, ReadoutUnderWay
from serving.lifecycle import Reading
from serving.log import Log

_TABLES: tuple[Exported, ...] = ("decisions", "events", "outcomes")
_KEPT = 32  # readouts
_MOST_WAITING = 8  # for the one under way, and that one: more are asked to come again
_GOOD_FOR = timedelta(minutes=5)  # of a readout of now, while nothing comes in
_STOP_SECONDS = 5.0
_LOOK_SECONDS = 0.2


def can_read_out() -> bool:
    """Whether the features extra is installed. Imports nothing of it."""
    return all(find_spec(name) is not None for name in ("duckdb", "ibis", "pyarrow", "scipy"))


def results_command(workspace: str) -> list[str]:
    """The command line of ``pushwise experiment results``, but for the experiment."""
    code = "import os; os.nice(5); from console.main import main; main()"
    command = [sys.executable, "-P", "-c", code, "experiment", "results", "--json"]
    return [*command, "--workspace", workspace]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A readout that is made or being made. stamp: version of the experiment, newest log rows.
    moments: earlier ones that it tells too."""

    stamp: tuple[int, ...]
    at: datetime
    moments: int
    found: Future[dict[str, Any]]

    def good(self, stamp: tuple[int, ...], now: datetime, as_of: datetime | None) -> bool:
        if not self.found.done():
            # Whoever asks meanwhile waits for the same, but not once it was stopped or changed.
            return self.stamp[0] == stamp[0]
        if self.found.cancelled() or self.found.exception() is not None:
            return False
        document = self.found.result()  # it waited, and tells the version of when it was read
        if (document.get("version", self.stamp[0]), *self.stamp[1:]) != stamp:
            return False
        look = document.get("look")  # a shadow has none
        came = look and look["next_at"] and datetime.fromisoformat(look["next_at"]) <= now
        return as_of is not None or not (came or now - self.at > _GOOD_FOR)


class ReadoutProcess:
    """Keeps a process at the readouts that are asked for.

    Args:
        command: that prints one, without the experiment.
        environment: of the process, beyond our own.
    """

    def __init__(self, log: Log, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._log = log
        self._command = list(command)
        self._environment = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._environment.pop("OMP_NUM_THREADS", None)  # the scorer's: one thread a call
        self._kept: OrderedDict[tuple[str, datetime | None], _Kept] = OrderedDict()
        self._last: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._lock = threading.RLock()  # what is done at once calls back while it is held
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(1, "readout")

    def results(
        self, entry: Entry, as_of: datetime | None, moments: int = 0
    ) -> Future[dict[str, Any]]:
        """The document of ``serving.readouts.Results``, of a shadow that of ``shadow_results``,
        when it is there.

        Args:
            as_of: None for now. moments: so many earlier ones at least, and the planned looks,
                as ``history``; where 0 are wanted, there may be some.

        Raises:
            ReadoutUnderWay: enough others wait.
            LogUnavailable: the log cannot be read.
        """
        stamp = (entry.version, *(newest(self._log, table) for table in _TABLES))
        key, now = (entry.experiment_id, as_of), datetime.now(UTC)
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.moments < moments or not kept.good(stamp, now, as_of):
                if sum(not one.found.done() for one in self._kept.values()) >= _MOST_WAITING:
                    raise ReadoutUnderWay
                found = self._pool.submit(self._read, *key, moments)
                kept = _Kept(stamp, now, moments, found)
                if as_of is None:
                    found.add_done_callback(partial(self._keep_last, entry.experiment_id))
                self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return kept.found

    def last(self, experiment_id: str) -> dict[str, Any] | None:
        """The newest document of a now that was made, however much came in since; None before the
        first. Nothing is read for it."""
        with self._lock:
            return self._last.get(experiment_id)

    def under_way(self, experiment_id: str) -> bool:
        """Whether a readout of now is being made, or waits for others."""
        with self._lock:
            kept = self._kept.get((experiment_id, None))
        return kept is not None and not kept.found.done()

    def reading(self, entry: Entry, seconds: float) -> Reading:
        """The verdict of now, within so many seconds; nobody may go on where there is none.

        Raises:
            ReadoutUnderWay: it is not done by then.
        """
        if entry.declared.mode == "shadow":
            return Reading.none(str(NoReadout()))
        try:
            return Reading.told_by(self.results(entry, None).result(seconds))
        except TimeoutError:
            raise ReadoutUnderWay from None
        except ReadoutFailed as error:
            return Reading.none(str(error))

    def stop(self) -> None:
        """End a process under way."""
        self._stopped.set()
        self._pool.shutdown(cancel_futures=True)

    def _keep_last(self, experiment_id: str, found: Future[dict[str, Any]]) -> None:
        if found.cancelled() or found.exception() is not None:
            return
        with self._lock:
            self._last[experiment_id] = found.result()
            self._last.move_to_end(experiment_id)
            while len(self._last) > _KEPT:
                self._last.popitem(last=False)

    def _read(self, experiment_id: str, as_of: datetime | None, moments: int) -> dict[str, Any]:
        when = [] if as_of is None else ["--as-of", as_of.isoformat()]
        when += ["--moments", str(moments)] if moments else []
        try:
            process = subprocess.Popen(  # noqa: S603 - our own command line, no shell
                [*self._command, *when, "--", experiment_id],
                env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        except OSError as error:
            structlog.get_logger("pushwise.readouts").error("no process", why=error.strerror)
            raise ReadoutFailed from error
        told, wrong = self._heard(process)
        if process.returncode != 0:
            last = wrong.strip().rpartition("\n")[2]
            log = structlog.get_logger("pushwise.readouts")
            log.error("readout failed", experiment=experiment_id, why=last[:500])
            raise ReadoutFailed
        document: dict[str, Any] = json.loads(told)
        return document

    def _heard(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        while not self._stopped.is_set():
            try:
                return process.communicate(timeout=_LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        process.terminate()
        try:
            return process.communicate(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()
