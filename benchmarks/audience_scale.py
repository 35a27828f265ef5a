"""A whole audience, twenty offers, from the feature snapshot to the file: time and memory.

The reference is the models' own prediction of the same pairs in the same blocks, in the same run,
by turns; each piece of work has a process of its own. Time is on the clock; the processors' time
stands beside, which other work on the machine does not move as much.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.audience_case import Case
from benchmarks.audience_run import Run
from benchmarks.figure import Figure

_MEMORY = 6.0  # GB
_SLOWER = 2.0  # times the prediction
_GROWTH = 1.1  # times the growth of the members


@dataclass(frozen=True, slots=True)
class Shape:
    """market: members that the model learns from. small, large: members of the two audiences.

    rounds: how often each is measured; the median counts.
    """

    market: int
    small: int
    large: int
    rounds: int


FULL = Shape(market=10_000, small=100_000, large=1_000_000, rounds=3)
QUICK = Shape(market=1_000, small=20_000, large=100_000, rounds=1)


def figures(shape: Shape) -> Iterator[Figure]:
    """The small audience, the large one, and how the first grows into the second."""
    with tempfile.TemporaryDirectory() as scratch:
        case = Case.made(Path(scratch), shape.market)
        seconds = {}
        for members in (shape.small, shape.large):
            pairs = _by_turns(case, members, shape.rounds)
            seconds[members] = statistics.median(ours.seconds for ours, _ in pairs)
            yield from _beside_prediction(members, pairs)
        growth, times = seconds[shape.large] / seconds[shape.small], shape.large / shape.small
        most = _GROWTH * times
        yield Figure(
            f"audience_growth_to_{times:.0f}_times_the_members", seconds[shape.large],
            seconds[shape.small], "s", growth, f"at most {most:g}", growth <= most,
        )  # fmt: skip


def _by_turns(case: Case, members: int, rounds: int) -> list[tuple[Run, Run]]:
    """Audience and prediction, measured in turns."""
    snapshot = case.grown(members)
    return [
        (Run.of("audience", case.model, snapshot), Run.of("prediction", case.model, snapshot))
        for _ in range(rounds)
    ]


def _beside_prediction(members: int, pairs: list[tuple[Run, Run]]) -> Iterator[Figure]:
    goal = f"at most {_SLOWER:g}"
    for name, clock in (("seconds", "seconds"), ("processor", "processor")):
        ours = statistics.median(getattr(one, clock) for one, _ in pairs)
        reference = statistics.median(getattr(other, clock) for _, other in pairs)
        ratio = statistics.median(getattr(a, clock) / getattr(b, clock) for a, b in pairs)
        yield Figure(
            f"audience_{members}_{name}_over_prediction", ours, reference, "s", ratio, goal,
            ratio <= _SLOWER,
        )  # fmt: skip
    peak = max(one.peak_gb for one, _ in pairs)
    reference = max(other.peak_gb for _, other in pairs)
    yield Figure(
        f"audience_{members}_peak_memory", peak, reference, "GB", peak / reference,
        f"at most {_MEMORY:g} GB", peak <= _MEMORY,
    )  # fmt: skip
    for step, took in pairs[-1][0].steps.items():
        whole = pairs[-1][0].seconds
        yield Figure(
            f"audience_{members}_step_{step}", took, whole, "s", took / whole, "told beside", True
        )
