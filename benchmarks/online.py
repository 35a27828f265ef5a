"""A push decided one call at a time: what of the plan's gain it earns, and what it overspends.

An invented market (``benchmarks.paced_push``) of ten offers, two of them with stock, and a budget
of a quarter of what the best offers to everybody would cost. The plan decides everybody at once;
then the same release is asked member by member, in random order, with the best members first, and
with a fifth of the messages failing, whose cost comes back. Last through the real ledger: eight
processes share one log, are killed in the middle and started again.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import sleep

import numpy as np

from benchmarks.figure import Figure
from benchmarks.paced_push import NOW, PUSH, Market, Shape, Task, gain_sent, market, recount
from decisions.pacing import Use
from serving.log import Log
from serving.situation import Situation

_WORKERS = 8


def figures(quick: bool) -> Iterator[Figure]:
    """Shares of the plan's gain, and units over the limits; ``quick`` takes fewer members."""
    goal = "at least 0.97, and 0 over any limit"
    shop = market(Shape(5_000 if quick else 100_000))
    yield _share("random_order", shop, one_by_one(shop, shuffled(shop)), goal)
    shop = market(Shape(2_000 if quick else 20_000))
    yield _share("best_members_first", shop, one_by_one(shop, best_first(shop)), goal)
    failing = one_by_one(shop, shuffled(shop), failing=0.2)
    goal_failing = "above 0.8, the share of messages that arrive"
    yield _share("a_fifth_fails", shop, failing, goal_failing, 0.8)
    yield from _through_the_ledger(Shape(800 if quick else 5_000))


def one_by_one(
    shop: Market, order: Sequence[str], failing: float = 0.0
) -> tuple[float, dict[str, int]]:
    """Expected gain of what was sent, and what it took of each limit.

    Args:
        order: the members, asked in this order, each alone.
        failing: share of messages, at random, that fail and give their cost back.
    """
    release, gain = shop.release, 0.0
    fails = np.random.default_rng(2).random(len(order)) < failing
    taken, planned = Counter[str](), Counter[str]()
    for member, failed in zip(order, fails.tolist(), strict=True):
        used = {name: Use(0, taken[name], planned[name]) for name in taken | planned}
        terms = release.terms(PUSH, used)
        (choice,) = release.choose(PUSH, [member], Situation(terms))
        planned.update(choice.planned)
        if choice.takes and not failed:
            taken.update(choice.takes)
            gain += choice.expected_gain or 0.0
    return gain, dict(taken)


def shuffled(shop: Market) -> list[str]:
    """The members in random order."""
    ordered: list[str] = np.random.default_rng(1).permutation(shop.members).tolist()
    return ordered


def best_first(shop: Market) -> list[str]:
    """Whom the plan sends something, largest gain first; then the others."""
    members, ranking = np.array(shop.members), shop.plan.ranking
    others = np.setdiff1d(np.arange(len(members)), ranking)
    ordered: list[str] = members[np.concatenate([ranking, others])].tolist()
    return ordered


def over(shop: Market, taken: Mapping[str, int]) -> int:
    """Units by which limits of the push were passed: millionths of money, and contacts."""
    most = shop.release.limits(PUSH)
    return sum(max(0, taken.get(name, 0) - limit) for name, limit in most.items())


def _share(
    name: str, shop: Market, found: tuple[float, Mapping[str, int]], goal: str, least: float = 0.97
) -> Figure:
    gain, taken = found
    ratio = gain / shop.plan.gain
    holds = ratio >= least and over(shop, taken) == 0
    return Figure(f"online_{name}", gain, shop.plan.gain, "money", ratio, goal, holds)


def _through_the_ledger(shape: Shape) -> Iterator[Figure]:
    shop = market(shape)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "log.db"
        prices = shop.release.prices[PUSH].to_json()
        tasks = [Task(str(path), shape, prices, part, _WORKERS) for part in range(_WORKERS)]
        decided = killed_and_resumed(tasks)
        with Log(path) as log:
            used, counted = log.used(PUSH, NOW), recount(log)
            gain = gain_sent(log, shop.release)
    yield _share(
        "eight_workers_and_a_crash",
        shop,
        (gain, {name: use.taken for name, use in used.items()}),
        f"at least 0.97, and 0 over any limit; {decided} decided at the crash",
    )
    taken = {name: use.taken for name, use in counted.items()}
    passed, same = over(shop, taken), used == counted
    goal = "0 units over any limit by a recount of the rows, which equals the counters"
    yield Figure("online_overspent", passed, 0.0, "units", 0.0, goal, passed == 0 and same)


def killed_and_resumed(tasks: Sequence[Task]) -> int:
    """Run ``tasks`` side by side, kill half of them in the middle, and run those again.

    Returns:
        How many members were decided when they were killed.

    Raises:
        RuntimeError: a worker failed otherwise.
    """
    third = tasks[0].shape.members // 3
    with Log(Path(tasks[0].log)) as log:
        workers = [task.start() for task in tasks]
        while (decided := _asked(log)) < third and any(one.poll() is None for one in workers):
            sleep(0.02)
    for number, worker in enumerate(workers):
        if number % 2:
            worker.kill()
            worker.wait()
            workers[number] = tasks[number].start()
    for worker in workers:
        if worker.wait():
            raise RuntimeError(f"a worker ended with exit status {worker.returncode}")
    return decided


def _asked(log: Log) -> int:
    return log.used(PUSH, NOW).get("asked", Use()).spent


if __name__ == "__main__":
    for figure in figures("--quick" in sys.argv):
        print(figure.line(), flush=True)
