"""An experiment of three arms on members that were made up, read on every few days of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from dashboard.experiment_report import ExperimentReport
from dashboard.push_report import PushReport
from experiments.assignment import Allocation
from experiments.cells import NAMES, Cell, Cells, Exposure
from experiments.design import Analysis, Arm, Experiment, Guardrail
from experiments.findings import Readout
from experiments.looks import look_at
from experiments.moments import Moments
from experiments.readout import readout

STARTED_AT = datetime(2026, 10, 1, tzinfo=UTC)
WINDOW = 7.0
LIFECYCLES = ("new", "active", "loyal", "slipping", "lapsed", "never_bought")
TIERS = ("low", "middle", "high")
EXPERIMENT = Experiment(
    experiment_id="autumn-challenger",
    arms=(
        Arm("champion", 0.4, "champion"),
        Arm("challenger", 0.4, "release", release="r-2"),
        Arm("holdout", 0.2, "holdout"),
    ),
    control="champion",
    analysis=Analysis(
        window_days=WINDOW, looks=4, cap=200.0, guardrails=(Guardrail("unsubscribed", 0.01),)
    ),
    owner="growth team",
    hypothesis="The new response model finds members whom a push changes more.",
)


@dataclass(frozen=True, eq=False)
class Crowd:
    """(n,) each: arm and segments by number, day of the first decision and of a purchase (infinite:
    none), margin before, margin of the purchase, cost of what was sent."""

    arm: NDArray[np.int64]
    lifecycle: NDArray[np.int64]
    tier: NDArray[np.int64]
    exposed: NDArray[np.float64]
    bought: NDArray[np.float64]
    before: NDArray[np.float64]
    margin: NDArray[np.float64]
    cost: NDArray[np.float64]
    left: NDArray[np.bool_]


def crowd(members: int = 12_000, effect: float = 0.06, seed: int = 5) -> Crowd:
    """effect: what the challenger adds to a loyal member's chance of buying, and a fourth of it to
    that of others."""
    rng = np.random.default_rng(seed)
    names = [f"m{number}" for number in range(members)]
    arm = Allocation.of({one.name: one.share for one in EXPERIMENT.arms}).arms_of("autumn", names)
    lifecycle = rng.integers(0, len(LIFECYCLES), members)
    worth = rng.gamma(2.0, 20.0, members)
    exposed = rng.uniform(0, 20, members)
    chance = 0.06 + 0.002 * worth + np.array([0.01, 0.02, 0.0])[arm]
    chance += np.where(arm == 1, effect * np.where(lifecycle == 2, 1.0, 0.25), 0.0)
    buys = rng.random(members) < chance
    sent = arm != 2
    return Crowd(
        arm=arm,
        lifecycle=lifecycle,
        tier=np.digitize(worth, [25, 50]),
        exposed=exposed,
        bought=np.where(buys, exposed + rng.uniform(0, WINDOW, members), np.inf),
        before=worth * (rng.random(members) < 0.5),
        margin=worth * rng.gamma(4.0, 0.25, members),
        cost=np.where(sent, 0.05 + 2.0 * (buys & (rng.random(members) < 0.3)), 0.0),
        left=sent & (rng.random(members) < 0.002),
    )


def cells(made: Crowd, day: float, experiment: Experiment = EXPERIMENT) -> Cells:
    """What is known of the crowd ``day`` days after the start."""
    inside = made.exposed < day
    values = _values(made, day)[inside]
    complete = made.exposed + WINDOW <= day
    keys = np.stack([made.arm, made.lifecycle, made.tier, complete], axis=1)[inside]
    alike, of = np.unique(keys, axis=0, return_inverse=True)
    found = []
    for number, (arm, lifecycle, tier, done) in enumerate(alike.tolist()):
        moments = Moments.of(NAMES, values[of == number])
        kinds = LIFECYCLES[lifecycle], TIERS[tier]
        found.append(Cell(experiment.arms[arm].name, 0, *kinds, bool(done), moments))
    shares = {one.name: one.share for one in experiment.arms}
    at = STARTED_AT + timedelta(days=day)
    return Cells(at, (shares,), tuple(found), Exposure(STARTED_AT, at, 0))


def _values(made: Crowd, day: float) -> NDArray[np.float64]:
    """(n, variables) of each member by then."""
    bought = (made.bought < day).astype(float)
    sent = (made.arm != 2).astype(float)
    gain = bought * made.margin - made.cost
    known = {
        "gain": gain, "margin": bought * made.margin, "revenue": bought * made.margin * 3,
        "converted": bought, "conversions": bought, "cost": made.cost, "sends": sent,
        "reached": sent, "unsubscribed": made.left, "judged": np.clip(gain, -200, 200),
        "before_margin": made.before, "before_judged": np.minimum(made.before, 200),
    }  # fmt: skip
    nothing = np.zeros(len(made.arm))
    return np.stack([known.get(name, nothing) for name in NAMES], axis=1)


def read(made: Crowd, day: float, experiment: Experiment = EXPERIMENT) -> Readout:
    found = cells(made, day, experiment)
    return readout(experiment, found, look_at(experiment.analysis, STARTED_AT, found.as_of))


def report(
    made: Crowd, days: tuple[float, ...] = (2, 4, 7, 10, 14, 17, 21, 24, 28)
) -> ExperimentReport:
    """The report on the last of ``days``."""
    history = tuple(read(made, day).to_json() for day in days)
    funnel = {
        one["arm"]: {
            "assigned": one["members"], "sent": one["reached"], "delivered": one["reached"],
            "opened": one["reached"] // 3, "clicked": one["reached"] // 9,
            "converted": one["converted"],
        }
        for one in history[-1]["arms"]
    }  # fmt: skip
    return ExperimentReport(EXPERIMENT, "running", STARTED_AT, history[-1], history, funnel)


PUSH = Experiment(
    experiment_id="push",
    arms=(Arm("sent", 0.8, "champion"), Arm("held-out", 0.2, "holdout")),
    control="held-out",
    analysis=Analysis(window_days=WINDOW, looks=1, days=WINDOW),
)
PLANNED = {
    "contacts": 5_000, "expected_orders": 310.0, "expected_cost": 4_100.0,
    "expected_gain": 14_000.0, "calibrated_gain": 12_500.0, "interval": [7_000.0, 18_000.0],
}  # fmt: skip


def push_report(effect: float = 0.2, offer: str = "spring-10") -> PushReport:
    """A push to the same crowd, decided within three weeks."""
    made = crowd(effect=effect)
    made = replace(made, arm=(made.arm == 2).astype(np.int64), cost=made.cost * (made.arm != 2))
    results = read(made, 28, PUSH).to_json()
    sent, held = results["arms"]
    stages = ("assigned", "sent", "delivered", "opened", "clicked", "converted")
    counts = (sent["members"], sent["reached"], sent["reached"], 1500, 400, sent["converted"])
    points = [
        {"cost": 1_000.0 * n, "calibrated": 6_000.0 * n**0.5, "gain": 7_000.0 * n**0.5,
         "interval": [3_000.0 * n**0.5, 9_000.0 * n**0.5], "members": 1_000.0 * n}
        for n in range(8)
    ]  # fmt: skip
    return PushReport(
        push={
            "push_id": "spring", "channel": "push", "first": STARTED_AT.isoformat(),
            "window_days": WINDOW, "decided": 13_000, "sent": sent["members"],
            "held": held["members"], "share": 0.2, "drawn": [0.8],
        },
        arm="sent",
        control="held-out",
        results=results,
        funnel={"sent": dict(zip(stages, counts, strict=True))},
        offers=(
            {"offer_id": offer, "chance": 0.8, "totals": sent, "contrast": results["contrasts"][0]},
        ),
        planned=PLANNED,
        logged={"contacts": 5_010, "gain": 13_800.0, "orders": 305.0},
        frontier={"along": "cost", "points": points},
    )  # fmt: skip
