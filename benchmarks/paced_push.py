"""One push over an invented market, as a real release, and workers who decide it one by one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from decisions.catalogue import Offer, Push
from decisions.contacts import Contacts
from decisions.decide import Ask
from decisions.members import Members
from decisions.pacing import Use
from decisions.plan import Plan, plan
from decisions.policy import Policy, Prices
from features.encoding import Encoding
from features.snapshot import Snapshot
from models.estimates import Reliability, ResponseEstimates
from serving.errors import LogUnavailable
from serving.ledger import ASKED, State
from serving.log import Log
from serving.means import segment_means
from serving.release import Release
from serving.schemas import Versions
from serving.scorer import Scorer
from serving.tables import decisions, reservations

AS_OF = datetime(2026, 5, 1, tzinfo=UTC)
NOW = AS_OF + timedelta(days=1)
PUSH = "spring"
_TRIES = 5
_MARGIN = 1000.0  # of a conversion, in money: it only turns gains into probabilities


@dataclass(frozen=True)
class Told:
    """A response model that reads its answers from the features: gains, then costs, by offer."""

    @property
    def reliability(self) -> Reliability | None:
        return None

    def channel_factor(self, channel: str) -> tuple[float, str]:
        return 1.0, "modelled"

    def estimate(
        self, values: NDArray[np.float32], names: tuple[str, ...], offers: Sequence[Offer]
    ) -> ResponseEstimates:
        n, m = len(values), len(offers)
        gain, cost = np.hsplit(values.astype(np.float64), 2)
        nothing = np.zeros(n)
        return ResponseEstimates(
            p_if_not=nothing,
            p_if_sent=(gain + cost) / _MARGIN,
            margin=np.full(n, _MARGIN),
            revenue=np.full(n, _MARGIN),
            spread=nothing,
            p_redeem=np.ones((n, m)),
            coupon=cost,
            p_unsubscribe=nothing,
            member_value=nothing,
            evidence=("modelled",) * m,
        )


@dataclass(frozen=True)
class Shape:
    """share: of what the best offers to all would cost, as the push's budget. stocked: offers with
    stock, each a quarter of an even share of the members."""

    members: int
    offers: int = 10
    share: float = 0.25
    stocked: int = 2
    seed: int = 0


@dataclass(frozen=True)
class Market:
    """A release whose prices are those of ``plan``."""

    release: Release
    plan: Plan

    @property
    def members(self) -> list[str]:
        return [member.decode() for member in self.release.snapshot.member_ids]


def market(shape: Shape) -> Market:
    """The market with its plan, and the plan's prices in its release."""
    release = unpriced(shape)
    push, snapshot = release.pushes[PUSH], release.snapshot
    everybody = Members.everybody(
        snapshot.member_ids, snapshot.values, snapshot.encoding, snapshot.as_of
    )
    offers = tuple(release.offers.values())
    ask = Ask(push, offers, everybody, release.policy, Prices(), frozenset())
    planned = plan(ask, release.estimator)
    return Market(replace(release, prices={PUSH: planned.prices}), planned)


def unpriced(shape: Shape) -> Release:
    """Members differ in what they spend and like; the better offers cost more. Seeded."""
    rng = np.random.default_rng(shape.seed)
    n, m = shape.members, shape.offers
    cost = rng.uniform(0.2, 3, m) * rng.lognormal(0, 0.4, (n, m))
    worth = rng.gamma(1.5, 2.0, n)[:, None] * rng.uniform(0.3, 1.2, m)
    gain = worth * rng.lognormal(0, 0.7, (n, m)) - cost / 2
    best = gain.argmax(axis=1)
    free = float(np.where(gain.max(axis=1) > 0, cost[np.arange(n), best], 0).sum())
    names = tuple(f"offer{column}" for column in range(m))
    limited = n // (4 * m)
    offers = {
        name: Offer(name, "amount_off", stock=limited if column < shape.stocked else None)
        for column, name in enumerate(names)
    }
    push = Push(PUSH, "push", NOW, names, budget=round(free * shape.share, 2))
    values = np.hstack([gain, cost]).astype(np.float32)
    ids = np.array([f"m{number:07d}".encode() for number in range(n)])
    encoding = Encoding(tuple(f"{kind}_{name}" for kind in ("gain", "cost") for name in names), {})
    snapshot = Snapshot(AS_OF, encoding, ids, values)
    return Release(
        versions=Versions(release="r1", as_of=AS_OF, policy="p1", models={}),
        pushes={PUSH: push},
        offers=offers,
        prices={PUSH: Prices()},
        policy=Policy("salt", consent_when_missing=True),
        snapshot=snapshot,
        estimator=Told(),
        means=segment_means(Told(), snapshot, offers, {PUSH: push}),
        shelf=None,
        contacts=Contacts.none(),
        hours=None,
        court=None,
        lifetime_values=None,
    )


@dataclass(frozen=True)
class Holding:
    """One release, always."""

    release: Release


def scorer(release: Release, log: Log) -> Scorer:
    return Scorer(Holding(release), log, vector_sample=0.0)


def gain_sent(log: Log, release: Release) -> float:
    """Expected gain of everything that the log's decisions send."""
    made = decisions.c
    with log.reading() as connection:
        sent = connection.execute(
            select(made.member_id, made.offer_id).where(made.offer_id.is_not(None))
        ).all()
    rows = release.snapshot.rows([row.member_id for row in sent])
    columns = [release.pushes[PUSH].offer_ids.index(row.offer_id) for row in sent]
    return float(release.snapshot.values[rows, columns].sum(dtype=np.float64))


def recount(log: Log) -> dict[str, Use]:
    """What the counters of the push must show, from the rows of decisions and reservations."""
    reserved, spent, planned = Counter[str](), Counter[str](), Counter[str]()
    held = {State.RESERVED: reserved, State.ACTIVATED: spent}
    with log.reading() as connection:
        for row in connection.execute(select(reservations.c.state, reservations.c.takes)):
            held.get(State(row.state), Counter()).update(json.loads(row.takes))
        for terms in connection.scalars(select(decisions.c.terms)):
            planned.update(json.loads(terms)["planned"])
        spent[ASKED] = connection.scalar(select(func.count()).select_from(decisions)) or 0
    names = reserved.keys() | spent.keys() | planned.keys()
    found = {name: Use(reserved[name], spent[name], planned[name]) for name in names}
    return {name: use for name, use in found.items() if use != Use()}


@dataclass(frozen=True)
class Task:
    """What one worker asks: every ``parts``-th member from number ``part`` on, in random order, and
    a tenth of the others, whom another worker asks too. failing: share of messages that fail."""

    log: str
    shape: Shape
    prices: dict[str, object]
    part: int
    parts: int
    failing: float = 0.0

    def start(self) -> subprocess.Popen[bytes]:
        """A process that does it."""
        command = [sys.executable, "-m", "benchmarks.paced_push", json.dumps(asdict(self))]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL)


def work(task: Task) -> None:
    """Decide the task's members one at a time, and report most messages as sent or failed."""
    release = replace(unpriced(task.shape), prices={PUSH: Prices.from_json(task.prices)})
    rng = np.random.default_rng(task.part)
    numbers = np.arange(task.shape.members)
    mine = (numbers % task.parts == task.part) | (rng.random(len(numbers)) < 0.1)
    with Log(Path(task.log), wait=60.0) as log:
        asking = scorer(release, log)
        for number in rng.permutation(numbers[mine]):
            for _ in range(_TRIES):  # eight writers on one disk: an engine tries again, too
                try:
                    _ask(asking, f"m{number:07d}", task.failing)
                except LogUnavailable:
                    continue
                break


def _ask(asking: Scorer, member: str, failing: float) -> None:
    answer = asking.decide(PUSH, {member: None}, NOW).decisions[member]
    decision_id = str(answer.decision_id)
    drawn = int(decision_id[:8], 16) / 2**32
    if answer.send and drawn < 0.8:  # of the others nothing is heard
        told = "failed" if drawn < failing else "sent"
        asking.log.keep_outcomes([_outcome(decision_id, told)], NOW)


def _outcome(decision_id: str, told: str) -> dict[str, str]:
    return {
        "event_id": f"{decision_id}-{told}", "decision_id": decision_id, "type": told,
        "occurred_at": NOW.isoformat(),
    }  # fmt: skip


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    work(Task(**{**given, "shape": Shape(**given["shape"])}))
