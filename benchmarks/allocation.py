"""``python -m benchmarks.allocation [--quick]``: who gets what, beside a solver and plain rules.

Pushes of made-up gains and costs. The reference of values and times is HiGHS on the linear
programme of the same pairs, in the same run: its optimum allows divisible contacts, so no whole
choice can exceed it. Of that optimum: what sorting by return and giving everybody their best offer
before cutting reach. The large pushes run in processes of their own; their memory is the peak of
the process, data, Python and libraries included; their time is that of ``allocate`` alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure
from decisions.allocation import Allocation, allocate
from decisions.limits import Group, Limits, Pairs, Segment

Instance = tuple[Pairs, Limits, NDArray[np.float64]]


def plain_push(members: int, seed: int, *, tied: bool) -> Instance:
    """20 offers each; a budget, an audience, three offers that are scarce.

    tied: gains on a few dozen levels, as trees give them, and eight costs.
    """
    rng = np.random.default_rng(seed)
    gain = rng.standard_normal((members, 20), dtype=np.float32)
    gain *= 2
    gain += np.float32(0.5)
    cost = rng.random((members, 20), dtype=np.float32)
    cost *= np.float32(1.8)
    cost += np.float32(0.2)
    if tied:
        np.divide(np.round(gain * 4), 4, out=gain)
        np.divide(np.ceil(cost * 4), 4, out=cost)
    scarce = tuple(Group(f"offer {j}", np.arange(20) == j, most=members * 0.005) for j in range(3))
    limits = Limits(budget=members * 0.1, audience_most=members * 0.2, groups=scarce)
    return Pairs(gain, cost, 20), limits, rng.random(members)


def wide_push(members: int) -> Instance:
    """200 options, 20 candidates a member; channels with caps and floors, offers with floors."""
    rng = np.random.default_rng(1)
    slots, options = 20, 200
    # One candidate of each ten: the same option never stands twice.
    option = rng.integers(0, 10, (members, slots), dtype=np.int16)
    option += np.arange(0, options, 10, dtype=np.int16)
    gain = rng.standard_normal((members, slots), dtype=np.float32)
    gain *= 2
    cost = rng.random((members, slots), dtype=np.float32)
    cost += np.float32(0.2)
    channel, number = np.arange(options) % 4, np.arange(options)
    groups = [
        Group("app", channel == 0, most=members * 0.05),
        Group("e-mail", channel == 1, least=members * 0.07),
        Group("sms", channel == 2, least=members * 0.02, most=members * 0.03),
        *(Group(f"offer {j}", number == j, least=members * 0.003) for j in range(3)),
    ]
    gold = Segment("gold", rng.random(members) < 0.1, least=members * 0.04)
    limits = Limits(members * 0.1, groups=tuple(groups), segments=(gold,))
    return Pairs(gain, cost, options, option), limits, rng.random(members)


def linear_optimum(pairs: Pairs, limits: Limits) -> float:
    """The optimum of ``plain_push`` with divisible contacts, by HiGHS."""
    from scipy import sparse
    from scipy.optimize import linprog

    n, k = pairs.gain.shape
    columns = np.arange(n * k)
    member = sparse.csr_array((np.ones(n * k), (columns // k, columns)), (n, n * k))
    masks = np.array([np.tile(group.options, n) for group in limits.groups], dtype=np.float64)
    rows = np.vstack([pairs.cost.reshape(1, -1), np.ones((1, n * k)), masks])
    most = [limits.budget, limits.audience_most, *(group.most for group in limits.groups)]
    solved = linprog(
        -pairs.gain.ravel().astype(np.float64),
        A_ub=sparse.vstack([member, sparse.csr_array(rows)]),
        b_ub=np.r_[np.ones(n), most], bounds=(0, 1), method="highs",
    )  # fmt: skip
    return -float(solved.fun)


def by_return(pairs: Pairs, limits: Limits) -> float:
    """Value of taking pairs by gain per cost while every limit holds."""
    worthwhile = np.flatnonzero(pairs.gain.ravel() > 0)
    returns = pairs.gain.ravel()[worthwhile] / pairs.cost.ravel()[worthwhile]
    return _greedy(pairs, limits, worthwhile[np.argsort(-returns, kind="stable")])


def best_offer_then_cut(pairs: Pairs, limits: Limits) -> float:
    """Value of everybody's offer with the largest gain, cut by gain per cost."""
    best = pairs.gain.argmax(axis=1) + np.arange(len(pairs)) * pairs.slots
    best = best[pairs.gain.ravel()[best] > 0]
    returns = pairs.gain.ravel()[best] / pairs.cost.ravel()[best]
    return _greedy(pairs, limits, best[np.argsort(-returns, kind="stable")])


def _greedy(pairs: Pairs, limits: Limits, order: NDArray[np.int64]) -> float:
    budget, audience, value = limits.budget, limits.audience_most, 0.0
    room = np.full(pairs.options, np.inf)
    for group in limits.groups:
        room[group.options] = group.most
    free = np.ones(len(pairs), dtype=bool)
    gains, costs = pairs.gain.ravel()[order].tolist(), pairs.cost.ravel()[order].tolist()
    for at, gain, cost in zip(order.tolist(), gains, costs, strict=True):
        i, j = divmod(at, pairs.slots)
        if free[i] and cost <= budget and audience >= 1 and room[j] >= 1:
            free[i] = False
            budget, audience, value = budget - cost, audience - 1, value + gain
            room[j] -= 1
    return value


def beside_a_solver(members: int, *, tied: bool) -> list[Figure]:
    """Value, time and plain rules beside the linear programme."""
    pairs, limits, ties = plain_push(members, 0, tied=tied)
    begun = time.perf_counter()
    found = allocate(pairs, limits, ties)
    ours = time.perf_counter() - begun
    begun = time.perf_counter()
    optimum = linear_optimum(pairs, limits)
    theirs = time.perf_counter() - begun
    kind = f"{members}_{'tied' if tied else 'continuous'}"
    goal = 1e-4 if tied else 1e-5
    gap = 1 - found.value / optimum
    lines = [
        Figure(
            f"value_{kind}", found.value, optimum, "money", found.value / optimum,
            f"gap at most {goal:g}", gap <= goal,
        ),
        Figure(
            f"time_{kind}", ours, theirs, "s", ours / theirs, "below 1 from 20,000 members on",
            ours < theirs or members < 20_000,
        ),
    ]  # fmt: skip
    for name, rule in (("by_return", by_return), ("best_offer_then_cut", best_offer_then_cut)):
        value = rule(pairs, limits)
        share = value / optimum
        lines.append(
            Figure(
                f"{name}_{kind}",
                value,
                optimum,
                "money",
                share,
                "at most ours",
                value <= found.value * (1 + 1e-12),
            )
        )
    return lines


def measured(kind: str, members: int) -> dict[str, Any]:
    """One large push in this process: seconds, peak memory in bytes, certified gap."""
    pairs, limits, ties = (
        wide_push(members) if kind == "wide" else plain_push(members, 0, tied=False)
    )
    begun = time.perf_counter()
    found = allocate(pairs, limits, ties)
    seconds = time.perf_counter() - begun
    return {
        "seconds": seconds,
        "peak": _peak(),
        "gap": found.gap,
        "broken": _broken(pairs, limits, found),
    }


def _peak() -> int:
    """Most memory that this process held at once, in bytes.

    Not ``ru_maxrss``: that begins with what the parent held when it started this process.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _broken(pairs: Pairs, limits: Limits, found: Allocation) -> int:
    """How many limits do not hold, counted anew."""
    members = np.flatnonzero(found.slot[:, 0] >= 0)
    slot = found.slot[members, 0]
    option = slot if pairs.option is None else pairs.option[members, slot]
    counts = [(len(members), 0.0, limits.audience_most)]
    counts += [(int(g.options[option].sum()), g.least, g.most) for g in limits.groups]
    counts += [(int(s.members[members].sum()), s.least, s.most) for s in limits.segments]
    over = pairs.cost[members, slot].sum(dtype=np.float64) > limits.budget * (1 + 1e-12)
    return int(over) + sum(not least <= count <= most for count, least, most in counts)


def at_scale(kind: str, members: int, seconds: float, gigabytes: float) -> list[Figure]:
    """The same in a process of its own, against the goals; the reference is the goal."""
    command = [sys.executable, "-m", "benchmarks.allocation", "--child", kind, str(members)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    name, taken, peak = f"{kind}_{members}", found["seconds"], found["peak"] / 1e9
    exact = found["broken"] == 0
    gap = found["gap"]
    return [
        Figure(
            f"time_{name}", taken, seconds, "s", taken / seconds, f"at most {seconds:g} s",
            taken <= seconds,
        ),
        Figure(
            f"memory_{name}", peak, gigabytes, "GB", peak / gigabytes,
            f"at most {gigabytes:g} GB", peak <= gigabytes,
        ),
        Figure(
            f"certified_gap_{name}", gap, 1e-5, "share", gap / 1e-5,
            "at most 1e-5, every limit exact", gap <= 1e-5 and exact,
        ),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5,000 and 100,000 members")
    parser.add_argument("--only", choices=["solver", "scale"], help="one part")
    parser.add_argument("--child", nargs=2, metavar=("KIND", "MEMBERS"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(measured(asked.child[0], int(asked.child[1]))))
        return
    if asked.only != "scale":
        for members in (5_000,) if asked.quick else (5_000, 20_000, 100_000):
            for tied in (False, True):
                for figure in beside_a_solver(members, tied=tied):
                    print(figure.line(), flush=True)
    if asked.only != "solver":
        large = [
            ("plain", 1_000_000, 20, 1),
            ("wide", 1_000_000, 30, 1),
            ("plain", 10_000_000, 150, 4),
        ]
        if asked.quick:
            large = [("plain", 100_000, 10, 1), ("wide", 100_000, 15, 1)]
        for kind, members, seconds, gigabytes in large:
            for figure in at_scale(kind, members, seconds, gigabytes):
                print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
