"""What is declared of an experiment before anybody is in it: arms, members, how it will be read."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Literal

from experiments.errors import ExperimentError

ArmKind = Literal["champion", "release", "rule", "random", "holdout"]
Mode = Literal["live", "shadow"]
Sequential = Literal["group", "always"]
Correction = Literal["holm", "bh"]
MONEY_METRICS = ("gain", "margin", "revenue")
SHARE_METRICS = ("converted",)
GUARDRAILS = ("unsubscribed", "complained")
SEGMENTS = ("lifecycle", "value_tier")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SUMS_TO_ONE = 1e-9


def _check_name(what: str, name: str) -> None:
    if not NAME.fullmatch(name):
        raise ExperimentError(
            f"{what} {name!r} is not 1 to 64 of letters, digits, . _ -, a letter or digit first"
        )


def _one_of(what: str, found: str, known: tuple[str, ...]) -> None:
    if found not in known:
        raise ExperimentError(f"{what} is {found!r}, wanted one of {', '.join(known)}")


@dataclass(frozen=True, slots=True)
class Arm:
    """One branch.

    name: unique in its experiment; it is logged with each decision.
    share: of the experiment's members, in steps of one bucket (1/10,000).
    kind: who decides. ``champion``: the release that is published. ``release``: the one named.
        ``rule``: whom ``rule`` picks gets ``offer``, in every push. ``random``: every eligible
        member gets one of the push's offers or none, each equally likely. ``holdout``: nothing.
    """

    name: str
    share: float
    kind: ArmKind
    release: str = ""
    rule: str = ""
    offer: str = ""

    def __post_init__(self) -> None:
        _check_name("arm", self.name)
        if not 0 <= self.share <= 1:
            raise ExperimentError(f"share of arm {self.name!r} is {self.share}, wanted 0 to 1")
        wanted = {"release": ("release",), "rule": ("rule", "offer")}.get(self.kind, ())
        for name in ("release", "rule", "offer"):
            given = bool(getattr(self, name))
            if given != (name in wanted):
                what = f"needs {name!r}" if name in wanted else f"has no {name!r}"
                raise ExperimentError(f"arm {self.name!r} of kind {self.kind!r} {what}")


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A metric that must not get worse than the control's by more than ``most``, a difference of
    shares per member assigned: non-inferiority.

    metric: of ``GUARDRAILS``; of an experiment that was run elsewhere, any.
    """

    metric: str
    most: float

    def __post_init__(self) -> None:
        if not self.most > 0:
            raise ExperimentError(
                f"guardrail {self.metric!r} allows {self.most}, wanted more than 0"
            )


@dataclass(frozen=True, slots=True)
class Analysis:
    """How the experiment is going to be read; fixed when it starts.

    metric: what decides, per member assigned: ``gain`` (margin less costs), ``margin``,
        ``revenue``, or ``converted`` (share).
    window_days: how long after a member's first decision outcomes count.
    before_days: length of the period before it whose margin, revenue and conversion serve as
        covariates (CUPED); 0 for none.
    cap: most money that one member counts with in the deciding metric, plus or minus (winsorised);
        None: as it is.
    alpha: of the whole experiment, two-sided. power: against ``lift``.
    lift: smallest difference of ``metric`` that matters, in its unit; 0 where none was declared.
    sequential: ``group`` for ``looks`` planned looks, equally far apart in time over ``days``;
        ``always`` for a confidence sequence that may be looked at any time.
    correction: over several arms and over segments.
    segments: ``SEGMENTS`` as they were at a member's first decision, by which lifts are told too.
    """

    metric: str = "gain"
    window_days: float = 14.0
    before_days: float = 28.0
    cap: float | None = None
    alpha: float = 0.05
    power: float = 0.8
    lift: float = 0.0
    sequential: Sequential = "group"
    looks: int = 1
    days: float = 28.0
    correction: Correction = "holm"
    guardrails: tuple[Guardrail, ...] = (Guardrail("unsubscribed", 0.005),)
    segments: tuple[str, ...] = SEGMENTS

    def __post_init__(self) -> None:
        _one_of("metric", self.metric, (*MONEY_METRICS, *SHARE_METRICS))
        _one_of("sequential", self.sequential, ("group", "always"))
        _one_of("correction", self.correction, ("holm", "bh"))
        for name in ("window_days", "days"):
            if not 0 < getattr(self, name) <= 3650:
                raise ExperimentError(
                    f"{name} is {getattr(self, name)}, wanted more than 0, at most 3650"
                )
        for name in ("alpha", "power"):
            if not 0 < getattr(self, name) < 1:
                raise ExperimentError(f"{name} is {getattr(self, name)}, wanted between 0 and 1")
        if not 0 <= self.before_days <= 3650:
            raise ExperimentError(f"before_days is {self.before_days}, wanted 0 to 3650")
        if self.cap is not None and not self.cap > 0:
            raise ExperimentError(f"cap is {self.cap}, wanted more than 0, or none")
        if not 1 <= self.looks <= 100:
            raise ExperimentError(f"looks is {self.looks}, wanted 1 to 100")


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is declared, and never changes once it runs but for the shares of the arms.

    experiment_id: its hash decides who is in which arm, so it is never used twice.
    control: the arm that the others are compared with.
    layer: experiments of one layer share its members, each member in at most one of them.
    traffic: share of the layer's members that it takes.
    push_ids: in which pushes it decides; empty for all.
    mode: in ``shadow`` the control answers everybody; what the other arms would have decided is
        only written down.
    owner, hypothesis: for those who read it later.
    """

    experiment_id: str
    arms: tuple[Arm, ...]
    control: str
    layer: str = "default"
    traffic: float = 1.0
    push_ids: tuple[str, ...] = ()
    mode: Mode = "live"
    analysis: Analysis = field(default_factory=Analysis)
    owner: str = ""
    hypothesis: str = ""

    def __post_init__(self) -> None:
        _check_name("experiment", self.experiment_id)
        _check_name("layer", self.layer)
        names = [arm.name for arm in self.arms]
        if len(names) < 2 or len(set(names)) < len(names):
            raise ExperimentError(f"arms are {names}, wanted two or more with names of their own")
        if self.control not in names:
            raise ExperimentError(f"control is {self.control!r}, wanted one of {', '.join(names)}")
        total = math.fsum(arm.share for arm in self.arms)
        if abs(total - 1) > _SUMS_TO_ONE:
            raise ExperimentError(f"shares of the arms add up to {total:g}, wanted 1")
        if not 0 < self.traffic <= 1:
            raise ExperimentError(f"traffic is {self.traffic}, wanted more than 0, at most 1")
        if self.mode == "shadow" and any(arm.kind == "holdout" for arm in self.arms):
            raise ExperimentError(
                "a shadow experiment has no holdout: its control answers everybody"
            )

    def arm(self, name: str) -> Arm:
        """The arm called ``name``. ``KeyError`` where there is none."""
        return {arm.name: arm for arm in self.arms}[name]
