"""The verdict: the split of members first, then guardrails, then the deciding metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from experiments.contrast import Lift, Untold
from experiments.design import Analysis
from experiments.findings import Contrast, Decided, Guarded, Srm, Verdict, VerdictReason
from experiments.looks import Look

# Of several arms, the one with the first of these is told first.
_ORDER = ("promote", "wait", "inconclusive", "keep", "harm", "cannot_say")


@dataclass(frozen=True, slots=True)
class Ground:
    """What the verdicts of all arms rest on alike."""

    analysis: Analysis
    control: str
    look: Look
    srm: Srm

    @property
    def by_look(self) -> bool:
        """Whether this is a planned look: else whatever is judged holds at any time."""
        return self.analysis.sequential == "group" and self.look.due

    @property
    def decides(self) -> bool:
        """Whether the deciding metric is judged: not between planned looks."""
        return self.analysis.sequential == "always" or self.look.due


def arm_verdict(
    contrast: Contrast, judged: tuple[Lift, Decided] | Untold, ground: Ground
) -> Verdict:
    """Of one candidate; the first of these that holds.

    1. Members are not split as the shares say: cannot say.
    2. A guardrail is shown to be broken: harm; between looks too, by what holds at any time.
    3. It is between planned looks: wait. 4. Too few members, or nothing varies: cannot say.
    5. The arm is worse: harm. 6. It is better, and every guardrail is shown to hold: promote.
    7. The interval leaves out the lift that was declared to matter: keep the control.
    8. Looks are to come, or it is always on: wait. 9. Inconclusive.

    Args:
        judged: the lift that decides and what was decided on it; not asked between looks.
    """
    arm, control = contrast.arm, contrast.control
    if ground.srm.passed is False:
        return _split(ground)
    broken = [one for one in contrast.guardrails if one.state == "broken"]
    if broken:
        return Verdict("harm", "guardrail_broken", arm, _broken(arm, control, broken[0]))
    if not ground.decides:
        return _between(arm, ground.look)
    if isinstance(judged, Untold):
        return _cannot_say(arm, judged)
    decision = judged[1]
    told = _told(*judged, control, ground.analysis.cap)
    if decision.crossed and decision.interval.value < 0:
        return Verdict("harm", "worse", arm, f"Do not promote {arm}: {told}.")
    if decision.crossed:
        return _better(contrast, told, ground)
    most = ground.analysis.lift
    if most > 0 and decision.interval.high < most:
        told = f"Keep {control}: {arm} {told}; {most:g} or more, declared to matter, is left out."
        return Verdict("keep", "too_small_to_matter", arm, told)
    return _open(arm, f"{arm} {told}, not told apart", "not_told_apart", ground)


def overall(contrasts: Sequence[Contrast]) -> Verdict:
    """Of the experiment: what comes first in ``_ORDER``, of equal ones that with the largest
    difference; arms that do harm are named whatever comes first.

    Args:
        contrasts: the candidates among them have verdicts.
    """
    verdicts = [
        (one.verdict, one.decided.interval.value if one.decided else 0.0)
        for one in contrasts
        if one.verdict is not None
    ]
    ranked = sorted(verdicts, key=lambda one: (_ORDER.index(one[0].kind), -one[1]))
    first, *others = (verdict for verdict, _ in ranked)
    harm = [one.sentence for one in others if one.kind == "harm"]
    return replace(first, sentence=" ".join([first.sentence, *harm]))


def _split(ground: Ground) -> Verdict:
    srm = ground.srm
    seen = ", ".join(f"{name} {count}" for name, count in srm.observed.items())
    wanted = ", ".join(f"{name} {count:.0f}" for name, count in srm.expected.items())
    told = f"Cannot say: members are split {seen} where the shares say {wanted} (p {srm.p:.2g}); "
    return Verdict("cannot_say", "srm", "", f"{told}find out where members are lost.")


def _cannot_say(arm: str, judged: Untold) -> Verdict:
    reason: VerdictReason = "no_members"
    if judged.reason in ("too_few_members", "nothing_varies"):
        reason = judged.reason
    return Verdict("cannot_say", reason, arm, f"Cannot say: {judged.told}.")


def _better(contrast: Contrast, told: str, ground: Ground) -> Verdict:
    arm = contrast.arm
    unsure = [one for one in contrast.guardrails if one.state == "open"]
    if not unsure:
        held = "; every guardrail holds" if contrast.guardrails else ""
        return Verdict("promote", "better", arm, f"Promote {arm}: {told}{held}.")
    one = unsure[0]
    more = (
        f"{arm} {told}, but {one.metric} may be up by {100 * one.harm.high:.2f} percentage points"
    )
    allowed = f"{more} where {100 * one.most:.2f} is allowed"
    return _open(arm, allowed, "guardrail_open", ground)


def _open(arm: str, told: str, reason: VerdictReason, ground: Ground) -> Verdict:
    look = ground.look
    if look.last:
        return Verdict("inconclusive", reason, arm, f"Inconclusive: {told}.")
    guardrail = reason == "guardrail_open"
    if ground.analysis.sequential == "always":
        return Verdict("wait", reason if guardrail else "always_on", arm, f"Wait: {told} yet.")
    told = f"Wait: {told} (look {look.number} of {look.of}, the next on {_day(look)})."
    return Verdict("wait", reason if guardrail else "more_looks", arm, told)


def _between(arm: str, look: Look) -> Verdict:
    if look.last:
        return Verdict("inconclusive", "not_told_apart", arm, "Inconclusive: stopped at its start.")
    if look.number == 0:
        told = f"Wait: the first of {look.of} planned looks is on {_day(look)}."
        return Verdict("wait", "before_first_look", arm, told)
    told = f"Wait: between looks {look.number} and {look.number + 1} of {look.of}; "
    return Verdict("wait", "between_looks", arm, f"{told}the next is on {_day(look)}.")


def _day(look: Look) -> str:
    return f"{look.next_at:%Y-%m-%d %H:%M} UTC"


def _told(lift: Lift, decided: Decided, control: str, cap: float | None) -> str:
    found = decided.interval
    ends = found.value, found.low, found.high
    if lift.metric == "converted":
        value, low, high = (f"{100 * one:+.2f}" for one in ends)
        told = f"{value} percentage points converted against {control} ({low} to {high}"
    else:
        value, low, high = (f"{one:+.4g}" for one in ends)
        told = f"{value} {lift.metric} per member against {control} ({low} to {high}"
    told += ", adjusted for what they did before" if lift.adjusted else ""
    return told + (")" if cap is None else f", at most {cap:g} of each member)")


def _broken(arm: str, control: str, found: Guarded) -> str:
    return (
        f"Stop {arm}: {found.metric} {found.arm:.2%} of its members against {found.control:.2%} in "
        f"{control}, at least {100 * found.harm.low:.2f} percentage points more where "
        f"{100 * found.most:.2f} is allowed."
    )
