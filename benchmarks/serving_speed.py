"""How many decisions a second, and how long one takes; beside a constant and beside what a user
would build."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks.figure import Figure
from benchmarks.serving_constant import PATH
from benchmarks.serving_load import Load, Result
from benchmarks.serving_release import Shop
from benchmarks.serving_rival import feast_store, rival
from benchmarks.serving_server import Server, load_of, rated, serving

_CLIENTS = 64  # connections of a closed loop: as many calls wait as can be decided together
_TOGETHER = 100
_ROUNDS = 3
_PATIENT = 5_000  # milliseconds: the peak is found without anybody's deadline in the way


class _Pairs:
    """Hands out loads on one server that never ask about a pair twice."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._first = 0

    def ask(self, load: Load) -> Result:
        return self.rated(load)[0]

    def rated(self, load: Load) -> tuple[Result, float]:
        first = -(-self._first // load.each) * load.each
        found = rated(replace(load, first=first), self._server.process.pid)
        self._first = first + found[0].asked
        return found


def speed(shop: Shop, folder: Path, quick: bool) -> Iterator[Figure]:
    """Single calls and calls of 100 members, beside the constant; alternating."""
    seconds = 3.0 if quick else 10.0
    with serving(shop, folder) as server:
        pairs = _Pairs(server)
        calm = replace(load_of(server, shop), seconds=seconds, connections=_CLIENTS)
        single = replace(calm, deadline_ms=_PATIENT)
        many = replace(single, each=_TOGETHER, connections=4)
        singles, constants, manys, peak = [], [], [], []
        for _ in range(_ROUNDS):
            constants.append(rated(replace(single, path=PATH), server.process.pid)[1])
            result, rate = pairs.rated(single)
            singles.append(rate)
            peak.append(result.rate)
            manys.append(pairs.rated(many)[1])
        yield _ratio("decisions_over_constant", singles, constants, 0.35)
        yield _ratio("in_hundreds_over_single", manys, singles, 4)
        half = replace(calm, rate=median(peak) / 2, connections=64, seconds=2 * seconds)
        found, alone = pairs.ask(half), pairs.ask(replace(calm, connections=1))
    yield _within("p99_at_half_load", found.p99, 20)
    yield _within("p50_at_half_load", found.p50, 3)
    yield _within("p50_of_one_call_at_a_time", alone.p50, 3)


def built(shop: Shop, folder: Path, quick: bool) -> Iterator[Figure]:
    """The same beside Feast and a booster behind FastAPI, which writes nothing down."""
    seconds = 3.0 if quick else 10.0
    store = feast_store(shop)
    with serving(shop, folder) as server, rival(store, folder) as (pid, port):
        pairs = _Pairs(server)
        for each, clients, goal in ((1, _CLIENTS, 2.0), (_TOGETHER, 4, 10.0)):
            mine = replace(
                load_of(server, shop),
                deadline_ms=_PATIENT, seconds=seconds, each=each, connections=clients,
            )  # fmt: skip
            theirs = replace(mine, port=port, path="/decide", members=store.members)
            ours, others = [], []
            for _ in range(_ROUNDS):
                ours.append(pairs.rated(mine)[1])
                others.append(rated(theirs, pid)[1])
            yield _ratio(f"in_calls_of_{each}_over_what_one_would_build", ours, others, goal)


def _ratio(name: str, ours: Sequence[float], others: Sequence[float], goal: float) -> Figure:
    mine, reference = median(ours), median(others)
    ratio, unit = mine / reference, "members per second of the server's core"
    return Figure(f"serving_{name}", mine, reference, unit, ratio, f">= {goal}", ratio >= goal)


def _within(name: str, found: float, most: float) -> Figure:
    return Figure(
        f"serving_{name}", found, most, "ms", found / most, f"<= {most} ms", found <= most
    )
