"""Lifts within lifecycle stages, value tiers and other segments, and whether they differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from experiments.cells import Cell, Cells
from experiments.contrast import LEAST_MEMBERS, Lift, Untold, sides
from experiments.cuped import adjusted_lift
from experiments.design import Analysis
from experiments.findings import SegmentLift, Varies
from experiments.multiple import corrected


def segment_lifts(
    cells: Cells, pair: tuple[str, str], analysis: Analysis
) -> tuple[SegmentLift, ...]:
    """Of arm and control, ``pair``: the deciding metric in each value of each segment, corrected
    over all of them. Fixed intervals: to understand the verdict by, never to decide by."""
    found = [
        _one(cells, pair, (segment, value), analysis)
        for segment in analysis.segments
        for value in sorted({cell.segment(segment) for cell in cells.cells})
    ]
    told = [place for place, one in enumerate(found) if one.p is not None]
    p = corrected([found[place].p or 0.0 for place in told], analysis.correction)
    for place, one in zip(told, p, strict=True):
        found[place] = replace(found[place], p=one, clear=one < analysis.alpha)
    return tuple(found)


def varies(lifts: Sequence[SegmentLift], analysis: Analysis) -> tuple[Varies, ...]:
    """For each segment with two values or more that are told, whether their lifts differ.

    Source: Cochran, Biometrics 10, 1954.
    """
    from scipy.special import chdtrc

    found = []
    for segment in analysis.segments:
        told = [one.lift for one in lifts if one.segment == segment and isinstance(one.lift, Lift)]
        if len(told) < 2:
            continue
        weights = [lift.error**-2 for lift in told]
        values = [lift.difference.value for lift in told]
        mean = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
        statistic = sum(w * (v - mean) ** 2 for w, v in zip(weights, values, strict=True))
        df = len(told) - 1
        found.append(Varies(segment, statistic, df, float(chdtrc(df, statistic))))
    p = corrected([one.p for one in found], analysis.correction)
    return tuple(replace(one, p=each) for one, each in zip(found, p, strict=True))


def _one(
    cells: Cells, pair: tuple[str, str], where: tuple[str, str], analysis: Analysis
) -> SegmentLift:
    inside = _inside(*where)
    arm, control = (cells.of(name, inside) for name in pair)
    counts = [sum(one.count for one in side.values()) for side in (arm, control)]
    lift: Lift | Untold
    if min(counts) < LEAST_MEMBERS:
        few = f"{counts[0]} and {counts[1]} members, wanted {LEAST_MEMBERS} in each arm"
        lift = Untold("too_few_members", few)
    else:
        both = sides(arm, control)
        lift = both if isinstance(both, Untold) else adjusted_lift("judged", *both, analysis)
    p = lift.p if isinstance(lift, Lift) else None
    return SegmentLift(*where, counts[0], counts[1], lift, p, False)


def _inside(segment: str, value: str) -> Callable[[Cell], bool]:
    return lambda cell: cell.segment(segment) == value
