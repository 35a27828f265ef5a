"""What a readout says: figures by arm and contrast, the checks, and the verdict.

Everything turns into plain JSON by ``to_json``; API, command and report show that and nothing else.
A figure that cannot be told is an ``Untold`` with its reason, in JSON ``{"reason", "told"}``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any, Literal

from experiments.cells import Exposure
from experiments.contrast import Estimate, Lift, Untold
from experiments.design import ArmKind, Correction, Sequential
from experiments.looks import Look

VerdictKind = Literal["promote", "keep", "harm", "wait", "inconclusive", "cannot_say"]
VerdictReason = Literal[
    "better",  # promote
    "too_small_to_matter",  # keep: the interval leaves out the lift that was declared to matter
    "worse",  # harm
    "guardrail_broken",  # harm
    "before_first_look",  # wait
    "between_looks",  # wait
    "more_looks",  # wait: not told apart at this look, and others come
    "always_on",  # wait: not told apart yet
    "guardrail_open",  # wait, or inconclusive at the end
    "not_told_apart",  # inconclusive, at the end
    "srm",  # cannot say, as the rest
    "no_members",
    "too_few_members",
    "nothing_varies",
]
SrmTest = Literal["chi_square", "sequential"]
GuardrailState = Literal["held", "broken", "open"]


@dataclass(frozen=True, slots=True)
class Srm:
    """Whether members are split as the shares say (sample ratio mismatch).

    observed, expected: members by arm, over all epochs of shares.
    by: ``chi_square`` at a planned look; ``sequential``, which may be asked at any time, else.
    p: None where too few members to check. statistic, df: of chi-square, else None and 0.
    passed: None as p; False where p < .001: then nothing else of the readout can be trusted.
    """

    observed: Mapping[str, int]
    expected: Mapping[str, float]
    by: SrmTest
    statistic: float | None
    df: int
    p: float | None
    passed: bool | None


@dataclass(frozen=True, slots=True)
class ArmTotals:
    """Sums over the members assigned to one arm (intention to treat), from their first exposure.

    share: that the arm has now, of the experiment's members. complete: members whose window has
    passed. converted: members who did. gain_per_member: gain / members; None of nobody.
    """

    arm: str
    kind: ArmKind
    share: float
    members: int
    complete: int
    reached: int
    sends: int
    redeemed: int
    converted: int
    conversions: float
    unsubscribed: int
    complained: int
    revenue: float
    margin: float
    cost: float
    coupon: float
    gain: float
    gain_per_member: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric: as it is, and with what members did before taken off (None: no covariate)."""

    plain: Lift | Untold
    adjusted: Lift | Untold | None


@dataclass(frozen=True, slots=True)
class Incremental:
    """What the arm earned beyond the control: the two numbers of every report, and their ratio.

    margin, cost, gain: per member assigned to the arm, arm less control, not adjusted.
    total_margin, total_cost, total_gain: the same for all members of the arm.
    roi: gain / cost, both incremental (Fieller's interval).
    """

    margin: Estimate | Untold
    cost: Estimate | Untold
    gain: Estimate | Untold
    total_margin: Estimate | Untold
    total_cost: Estimate | Untold
    total_gain: Estimate | Untold
    roi: Estimate | Untold


@dataclass(frozen=True, slots=True)
class Guarded:
    """One guardrail of one contrast.

    arm, control: shares of the members. harm: arm less control with the interval that decides.
    held: the whole interval is below ``most``. broken: the whole interval is above. open: neither.
    """

    metric: str
    most: float
    arm: float
    control: float
    harm: Estimate
    state: GuardrailState


@dataclass(frozen=True, slots=True)
class SegmentLift:
    """The deciding metric within one value of a segment; adjusted where the whole is.

    p: corrected over all segments of the contrast; None where untold. clear: p below alpha.
    """

    segment: str
    value: str
    members: int
    control_members: int
    lift: Lift | Untold
    p: float | None
    clear: bool


@dataclass(frozen=True, slots=True)
class Varies:
    """Whether the lift differs between the values of a segment (Cochran's Q). p: corrected."""

    segment: str
    statistic: float
    df: int
    p: float


@dataclass(frozen=True, slots=True)
class Decided:
    """What the verdict on an arm rests on.

    by: the planned look's bound, or the confidence sequence. bound: that |z| has to reach.
    level: two-sided, after the correction over arms. interval: of the difference, at that bound:
    it leaves out 0 exactly where ``crossed``.
    """

    by: Sequential
    bound: float
    z: float
    level: float
    interval: Estimate
    crossed: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """kind and reason for programs, sentence for people. arm: on which; "" where on all."""

    kind: VerdictKind
    reason: VerdictReason
    arm: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Contrast:
    """An arm against another.

    role: ``candidate`` arms have a verdict each. ``told``: shown only: every arm against the
    holdout where that is not the control, and random arms beside candidates.
    primary: the deciding metric as declared (capped, adjusted where there are covariates); plain:
    not adjusted; uncapped: neither, None where no cap was declared.
    explained: share of the variance that the covariates took away.
    anytime: interval of the primary that holds whenever it is looked at: of members whose window
    has passed.
    shrunk: the primary drawn towards what earlier experiments found; None where nothing is known.
    """

    arm: str
    control: str
    role: Literal["candidate", "told"]
    members: int
    control_members: int
    primary: Lift | Untold
    plain: Lift | Untold
    uncapped: Lift | Untold | None
    explained: float
    anytime: Estimate | Untold
    decided: Decided | None
    guardrails: tuple[Guarded, ...]
    incremental: Incremental
    metrics: Mapping[str, Measured]
    ratios: Mapping[str, Lift | Untold]
    segments: tuple[SegmentLift, ...]
    varies: tuple[Varies, ...]
    shrunk: Estimate | None
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Readout:
    """An experiment as of a moment: a function of the log and that moment alone.

    metric: that decides. cap: most money one member counts with in it. level: of the intervals,
    1 − alpha. warnings: sentences on what may be wrong with the data.
    """

    experiment_id: str
    as_of: datetime
    control: str
    metric: str
    cap: float | None
    level: float
    lift: float
    sequential: Sequential
    correction: Correction
    look: Look
    exposure: Exposure
    srm: Srm
    arms: tuple[ArmTotals, ...]
    contrasts: tuple[Contrast, ...]
    verdict: Verdict
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values: times in ISO 8601, no NaN (null), names as the fields'."""
        found: dict[str, Any] = plain(self)
        return found

    def contrast(self, arm: str, control: str) -> Contrast:
        """``KeyError`` where the two were not compared."""
        return {(one.arm, one.control): one for one in self.contrasts}[arm, control]


def plain(value: Any) -> Any:
    """``value`` as JSON has it: dataclasses by field, times in ISO 8601, no NaN (null)."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
