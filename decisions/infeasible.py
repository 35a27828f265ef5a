"""Why a push cannot be sent within its limits: which of them conflict, and by how much."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from decisions.choice import NOBODY, best_choice, used_by
from decisions.dual import Problem, find_prices
from decisions.errors import DecisionError
from decisions.limits import AUDIENCE, BUDGET, GROUPS, RETURN, Limits
from decisions.programme import Programme, programme
from decisions.repair import by_regret, core_of

_EVERYBODY = 40_000  # pairs up to which all of them are looked at, as whole contacts
_CORE = 2_000  # members
_ROUNDS = 4
_NOTHING = 1e-6  # of a contact
_UNPRICED = 1e-9


@dataclass(frozen=True, slots=True)
class Conflict:
    """One limit of a set that cannot hold together.

    name: of the group or segment, or ``budget``, ``audience``, ``least return``.
    side: ``floor`` or ``cap``. limit: as given, for a return the sum that is asked.
    short: by how much this limit alone would have to give way, the others of the set as they are;
        for a large push at least so much.
    """

    name: str
    side: str
    limit: float
    short: float

    @property
    def mended(self) -> float:
        """Where the limit would have to stand."""
        return self.limit - self.short if self.side == "floor" else self.limit + self.short

    def __str__(self) -> str:
        if self.name == "budget":
            return f"budget {self.limit:,.2f}"
        if self.name == "least return":
            return "the least return"
        return f"{self.side} {self.limit:,.0f} of {self.name}"

    def remedy(self) -> str:
        if self.name == "budget":
            return f"raise the budget to {self.mended:,.2f}"
        if self.name == "least return":
            return f"do with {self.short:,.2f} less gain than the least return asks"
        verb = "lower" if self.side == "floor" else "raise"
        return f"{verb} the {self.side} of {self.name} to {self.mended:,.0f}"


class Infeasible(DecisionError):  # noqa: N818 - the word of the field
    """No choice holds all limits. conflicts: the limits that cannot hold together, of ``whose``."""

    def __init__(self, conflicts: tuple[Conflict, ...], whose: str = "") -> None:
        self.conflicts = conflicts
        found = ", ".join(map(str, conflicts))
        cure = "; or ".join(conflict.remedy() for conflict in conflicts)
        of = f" of {whose}" if whose else ""
        super().__init__(f"the limits{of} conflict: {found}. One of these mends it: {cure}")


def infeasibility(problem: Problem, ties: NDArray[np.float64]) -> Infeasible | None:
    """What conflicts; None where it is not proven that no choice holds the limits.

    With few pairs the proof is the integer programme. With many it is a price vector at which even
    divisible contacts miss the floors (Farkas): it is found on a core of the members, and its
    value is taken over everyone.
    """
    if problem.pairs.gain.size <= _EVERYBODY:
        wanted = programme(problem, np.isfinite(problem.pairs.gain), np.zeros(_rows(problem)))
        return Infeasible(_conflicts(wanted, problem.limits))
    phase = replace(problem, worth=0.0)
    floors = np.flatnonzero(np.isfinite(problem.limits.least))
    rows, temperature = find_prices(phase, ties)
    for _ in range(_ROUNDS):
        choice = best_choice(phase, rows, ties, temperature)
        core = core_of(phase, choice, by_regret(choice, ties, 50 * _CORE), _CORE)
        rest = choice.slot.copy()
        rest[core] = NOBODY
        part = phase.share(core)
        wanted = programme(part, np.isfinite(part.pairs.gain), used_by(phase, rest))
        rows = wanted.prices_of_shortfall(floors)
        short = -best_choice(phase, rows, ties, 0.0).bound
        if short > _NOTHING:
            return Infeasible(_priced(problem.limits, rows, short))
    return None


def _rows(problem: Problem) -> int:
    return len(problem.limits.most)


def _sides(limits: Limits) -> list[tuple[int, bool]]:
    """Every limit as (row, whether it is the cap)."""
    floors = [(int(row), False) for row in np.flatnonzero(np.isfinite(limits.least))]
    return floors + [(int(row), True) for row in np.flatnonzero(np.isfinite(limits.most))]


def _priced(limits: Limits, rows: NDArray[np.float64], short: float) -> tuple[Conflict, ...]:
    """The limits with a price in a proof: its value falls by the price for each unit given way."""
    return tuple(
        _conflict(limits, (row, cap), short / abs(float(rows[row])))
        for row, cap in _sides(limits)
        if (rows[row] > _UNPRICED if cap else rows[row] < -_UNPRICED)
    )


def _conflicts(wanted: Programme, limits: Limits) -> tuple[Conflict, ...]:
    """A smallest set of limits that cannot hold together, each with what it alone is short.

    Source: the deletion filter (Chinneck and Dravnieks, ORSA Journal on Computing 3, 1991).
    """
    kept = sides = _sides(limits)
    for side in sides:
        fewer = [other for other in kept if other != side]
        if _short(_only(wanted, fewer), fewer) > _NOTHING:
            kept = fewer
    return tuple(
        _conflict(limits, side, _short(_only(wanted, kept), [side]) * wanted.size[side[0]])
        for side in kept
    )


def _only(wanted: Programme, sides: list[tuple[int, bool]]) -> Programme:
    """The programme with no limits but ``sides``."""
    lower, upper = wanted.lower.copy(), wanted.upper.copy()
    for row in range(len(wanted.size)):
        lower[row] = lower[row] if (row, False) in sides else -np.inf
        upper[row] = upper[row] if (row, True) in sides else np.inf
    return replace(wanted, lower=lower, upper=upper)


def _short(wanted: Programme, sides: list[tuple[int, bool]]) -> float:
    """The least total by which ``sides`` give way; inf where that does not help."""
    floors = np.array([row for row, cap in sides if not cap], dtype=np.int64)
    caps = np.array([row for row, cap in sides if cap], dtype=np.int64)
    if not sides:
        return 0.0
    short = wanted.shortfall(floors, caps)
    return np.inf if short is None else short


def _conflict(limits: Limits, side: tuple[int, bool], short: float) -> Conflict:
    row, cap = side
    names = {BUDGET: "budget", RETURN: "least return", AUDIENCE: "the audience"}
    name = names[row] if row < GROUPS else limits.parts[row - GROUPS].name
    limit = float(limits.most[row] if cap else limits.least[row])
    if row not in (BUDGET, RETURN):
        short = float(np.ceil(short - _NOTHING))
    return Conflict(name, "cap" if cap else "floor", limit, short)
