"""Three times what a scorer can do: who is refused hears so at once, the others are in time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.serving_load import Load, Result
from benchmarks.serving_release import Shop
from benchmarks.serving_server import asked, load_of, serving

_CLIENTS = 32
_OPEN = 400  # connections of the flood: as many as calls can be under way within the deadline
_DEADLINE = 100.0  # milliseconds, the scorer's default
_REFUSED_WITHIN = 10.0  # milliseconds
_RECOVERS_WITHIN = 5  # seconds


def overload(shop: Shop, folder: Path, quick: bool) -> Iterator[Figure]:
    """The peak in a closed loop, three times that in an open one, a third, and the peak again."""
    with serving(shop, folder) as server:
        calm = replace(load_of(server, shop), connections=_CLIENTS, seconds=5.0 if quick else 15.0)
        peak = asked(calm)
        flood = replace(
            calm, rate=3 * peak.rate, connections=_OPEN, seconds=12.0 if quick else 60.0,
            first=peak.asked,
        )  # fmt: skip
        found = asked(flood)
        asked_so_far = peak.asked + found.asked
        after = _recovered(calm, peak, asked_so_far)
        again = asked(replace(calm, first=asked_so_far + int(peak.rate * 2 * _RECOVERS_WITHIN)))
    best = (peak.rate + again.rate) / 2
    share = found.rate / best
    yield Figure(
        "serving_goodput_at_three_times_capacity", found.rate, best, "decisions/s", share,
        ">= 0.9 of the peak", share >= 0.9,
    )  # fmt: skip
    yield _within("accepted_p99_at_three_times_capacity", found.p99, _DEADLINE, "ms")
    yield _within("refused_p99_at_three_times_capacity", found.refused_p99, _REFUSED_WITHIN, "ms")
    refused = found.statuses.get("503", 0)
    others = {name: n for name, n in found.statuses.items() if name not in ("200", "503")}
    untold = refused - found.retry_after + sum(others.values())
    yield Figure(
        "serving_refused_without_retry_after", untold, refused, "calls", 0.0,
        f"0 of what was not answered 200; other answers: {others or 'none'}", untold == 0,
    )  # fmt: skip
    yield _within("recovery_after_overload", after, _RECOVERS_WITHIN, "s")


def _recovered(calm: Load, peak: Result, first: int) -> float:
    """Seconds until a third of the peak is answered as it should be, all of it; more than the
    limit where it is not."""
    light = replace(
        calm, rate=peak.rate / 3, connections=64, seconds=2.0 * _RECOVERS_WITHIN, warm=0.0,
        first=first,
    )  # fmt: skip
    found = asked(light)
    return float(first_good(found.per_second, peak.rate / 3))


def first_good(per_second: Sequence[int], rate: float) -> int:
    """The second from which on answers keep up with ``rate``; Poisson noise is allowed."""
    enough = rate - 4 * rate**0.5
    late = [second for second, count in enumerate(per_second[:-1]) if count < enough]
    return max(late, default=-1) + 1


def _within(name: str, found: float, most: float, unit: str) -> Figure:
    return Figure(
        f"serving_{name}", found, most, unit, found / most, f"<= {most:g} {unit}", found <= most
    )
