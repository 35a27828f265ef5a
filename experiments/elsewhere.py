"""An experiment that was run elsewhere: what was measured of its members, and its one look.

What a file tells is less than a scorer's log: whether members were assigned by chance, and when,
nobody can check here. Split, guardrails and verdict are those of every experiment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from experiments.cells import NAMES, Cell, Cells
from experiments.design import GUARDRAILS, Analysis, Arm, Experiment, Guardrail
from experiments.errors import ExperimentError
from experiments.findings import Readout
from experiments.looks import Look
from experiments.moments import Moments
from experiments.readout import readout

_MONEY = {"gain": ("gain", "margin", "cost", "revenue"), "revenue": ("revenue",), "converted": ()}
_COUNTED = ("arm", "share", "members")


@dataclass(frozen=True, slots=True)
class Measures:
    """What is known of each member beside the arm; None, or nothing, where it is not.

    outcome: money. converted: 0 or 1. cost: money, spent on the member. before: of the time before
    the experiment, any number. guardrails: of 0 or 1, 1 is harm. segments: of before the
    experiment. The values are the names of columns.
    """

    outcome: str | None = None
    converted: str | None = None
    cost: str | None = None
    before: str | None = None
    guardrails: tuple[Guardrail, ...] = ()
    segments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.outcome is None and self.converted is None:
            raise ExperimentError("no outcome: name a column with --outcome or --converted")
        if self.cost is not None and self.outcome is None:
            raise ExperimentError("a cost is taken off money: name it with --outcome")
        for rule in self.guardrails:
            if rule.metric in NAMES and rule.metric not in GUARDRAILS:
                raise ExperimentError(
                    f"guardrail {rule.metric!r} has the name of a metric; rename its column"
                )

    @property
    def metric(self) -> str:
        """What decides: the outcome, less the cost where that is known; else who converted."""
        if self.outcome is None:
            return "converted"
        return "revenue" if self.cost is None else "gain"

    def document(self, found: Readout) -> dict[str, Any]:
        """The readout as JSON without what was not measured: nobody knows that it was 0."""
        document = found.to_json()
        metrics = [*_MONEY[self.metric], *(("converted",) if self.converted else ())]
        metrics += [rule.metric for rule in self.guardrails if rule.metric in GUARDRAILS]
        told = {*_COUNTED, *metrics, *(("gain_per_member",) if self.cost else ())}
        for arm in document["arms"]:
            arm.update({name: None for name in arm if name not in told})
        for contrast in document["contrasts"]:
            contrast["metrics"] = {name: contrast["metrics"][name] for name in metrics}
            contrast["ratios"] = {}
            if self.cost is None:
                contrast["incremental"] = None
        return document


@dataclass(frozen=True, slots=True)
class Alike:
    """Members of one arm and the same segments. moments: over the measures that there are:
    ``outcome``, ``converted``, ``cost``, ``before``, each guardrail, and, where there is a cap,
    ``judged`` and ``before_judged``."""

    arm: str
    segments: Mapping[str, str]
    moments: Moments


def identifier(text: str) -> str:
    """``text`` as a name for an arm or experiment: ``Mens E-Mail`` is ``Mens-E-Mail``."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text.strip()).lstrip("._-")[:64]


def declared(
    name: str, measured: Measures, shares: Mapping[str, float], control: str, analysis: Analysis
) -> Experiment:
    """The experiment of one look at a fixed horizon.

    Args:
        shares: of the members, by arm. analysis: cap, alpha, lift and correction.
    """
    ordered = sorted(shares, key=lambda arm: (arm != control, arm))
    return Experiment(
        experiment_id=identifier(name) or "experiment",
        # No kind fits: nobody here knows who decided. Of this one, each arm has a verdict.
        arms=tuple(Arm(arm, shares[arm], "champion") for arm in ordered),
        control=control,
        analysis=replace(
            analysis,
            metric=measured.metric,
            before_days=1.0 if measured.before else 0.0,  # how long, the file does not say
            looks=1,
            guardrails=measured.guardrails,
            segments=measured.segments,
        ),
    )


def read_elsewhere(experiment: Experiment, alike: Iterable[Alike], as_of: datetime) -> Readout:
    """What an experiment ``declared`` here shows. as_of: when its outcomes were known."""
    rules = experiment.analysis.guardrails
    names = (*NAMES, *(one.metric for one in rules if one.metric not in NAMES))
    cells = Cells(
        as_of=as_of,
        shares=({arm.name: arm.share for arm in experiment.arms},),
        cells=tuple(
            Cell(
                arm=one.arm,
                epoch=0,
                lifecycle="",
                value_tier="",
                complete=True,
                moments=_variables(one.moments, names, experiment.analysis.metric),
                also=one.segments,
            )
            for one in alike
        ),
    )
    look = Look(1, 1, due=True, last=True, fractions=(1.0,), moment=as_of, next_at=None)
    return readout(experiment, cells, look)


def _variables(moments: Moments, names: tuple[str, ...], metric: str) -> Moments:
    """Each variable is a sum of measures: moments follow without the members."""
    money = {"outcome": 1.0}
    made: dict[str, dict[str, float]] = {
        "gain": {**money, "cost": -1.0},
        "margin": money,
        "revenue": money,
        "converted": {"converted": 1.0},
        "conversions": {"converted": 1.0},
        "cost": {"cost": 1.0},
        "before_margin": {"before": 1.0},
        "before_revenue": {"before": 1.0},
    }
    capped = "judged" in moments.names
    made["judged"] = {"judged": 1.0} if capped else made[metric]
    made["before_judged"] = {"before_judged" if capped else "before": 1.0}
    turn = np.zeros((len(names), len(moments.names)))
    for row, name in enumerate(names):
        for measure, times in made.get(name, {name: 1.0}).items():
            if measure in moments.names:
                turn[row, moments.names.index(measure)] = times
    return Moments(names, moments.count, turn @ moments.mean, turn @ moments.comoment @ turn.T)
