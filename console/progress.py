"""Progress bars on stderr, while stdout keeps the result."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from features.progress import Progress

if TYPE_CHECKING:
    from rich.progress import TaskID


AS_JSON = "PUSHWISE_PROGRESS"  # "json": for whoever started us, and draws it elsewhere
_SECONDS = 0.2  # between two lines about one stage


@contextmanager
def bars() -> Iterator[Progress]:
    """A ``Progress`` that draws one bar a stage on stderr, and nothing where nobody looks.

    With ``PUSHWISE_PROGRESS=json`` it writes a line of JSON instead: stage, done, total.
    """
    if os.environ.get(AS_JSON) == "json":
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as b:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = b.add_task(stage, total=total)
            b.update(tasks[stage], completed=done, total=total)

        yield report


def _lines() -> Progress:
    told: dict[str, float] = {}

    def report(stage: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if done != total and now - told.get(stage, -_SECONDS) < _SECONDS:
            return
        told[stage] = now
        line = json.dumps({"stage": stage, "done": done, "total": total})
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - it is what we are asked for

    return report
