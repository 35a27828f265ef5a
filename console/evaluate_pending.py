"""``pushwise evaluate pending``: evaluations that were asked for over HTTP, carried out."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog
import typer

from console.moments import as_of_moment
from console.progress import bars
from console.settings import WORKSPACE, DatabaseOption, WorkspaceOption, load_workspace

if TYPE_CHECKING:
    from features.progress import Progress
    from features.workspace import Workspace
    from serving.evaluations import Evaluation, Evaluations

_NICE = 5
_FAULT = "a fault of ours; the scorer's log tells more"


class _CancelledError(Exception):
    """Nobody waits for the answer any more."""


def pending(workspace: WorkspaceOption = WORKSPACE, database: DatabaseOption = None) -> None:
    """Carry out the evaluations that wait in the scorer's log, oldest first.

    A scorer runs this by itself.
    """
    from features.workspace import one_at_a_time
    from serving.evaluations import Evaluations
    from serving.log import Log

    os.nice(_NICE)  # calls beside it go first
    opened, done = load_workspace(workspace, database), 0
    lock = opened.serving_log.parent / ".evaluating"
    with one_at_a_time(lock), Log.of(opened) as log, bars() as progress:
        evaluations = Evaluations(log)
        while (job := evaluations.take(datetime.now(UTC))) is not None:
            _carry_out(opened, evaluations, job, progress)
            done += 1
    typer.echo(f"{done} evaluations carried out")


def _carry_out(
    workspace: Workspace, evaluations: Evaluations, job: Evaluation, progress: Progress
) -> None:
    from console.evaluation import evaluated
    from console.main import TOLD
    from serving.errors import LogUnavailable

    def heard(stage: str, done: int, total: int | None) -> None:
        if evaluations.find(job.evaluation_id).state != "running":
            raise _CancelledError
        progress(stage, done, total)

    try:
        found = evaluated(workspace, job.asked, as_of_moment(workspace, None), heard)
    except _CancelledError:
        return
    except LogUnavailable:
        raise  # it waits
    except TOLD as error:
        # Where the workspace lies is nobody's business out there.
        told = " ".join(str(error).split()).replace(str(workspace.root), "the workspace")
        evaluations.fail(job.evaluation_id, told, datetime.now(UTC))
    # The one place where faults of a job end: logged with their traceback, told without.
    except Exception:
        structlog.get_logger("pushwise.evaluations").exception("evaluation failed")
        evaluations.fail(job.evaluation_id, _FAULT, datetime.now(UTC))
    else:
        evaluations.finish(job.evaluation_id, found.to_json(), datetime.now(UTC))
