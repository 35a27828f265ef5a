"""What a model has to pass before it may serve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from training.comparison import Comparison


@dataclass(frozen=True, slots=True)
class Check:
    """One gate. name: what was asked. found: what was seen, in words."""

    name: str
    passed: bool
    found: str


def gate_checks(
    comparisons: Sequence[Comparison], own: Sequence[Check] = (), not_compared: str = ""
) -> tuple[Check, ...]:
    """Every gate of one model, in the order in which they are told.

    Args:
        comparisons: figures on the later period; the first one decides.
        own: gates of the trainer's, such as ``at_most("calibration error", …)``.
        not_compared: why the champion could not be measured on the same rows; empty where it was,
            or where there is none.
    """
    first = comparisons[0]
    checks = [_finite(comparisons), _beats_baselines(first), *own]
    if first.champion is not None or not_compared:
        checks.append(_holds_against_champion(first, not_compared))
    return tuple(checks)


def at_most(name: str, value: float, bound: float) -> Check:
    """A figure that may not go above ``bound``; one that is not a number does not pass."""
    return Check(f"{name} at most {bound:g}", value <= bound, f"{value:.4g}")


def at_least(name: str, value: float, bound: float) -> Check:
    """A figure that may not go below ``bound``; one that is not a number does not pass."""
    return Check(f"{name} at least {bound:g}", value >= bound, f"{value:.4g}")


def _finite(comparisons: Sequence[Comparison]) -> Check:
    broken = [one.metric for one in comparisons if not math.isfinite(one.ours)]
    found = (
        f"{', '.join(broken)} could not be computed" if broken else f"{len(comparisons)} figures"
    )
    return Check("every figure is a finite number", not broken, found)


def _beats_baselines(first: Comparison) -> Check:
    others = ", ".join(f"{name} {value:.4g}" for name, value in first.baselines.items())
    found = f"{first.metric} {first.ours:.4g}" + (f" beside {others}" if others else "")
    held = set(first.allowed) & set(first.baselines)
    name = "no worse than" if held == set(first.baselines) and held else "better than"
    return Check(f"{name} the plain baselines", first.beaten and math.isfinite(first.ours), found)


def _holds_against_champion(first: Comparison, not_compared: str) -> Check:
    """Not below the champion by more than one standard error of the difference."""
    name = "not below the champion by more than one standard error"
    if first.champion is None:
        return Check(name, False, not_compared)
    error = first.error or 0.0
    found = f"{first.metric} {first.ours:.4g}, champion {first.champion:.4g}, error {error:.2g}"
    return Check(name, first.no_worse_than(first.champion, error), found)
