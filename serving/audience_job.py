"""``python -m serving.audience_job``: work on one audience that waits in the log, then end.

A process of its own, at low priority: a whole audience takes all cores and gigabytes, and the
scorer's calls must not notice. What it took ends with it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from decisions.errors import DecisionError
from decisions.frontier import frontier
from decisions.infeasible import Infeasible
from models.errors import ModelError
from models.estimator import load_estimator
from models.keys import trusted_keys
from serving.audience_folder import write_folder
from serving.audience_summary import summarised
from serving.audiences import Audience, Audiences, Progress
from serving.database import DATABASE_URL, Database
from serving.errors import LogUnavailable
from serving.log import Log
from serving.planning import plan_for_all
from serving.release import Release, load_release
from serving.telemetry import log_to_stderr
from serving.verify import ReleaseError

_BEAT_SECONDS = 0.5
_NICE = 5
_FAULT = {"detail": "a fault of the scorer; its log tells more", "conflicts": []}
_log = structlog.get_logger("pushwise.audiences")
_STOP = {signal.SIGTERM, signal.SIGINT}


@dataclass(frozen=True, slots=True)
class Order:
    """worker: a name that is never used again. parent: the process that started us.

    releases: where releases lie. release, release_id: the one folder to take jobs of, and its
    release; None for any of ``releases``. keys: the folder of the key by which erased members are
    known.
    """

    database: Database
    audiences: Path
    releases: Path
    release: Path | None
    release_id: str | None
    trust: Path
    keys: Path
    worker: str
    parent: int

    def folder(self, release_id: str) -> Path:
        return self.releases / release_id if self.release is None else self.release

    def draft(self, audience_id: str) -> Path:
        return self.audiences / f".{audience_id}.{self.worker}"


class Keeper:
    """A thread that tells that the worker lives and how far it is.

    It ends the process at once when the job is no longer its own (cancelled, or another has it),
    when it is told to stop, and when the scorer that started it is gone; in the last two cases the
    job waits again.

    Args:
        leave: called before the end.
    """

    def __init__(self, audiences: Audiences, order: Order, leave: Callable[[], None]) -> None:
        self.progress = Progress("loading")
        self._audiences = audiences
        self._order = order
        self._leave = leave
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stage(self, name: str, done: int = 0, total: int = 0) -> None:
        self.progress = Progress(name, done, total)

    def _run(self) -> None:
        while True:
            told = signal.sigtimedwait(_STOP, _BEAT_SECONDS)
            now = datetime.now(UTC)
            try:
                if told is not None or os.getppid() != self._order.parent:
                    self._audiences.give_back(self._order.worker, now)
                    break
                if not self._audiences.beat(self._order.worker, self.progress, now):
                    break
            except LogUnavailable:
                if told is not None:
                    break  # the lease runs out by itself
        self._leave()
        os._exit(0)  # the main thread may be deep in a solver, which hears no exception


def work(order: Order) -> int:
    """Take the oldest job that waits and end it; the exit status."""
    # Before any other thread is: they inherit it, and only the keeper waits for these.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    with Log(order.database, keys=order.keys) as log:
        audiences = Audiences(log)
        job = audiences.claim(order.release_id, order.worker, datetime.now(UTC))
        if job is None:
            return 0
        for left in order.audiences.glob(f".{job.audience_id}.*"):
            shutil.rmtree(left, ignore_errors=True)  # of a worker that was killed
        draft = order.draft(job.audience_id)
        tidy = partial(shutil.rmtree, draft, ignore_errors=True)
        keeper = Keeper(audiences, order, tidy)
        keeper.start()
        try:
            return _ended(order, job, log, keeper)
        finally:
            tidy()


def _ended(order: Order, job: Audience, log: Log, keeper: Keeper) -> int:
    audiences = Audiences(log)
    try:
        summary = _planned(order, job, log, keeper)
    except LogUnavailable as error:
        _log.warning("audience job ends", why=str(error))
        return 1  # it may be back when the scorer starts the job again
    except (DecisionError, ModelError) as error:
        audiences.fail(order.worker, _failure(error), datetime.now(UTC))
        return 0
    # The one place where faults of a job end: logged with their traceback, told without.
    except Exception:
        _log.exception("audience job failed")
        audiences.fail(order.worker, _FAULT, datetime.now(UTC))
        return 0
    publish = partial(_publish, order.draft(job.audience_id), order.audiences / job.audience_id)
    audiences.finish(order.worker, summary, publish, datetime.now(UTC))
    return 0


def _planned(order: Order, job: Audience, log: Log, keeper: Keeper) -> dict[str, Any]:
    """Plan the push, write its files as a draft, and add it up."""
    release = _release(order, job.release)
    push = job.wanted.push(release.pushes)
    keeper.stage("deciding")
    made = plan_for_all(release, push, log, progress=partial(keeper.stage, "deciding"))
    keeper.stage("summing")
    reliability = release.estimator.reliability
    summary = summarised(job.release, made, reliability, job.wanted.rule or "")
    keeper.stage("tracing")
    traced = frontier(made.problem, reliability)
    keeper.stage("writing")
    write_folder(order.draft(job.audience_id), made.problem.ask, made.plan, traced)
    return summary.to_json()


def _release(order: Order, release_id: str) -> Release:
    folder = order.folder(release_id)
    release = load_release(folder, trusted_keys(order.trust))
    if release.versions.release != release_id:
        raise ReleaseError(f"{folder} holds another release than the one that was asked")
    # The scorer's uses one thread a call; here nobody answers calls.
    return replace(release, estimator=load_estimator(folder))


def _publish(draft: Path, folder: Path) -> None:
    if draft.exists():  # a commit may be tried twice
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)


def _failure(error: Exception) -> dict[str, Any]:
    found = error.conflicts if isinstance(error, Infeasible) else ()
    conflicts = [asdict(one) for one in found]
    for one in conflicts:
        one["short"] = float(one["short"]) if np.isfinite(one["short"]) else None
    return {"detail": " ".join(str(error).split()), "conflicts": conflicts}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="serving.audience_job")
    for name in ("audiences", "releases", "trust", "keys"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--log", type=Path)  # else a database of the environment
    parser.add_argument("--release", type=Path)
    parser.add_argument("--release-id")
    parser.add_argument("--worker", required=True)
    parser.add_argument("--parent", type=int, required=True)
    told = vars(parser.parse_args(arguments))
    log = told.pop("log")
    database = Database.named(os.environ[DATABASE_URL]) if log is None else Database.file(log)
    order = Order(database=database, **told)
    os.nice(_NICE)
    log_to_stderr()
    return work(order)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
