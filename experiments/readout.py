"""The readout of an experiment: from moments of its members to figures, checks and a verdict.

The order is fixed: first whether members are split as the shares say (a failed split stops the
verdict), then guardrails, then the deciding metric. docs/experiments.md says it in words.

Source: Kohavi, Tang and Xu, Trustworthy Online Controlled Experiments, 2020.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from experiments import figures
from experiments.cells import Cells
from experiments.contrast import LEAST_MEMBERS, Lift, Untold, lift, sides
from experiments.cuped import adjusted_lift, explained
from experiments.deciding import Rule, anytime, decided
from experiments.design import Analysis, Experiment
from experiments.errors import ExperimentError
from experiments.figures import Both
from experiments.findings import Contrast, Decided, Guarded, Readout
from experiments.guardrails import guarded
from experiments.looks import Look
from experiments.past import Past, shrunk
from experiments.segments import segment_lifts, varies
from experiments.srm import sample_ratio
from experiments.verdict import Ground, arm_verdict, overall

PLANNED = 10_000  # members of two arms at which the confidence sequence is tightest
Role = Literal["candidate", "told"]


def readout(
    experiment: Experiment,
    cells: Cells,
    look: Look,
    *,
    planned: float = PLANNED,
    past: Past | None = None,
) -> Readout:
    """What ``experiment`` shows in ``cells``, at ``look`` (``experiments.looks.look_at``).

    Args:
        planned: members of two arms, declared before the start, at which the confidence sequence
            is tightest; it holds whatever it is.
        past: lifts of earlier experiments, to which an arm's lift is drawn; none by default.

    Raises:
        ExperimentError: shares of other arms than the experiment's, or a shadow experiment: its
            arms have no members of their own.
    """
    _check(experiment, cells)
    analysis = experiment.analysis
    watched = analysis.sequential == "always" or not look.due
    srm = sample_ratio(cells, watched=watched)
    ground = Ground(analysis, experiment.control, look, srm)
    contrasts = [_contrast(cells, analysis, *pair) for pair in _pairs(experiment)]
    contrasts = _judged(contrasts, cells, ground, planned)
    if past is not None:
        contrasts = [_drawn(one, past, analysis.alpha) for one in contrasts]
    return Readout(
        experiment_id=experiment.experiment_id,
        as_of=cells.as_of,
        control=experiment.control,
        metric=analysis.metric,
        cap=analysis.cap,
        level=1 - analysis.alpha,
        lift=analysis.lift,
        sequential=analysis.sequential,
        correction=analysis.correction,
        look=look,
        exposure=cells.exposure,
        srm=srm,
        arms=tuple(figures.totals(experiment, cells, arm.name) for arm in experiment.arms),
        contrasts=tuple(contrasts),
        verdict=overall(contrasts),
        warnings=_warnings(cells),
    )


def _check(experiment: Experiment, cells: Cells) -> None:
    if experiment.mode == "shadow":
        raise ExperimentError(
            f"experiment {experiment.experiment_id!r} is a shadow: its arms have no members of "
            "their own to compare"
        )
    names = {arm.name for arm in experiment.arms}
    for shares in cells.shares:
        if shares.keys() != names:
            raise ExperimentError(
                f"shares are of {', '.join(sorted(shares))}, wanted {', '.join(sorted(names))}"
            )


def candidates(experiment: Experiment) -> tuple[str, ...]:
    """Arms with a verdict: no random or holdout arm, unless there is nothing else."""
    others = [arm for arm in experiment.arms if arm.name != experiment.control]
    wanted = [arm.name for arm in others if arm.kind not in ("random", "holdout")]
    wanted = wanted or [arm.name for arm in others if arm.kind == "random"]
    return tuple(wanted or (arm.name for arm in others))


def _pairs(experiment: Experiment) -> list[tuple[str, str, Role]]:
    """Every arm against the control, then all against the holdout where that is another."""
    others = [arm for arm in experiment.arms if arm.name != experiment.control]
    wanted = candidates(experiment)
    pairs: list[tuple[str, str, Role]] = [
        (arm.name, experiment.control, "candidate" if arm.name in wanted else "told")
        for arm in others
        if arm.kind != "holdout" or arm.name in wanted
    ]
    for holdout in experiment.arms:
        if holdout.kind == "holdout" and holdout.name != experiment.control:
            pairs += [
                (arm.name, holdout.name, "told") for arm in experiment.arms if arm.kind != "holdout"
            ]
    return pairs


def _contrast(cells: Cells, analysis: Analysis, arm: str, control: str, role: Role) -> Contrast:
    """All but what decides: that needs every arm."""
    both = sides(cells.of(arm), cells.of(control))
    members = cells.total(arm).count
    plain, primary = _primary(both, analysis)
    segments = segment_lifts(cells, (arm, control), analysis)
    return Contrast(
        arm=arm,
        control=control,
        role=role,
        members=members,
        control_members=cells.total(control).count,
        primary=primary,
        plain=plain,
        uncapped=_uncapped(both, analysis),
        explained=explained(plain, primary),
        anytime=Untold("too_few_members", f"wanted {LEAST_MEMBERS} members in each arm"),
        decided=None,
        guardrails=(),
        incremental=figures.incremental(both, members, analysis),
        metrics=figures.metrics(both, analysis),
        ratios=figures.ratios(both, analysis),
        segments=segments,
        varies=varies(segments, analysis),
        shrunk=None,
        verdict=None,
    )


def _primary(both: Both, analysis: Analysis) -> tuple[Lift | Untold, Lift | Untold]:
    """The deciding metric, plain and adjusted."""
    if isinstance(both, Untold):
        return both, both
    bare = replace(analysis, before_days=0.0)
    return adjusted_lift("judged", *both, bare), adjusted_lift("judged", *both, analysis)


def _uncapped(both: Both, analysis: Analysis) -> Lift | Untold | None:
    if analysis.cap is None or isinstance(both, Untold):
        return None
    return lift(analysis.metric, *both, analysis.alpha)


@dataclass(frozen=True, slots=True)
class _Basis:
    """What an arm is judged by. members: of both arms."""

    both: Both
    lift: Lift | Untold
    members: int


def _settled(cells: Cells, contrast: Contrast, analysis: Analysis) -> _Basis:
    """Members whose window has passed: only they are all alike, whenever one looks."""
    arms = [cells.of(name, lambda c: c.complete) for name in (contrast.arm, contrast.control)]
    counts = [sum(one.count for one in arm.values()) for arm in arms]
    both: Both = sides(arms[0], arms[1])
    if min(counts) < LEAST_MEMBERS:
        told = f"{counts[0]} and {counts[1]} members have had their whole window"
        both = Untold("too_few_members", f"{told}, wanted {LEAST_MEMBERS} in each arm")
    return _Basis(both, _primary(both, analysis)[1], sum(counts))


def _at_look(cells: Cells, contrast: Contrast) -> _Basis:
    """All members so far."""
    members = contrast.members, contrast.control_members
    both: Both = sides(cells.of(contrast.arm), cells.of(contrast.control))
    if min(members) < LEAST_MEMBERS:
        told = f"{contrast.arm} has {members[0]} members and {contrast.control} {members[1]}"
        few = Untold("too_few_members", f"{told}, wanted {LEAST_MEMBERS} in each")
        return _Basis(few, few, sum(members))
    return _Basis(both, contrast.primary, sum(members))


def _judged(
    contrasts: list[Contrast], cells: Cells, ground: Ground, planned: float
) -> list[Contrast]:
    """With the confidence sequence; candidates with guardrails, decision and verdict."""
    analysis, found = ground.analysis, []
    whenever = Rule("always", (), planned)
    rule = Rule("group", ground.look.fractions, planned) if ground.by_look else whenever
    bases: dict[str, _Basis] = {}
    for one in contrasts:
        basis = _settled(cells, one, analysis)
        if isinstance(basis.lift, Lift):
            interval = anytime(basis.lift, basis.members, planned, analysis.alpha)
            found.append(replace(one, anytime=interval))
        else:
            found.append(replace(one, anytime=basis.lift))
        if one.role == "candidate":
            bases[one.arm] = _at_look(cells, one) if ground.by_look else basis
    decisions = _decisions(bases, rule, analysis) if ground.decides else {}
    return [
        _with_verdict(one, bases[one.arm], rule, decisions.get(one.arm), ground)
        if one.role == "candidate"
        else one
        for one in found
    ]


def _decisions(bases: dict[str, _Basis], rule: Rule, analysis: Analysis) -> dict[str, Decided]:
    told = {
        arm: (basis.lift, basis.members)
        for arm, basis in bases.items()
        if isinstance(basis.lift, Lift)
    }
    made = decided(list(told.values()), analysis.alpha, rule, analysis.correction)
    return dict(zip(told, made, strict=True))


def _with_verdict(
    contrast: Contrast, basis: _Basis, rule: Rule, decision: Decided | None, ground: Ground
) -> Contrast:
    rules = ground.analysis.guardrails
    guards: tuple[Guarded, ...] = ()
    if not isinstance(basis.both, Untold):
        bound = rule.bound(ground.analysis.alpha, basis.members)
        guards = tuple(guarded(one, *basis.both, bound) for one in rules)
    known = replace(contrast, decided=decision, guardrails=guards)
    judged: tuple[Lift, Decided] | Untold = Untold("between_looks", "it is no planned look")
    if isinstance(basis.lift, Untold):
        judged = basis.lift
    elif decision is not None:
        judged = basis.lift, decision
    return replace(known, verdict=arm_verdict(known, judged, ground))


def _drawn(contrast: Contrast, past: Past, alpha: float) -> Contrast:
    if isinstance(contrast.primary, Untold):
        return contrast
    return replace(contrast, shrunk=shrunk(contrast.primary, past, alpha))


def _warnings(cells: Cells) -> tuple[str, ...]:
    found = []
    if cells.exposure.crossed:
        found.append(
            f"{cells.exposure.crossed} members have decisions in two arms; they count in the first"
        )
    if cells.exposure.unheard:
        found.append(
            f"of {cells.exposure.unheard} members sent nothing no conversion was reported, of "
            "others many: report everybody's, or nobody's, so that purchases count"
        )
    return tuple(found)
