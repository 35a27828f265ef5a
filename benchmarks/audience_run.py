"""``python -m benchmarks.audience_run WORK MODEL SNAPSHOT``: one piece of work in its own process.

Prints one JSON line, a ``Run``. The clock starts once Python and the model are loaded, and stops
when the work is done; the memory is that of the whole process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from benchmarks.audience_case import ask_about, push_of
from decisions.decide import BLOCK
from decisions.plan import planned, problem_of
from decisions.promise import promise
from features.snapshot import Snapshot
from models.response import ResponseModel
from serving.audience_file import write_audience

Steps = dict[str, float]


@dataclass(frozen=True, slots=True)
class Run:
    """What one piece of work took: seconds on the clock and of the processors, GB of memory.

    steps: seconds of each. contacts: rows of the file, and of the plan's promise.
    """

    seconds: float
    processor: float
    peak_gb: float
    steps: Steps
    contacts: int

    @classmethod
    def of(cls, work: str, model: Path, snapshot: Path) -> Self:
        """Of ``work``, one of ``WORKS``, done in a process of its own."""
        command = [sys.executable, "-m", "benchmarks.audience_run", work, str(model), str(snapshot)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return cls(**json.loads(done.stdout))


class _Watch:
    """Seconds since the last look, by the name of what was done meanwhile."""

    def __init__(self) -> None:
        self.steps: Steps = {}
        self._last = time.perf_counter()

    def __call__(self, step: str) -> None:
        now = time.perf_counter()
        self.steps[step], self._last = round(now - self._last, 2), now


def prediction(model: ResponseModel, folder: Path, watch: _Watch) -> int:
    """The model's own prediction of every pair, in the blocks that a plan takes; nothing kept."""
    snapshot = Snapshot.load(folder)
    _, offers = push_of(snapshot)
    for start in range(0, len(snapshot.member_ids), BLOCK):
        block = snapshot.values[start : start + BLOCK]
        model.estimate(block, snapshot.encoding.names, offers)
    watch("predict")
    return 0


def audience(model: ResponseModel, folder: Path, watch: _Watch) -> int:
    """From the feature snapshot to a file, with the plan's promise."""
    ask = ask_about(Snapshot.load(folder))
    watch("ask")
    problem = problem_of(ask, model)
    watch("candidates")
    plan = planned(problem)
    watch("allocate")
    told = promise(problem.candidates, plan.decisions, model.reliability)
    watch("promise")
    write_audience(folder / "audience.csv", ask, plan)
    watch("file")
    return told.contacts


WORKS: dict[str, Callable[[ResponseModel, Path, _Watch], int]] = {
    "prediction": prediction,
    "audience": audience,
}


def _peak_gb() -> float:
    """Of this process alone: ``ru_maxrss`` begins with the peak of the one that started it."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in status if line.startswith("VmHWM"))) * 1024 / 1e9


def main() -> None:
    work, model, folder = sys.argv[1:]
    loaded = ResponseModel.load(Path(model))
    began, spent = time.perf_counter(), time.process_time()
    watch = _Watch()
    contacts = WORKS[work](loaded, Path(folder), watch)
    run = Run(
        seconds=time.perf_counter() - began,
        processor=time.process_time() - spent,
        peak_gb=_peak_gb(),
        steps=watch.steps,
        contacts=contacts,
    )
    print(json.dumps(asdict(run)))


if __name__ == "__main__":
    main()
