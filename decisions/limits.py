"""What a push may send and must send: pairs to choose from, limits, and what a limit costs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from decisions.errors import DecisionError

BUDGET, RETURN, AUDIENCE, GROUPS = 0, 1, 2, 3


@dataclass(frozen=True, eq=False)
class Pairs:
    """What each of n members could get: k slots each, of m options in all.

    gain: (n, k) float32 or float64, expected gain of the contact; -inf where it is not allowed. A
        pair that loses is chosen only where a floor asks for it.
    cost: (n, k) of the same type, what the contact takes from the budget, 0 or more. float32 halves
        the memory of a large audience; limits then hold for the rounded costs.
    options: m.
    option: (n, k) which option stands in each slot; None where slot j is option j and k is m.
    """

    gain: NDArray[np.floating]
    cost: NDArray[np.floating]
    options: int
    option: NDArray[np.integer] | None = None

    def __post_init__(self) -> None:
        shape = self.gain.shape
        if len(shape) != 2 or self.cost.shape != shape:
            raise DecisionError(f"gain is {shape}, cost {self.cost.shape}, wanted two alike (n, k)")
        if self.option is None and shape[1] != self.options:
            raise DecisionError(f"gain has {shape[1]} slots, wanted one for each of {self.options}")
        if self.option is not None and self.option.shape != shape:
            raise DecisionError(f"option is {self.option.shape}, wanted {shape} as gain")
        if self.gain.dtype != self.cost.dtype or self.gain.dtype not in (np.float32, np.float64):
            found = f"{self.gain.dtype} and {self.cost.dtype}"
            raise DecisionError(f"gain and cost are {found}, wanted both float32, or float64")
        self._check_numbers()

    def _check_numbers(self) -> None:
        if not self.gain.size:
            return
        # One pass each, no copies: a NaN makes both extremes NaN.
        if not self.gain.max() < np.inf:
            raise DecisionError("gain is NaN or inf for a pair, wanted a number, or -inf for never")
        if not (self.cost.min() >= 0 and self.cost.max() < np.inf):
            raise DecisionError("cost is NaN, inf or below 0 for a pair, wanted 0 or more")
        if (
            self.option is not None
            and not 0 <= self.option.min() <= self.option.max() < self.options
        ):
            raise DecisionError(f"option names no option, wanted 0 to {self.options - 1}")

    def __len__(self) -> int:
        return len(self.gain)

    @property
    def slots(self) -> int:
        return int(self.gain.shape[1])

    def take(self, members: NDArray[np.int64]) -> Pairs:
        option = None if self.option is None else self.option[members]
        return Pairs(self.gain[members], self.cost[members], self.options, option)

    def options_of(self, rows: slice | NDArray[np.int64]) -> NDArray[np.integer]:
        """Option of each slot of some members; (1, k) where it is the same for all."""
        if self.option is None:
            return np.arange(self.options)[None]
        return self.option[rows]


@dataclass(frozen=True, eq=False)
class Group:
    """Contacts that carry one of some ``options`` (m,) mask: at least and at most so many."""

    name: str
    options: NDArray[np.bool_]
    least: float = 0.0
    most: float = np.inf


@dataclass(frozen=True, eq=False)
class Segment:
    """Members, (n,) mask, of whom at least and at most so many are contacted."""

    name: str
    members: NDArray[np.bool_]
    least: float = 0.0
    most: float = np.inf


@dataclass(frozen=True, eq=False)
class Limits:
    """The limits of a push. inf, and 0 for a floor, mean none.

    budget: most that the chosen pairs may cost, as a float64 sum up to its own noise (1e-12).
    least_return: R, gain per unit of cost over all that is sent; 0 means no limit. The sum of
        ``gain − R cost`` over the chosen pairs must be at least ``−return_credit``.
    return_credit: the same sum over what was decided elsewhere.
    audience_least, audience_most: members contacted.
    per_member: most contacts of one member, each of another option.
    """

    budget: float = np.inf
    least_return: float = 0.0
    return_credit: float = 0.0
    audience_least: float = 0.0
    audience_most: float = np.inf
    groups: tuple[Group, ...] = ()
    segments: tuple[Segment, ...] = ()
    per_member: int = 1

    def __post_init__(self) -> None:
        if self.per_member < 1:
            raise DecisionError(f"per_member is {self.per_member}, wanted 1 or more")
        for name, limit in (("budget", self.budget), ("least_return", self.least_return)):
            if not limit >= 0:
                raise DecisionError(f"{name} is {limit}, wanted 0 or more")
        if not (np.isfinite(self.return_credit) and np.isfinite(self.least_return)):
            raise DecisionError("least_return and return_credit must be finite")
        for name, least, most in (
            ("the audience", self.audience_least, self.audience_most),
            *((part.name, part.least, part.most) for part in self.parts),
        ):
            if not 0 <= least < np.inf:
                raise DecisionError(f"floor of {name} is {least}, wanted 0 or more, and finite")
            if not most >= least:
                raise DecisionError(f"cap of {name} is {most}, wanted its floor {least} or more")

    @property
    def parts(self) -> tuple[Group | Segment, ...]:
        """Groups, then segments."""
        return (*self.groups, *self.segments)

    def check(self, pairs: Pairs) -> None:
        """Raises DecisionError where a mask does not fit the pairs, or an option stands twice."""
        for group in self.groups:
            if group.options.shape != (pairs.options,):
                found = group.options.shape
                raise DecisionError(
                    f"options of {group.name} are {found}, wanted ({pairs.options},)"
                )
        for segment in self.segments:
            if segment.members.shape != (len(pairs),):
                found = segment.members.shape
                raise DecisionError(f"members of {segment.name} are {found}, wanted {len(pairs)}")
        if self.per_member > 1 and pairs.option is not None:
            allowed = np.where(np.isfinite(pairs.gain), pairs.option, -1 - np.arange(pairs.slots))
            if not np.diff(np.sort(allowed, axis=1), axis=1).all():
                raise DecisionError("an option stands in two slots of a member, wanted one at most")

    @cached_property
    def least(self) -> NDArray[np.float64]:
        """(rows,) floors: budget, return, audience, groups, segments; -inf where none."""
        counts = [self.audience_least, *(part.least for part in self.parts)]
        credit = -self.return_credit if self.least_return > 0 else -np.inf
        # Contacts are whole: a floor of 2.5 asks for 3.
        floors = (np.ceil(count) if count > 0 else -np.inf for count in counts)
        return np.array([-np.inf, credit, *floors])

    @cached_property
    def most(self) -> NDArray[np.float64]:
        """(rows,) caps in the order of ``least``; inf where none."""
        counts = [self.audience_most, *(part.most for part in self.parts)]
        return np.array([self.budget, np.inf, *np.floor(counts)])

    def in_group(self, options: int) -> NDArray[np.float64]:
        """(m, groups) whether an option counts in a group."""
        masks = np.array([group.options for group in self.groups], dtype=np.float64)
        return masks.reshape(len(self.groups), options).T

    @property
    def by_segment(self) -> slice:
        return slice(GROUPS + len(self.groups), None)

    def of_members(self, members: NDArray[np.int64]) -> Limits:
        """The same limits with the segments' masks cut to ``members``."""
        segments = tuple(
            Segment(part.name, part.members[members], part.least, part.most)
            for part in self.segments
        )
        return Limits(
            self.budget, self.least_return, self.return_credit, self.audience_least,
            self.audience_most, self.groups, segments, self.per_member,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class ShadowPrices:
    """What one more unit of each limit would gain.

    budget: λ, 0 or more. least_return: ρ, 0 or more, per unit of ``gain − R cost``.
    audience, groups, segments: per contact; the cap's price less the floor's, so below 0 where a
    floor forces contacts that cost more than they gain.
    """

    budget: float
    least_return: float
    audience: float
    groups: NDArray[np.float64]
    segments: NDArray[np.float64]

    @classmethod
    def of_rows(cls, rows: NDArray[np.float64], limits: Limits) -> ShadowPrices:
        """From signed prices in the order of ``Limits.least``."""
        groups = rows[GROUPS : limits.by_segment.start]
        return cls(
            float(rows[BUDGET]), -float(rows[RETURN]) + 0.0, float(rows[AUDIENCE]), groups,
            rows[limits.by_segment],
        )  # fmt: skip

    def rows(self) -> NDArray[np.float64]:
        own = [self.budget, -self.least_return, self.audience]
        return np.concatenate([own, self.groups, self.segments])

    def of_options(self, groups: tuple[Group, ...], options: int) -> NDArray[np.float64]:
        """(m,) what a contact pays for its option: the prices of the option's groups."""
        charge = np.zeros(options)
        for group, price in zip(groups, self.groups.tolist(), strict=True):
            charge[group.options] += price
        return charge

    def of_members(
        self, segments: tuple[Segment, ...], rows: slice | NDArray[np.int64]
    ) -> NDArray[np.float64] | float:
        """What contacting a member costs besides the pair: audience and the member's segments."""
        charge: NDArray[np.float64] | float = self.audience
        for segment, price in zip(segments, self.segments.tolist(), strict=True):
            if price:
                charge = charge + price * segment.members[rows]
        return charge


def surplus(
    gain: NDArray[np.floating],
    cost: NDArray[np.floating],
    option_charge: NDArray[np.float64],
    prices: ShadowPrices,
    least_return: float,
    worth: float = 1.0,
) -> NDArray[np.float64]:
    """What each pair gains beyond the limits that it uses; in float64, pair by pair.

    ``(1 + ρ) gain − (λ + ρ R) cost − charge of the option``. A member takes the best pairs above 0
    if together they exceed the member's own charge (``ShadowPrices.of_members``).

    Args:
        gain, cost: (n, k), float32 as the allocation saw them if both shall agree to the bit.
        option_charge: broadcasts to (n, k), from ``ShadowPrices.of_options``.
        least_return: R of the limits.
        worth: weight of the gain itself; 0 asks what can be sent at all, whatever it gains.
    """
    rho = prices.least_return
    left: NDArray[np.float64] = gain.astype(np.float64)
    # Never 0: a pair that is not allowed stays at -inf.
    left *= max(worth + rho, 1e-30)
    left -= (prices.budget + rho * least_return) * cost
    left -= option_charge
    return left
