"""The decision itself: which offer, if any, for each member of one push."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Offer, Option, Push
from decisions.contacts import Contacts
from decisions.eligibility import Eligibility, eligibility
from decisions.errors import DecisionError
from decisions.exploration import NO_SEND, Draw, draw, probability_of, share_of
from decisions.gain import Channels, Estimator, Gain, gain
from decisions.members import Members
from decisions.policy import Policy, Prices
from decisions.pricing import best_options, member_prices
from decisions.reasons import (
    BUDGET_SPENT,
    CODE,
    EXPLORED,
    HOLDOUT,
    NO_POSITIVE_GAIN,
    words,
)
from decisions.send_time import ActiveHours

BLOCK = 16_384  # members at a time: bounds the memory of what is only on the way
Progress = Callable[[int, int], None]


def unseen(done: int, total: int) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: who of ``members`` gets which of ``offers`` in ``push``?

    offers: the push's candidates, in its order.
    prices: of the push's constraints; zero prices ask for the best offer whatever it costs.
    suppressed: members who must not be contacted, whatever else holds.
    contacts: what the members were sent before; row numbers are those of ``members``.
    hours: when members are active, for a push that goes out over hours.
    options: (m,) every offer by every channel of the push, the first channel's first.
    """

    push: Push
    offers: tuple[Offer, ...]
    members: Members
    policy: Policy
    prices: Prices
    suppressed: frozenset[str]
    contacts: Contacts = field(default_factory=Contacts.none)
    hours: ActiveHours | None = None
    options: tuple[Option, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        given = tuple(offer.offer_id for offer in self.offers)
        if given != self.push.offer_ids:
            missing = sorted(set(self.push.offer_ids) - set(given))
            raise DecisionError(
                f"push {self.push.push_id!r} wants the offers {', '.join(self.push.offer_ids)}; "
                f"not in the catalogue: {', '.join(missing) or 'none, but the order differs'}"
            )

        options = tuple(
            Option(offer, channel) for channel in self.push.all_channels for offer in self.offers
        )
        object.__setattr__(self, "options", options)

    def block(self, start: int, stop: int) -> Ask:
        """The same about the members in rows ``start`` to ``stop``."""
        members, contacts = self.members.block(start, stop), self.contacts.block(start, stop)
        return replace(self, members=members, contacts=contacts)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Everything a choice is made from; (n, m) for n members and m options."""

    eligibility: Eligibility
    worth: Gain

    @property
    def gain(self) -> NDArray[np.float32]:
        return self.worth.gain

    @property
    def cost(self) -> NDArray[np.float32]:
        return self.worth.cost

    def take(self, rows: NDArray[np.int64]) -> Candidates:
        """Those of the members in ``rows``."""
        taken: Candidates = _taken(self, rows)
        return taken


@dataclass(frozen=True, slots=True)
class Decisions:
    """One answer a member, in the order asked; arrays of length n unless said.

    options: what could be sent, in the order of the numbers below.
    option: (n, k) positions of what is sent, best first, ``NO_SEND`` where nothing is; k is 1
        unless the push allows a member more.
    probability: with which this choice was made, given the candidates and before anything was
        drawn: holdout and exploration are in it.
    explored: whether the choice was drawn at random among what was allowed.
    code: why nothing is sent (``decisions.reasons``), 0 when something is.
    shown: position of the first option sent, else of the best allowed one, -1 where none is: what
        the estimates are of. p_if_sent, p_if_not, uplift are NaN where none is.
    expected_gain, expected_cost: of everything sent to the member, else of the one shown.
    send_at: seconds since 1970, UTC, from when on it may go out. hour_drawn: by a random draw.
    """

    options: tuple[Option, ...]
    option: NDArray[np.int64]
    probability: NDArray[np.float64]
    explored: NDArray[np.bool_]
    code: NDArray[np.uint8]
    shown: NDArray[np.int64]
    p_if_not: NDArray[np.float64]
    uplift: NDArray[np.float64]
    expected_gain: NDArray[np.float64]
    expected_cost: NDArray[np.float64]
    grades: tuple[str, ...]
    send_at: NDArray[np.int64]
    hour_drawn: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.option)

    @property
    def sent(self) -> NDArray[np.bool_]:
        return np.asarray(self.option[:, 0] != NO_SEND)

    @property
    def offer(self) -> NDArray[np.int64]:
        """(n,) position of the first offer sent among the push's, ``NO_SEND`` for none."""
        offers = len({option.offer.offer_id for option in self.options})
        first = self.option[:, 0]
        return np.where(first == NO_SEND, NO_SEND, first % max(offers, 1))

    @property
    def p_if_sent(self) -> NDArray[np.float64]:
        return np.clip(self.p_if_not + self.uplift, 0.0, 1.0)

    @property
    def reason(self) -> tuple[str, ...]:
        """Why nothing is sent, empty when something is."""
        return words(self.code)

    @property
    def evidence(self) -> tuple[str, ...]:
        """What each one's estimates rest on, empty where nothing is allowed."""
        return tuple(self.grades[at] if at >= 0 else "" for at in self.shown.tolist())


def decide(ask: Ask, estimator: Estimator) -> Decisions:
    """Choose ``argmax_j gain_ij − λ cost_ij − μ_j − ν``, or nobody if that is not above zero.

    The same ask gives the same answer: random draws are hashes of push, member and salt.

    Raises:
        RuleError: a rule of the push or of an offer cannot be evaluated.
    """
    candidates = candidates_of(ask, estimator)
    best = best_options(ask, candidates, member_prices(ask))
    return explore(ask, candidates, best, draw(ask, candidates))


def candidates_of(ask: Ask, estimator: Estimator, progress: Progress = unseen) -> Candidates:
    """Eligibility, gain and cost of every pair, worked out for a block of members at a time."""
    channels = Channels(
        ask.policy.channel_costs,
        {channel: estimator.channel_factor(channel) for channel in ask.push.all_channels},
    )
    n = len(ask.members)
    if n <= BLOCK:
        return _of_block(ask, estimator, channels)
    whole: Candidates | None = None
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        part = _of_block(ask.block(start, stop), estimator, channels)
        whole = whole or _room(part, n)
        _put(part, whole, slice(start, stop))
        progress(stop, n)
    assert whole is not None  # noqa: S101 - n is above BLOCK, so there was a block
    return whole


def _of_block(ask: Ask, estimator: Estimator, channels: Channels) -> Candidates:
    found = eligibility(ask)
    estimates = estimator.estimate(ask.members.values, ask.members.encoding.names, ask.offers)
    return Candidates(found, gain(ask.push, ask.options, estimates, channels))


def _room(part: Any, n: int) -> Any:
    """Something like ``part`` with room for ``n`` members in each of its arrays."""
    if isinstance(part, np.ndarray):
        return np.empty((n, *part.shape[1:]), dtype=part.dtype)
    if is_dataclass(part) and not isinstance(part, type):
        return type(part)(**{one.name: _room(getattr(part, one.name), n) for one in fields(part)})
    return part


def _put(part: Any, whole: Any, rows: slice) -> None:
    """Write the arrays of ``part`` into ``rows`` of those of ``whole``."""
    for one in fields(whole):
        of_part, of_whole = getattr(part, one.name), getattr(whole, one.name)
        if isinstance(of_whole, np.ndarray):
            of_whole[rows] = of_part
        elif is_dataclass(of_whole):
            _put(of_part, of_whole, rows)


def _taken(whole: Any, rows: NDArray[np.int64]) -> Any:
    """``whole`` with each of its arrays cut to ``rows``."""
    if isinstance(whole, np.ndarray):
        return whole[rows]
    if is_dataclass(whole) and not isinstance(whole, type):
        parts = {one.name: _taken(getattr(whole, one.name), rows) for one in fields(whole)}
        return type(whole)(**parts)
    return whole


def taken(candidates: Candidates, best: NDArray[np.int64], drawn: Draw) -> NDArray[np.int64]:
    """``best`` (n, k) with what was drawn in its place, and nothing for those held out."""
    option = best.copy()
    option[drawn.explored] = NO_SEND
    option[drawn.explored, 0] = drawn.option[drawn.explored]
    option[candidates.eligibility.held] = NO_SEND
    return option


def explore(ask: Ask, candidates: Candidates, best: NDArray[np.int64], drawn: Draw) -> Decisions:
    """Replace a share of ``best`` (n, k) by what was drawn, and nothing for those held out; and
    say with what probability each choice was made."""
    option = taken(candidates, best, drawn)
    probability = chance_of(ask, candidates, best, option)
    return _answers(ask, candidates, option, probability, drawn.explored)


def chance_of(
    ask: Ask, candidates: Candidates, best: NDArray[np.int64], option: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(n,) with what probability each member gets ``option`` (n, k), before anything is drawn.

    Args:
        best: (n, k) what is chosen where nothing is drawn or held out.
    """
    share = share_of(ask)
    # A draw gives one option or none: of two on purpose it is no part.
    single = (option[:, 1:] == NO_SEND).all(axis=1)
    by_chance = share * np.where(single, probability_of(ask, candidates, option[:, 0]), 0.0)
    chosen = by_chance + np.where((option == best).all(axis=1), 1 - share, 0.0)
    # No send may come from the holdout or from the choice; a send only from the choice.
    holdout = 1 - (1 - ask.policy.global_holdout) * (1 - ask.push.holdout)
    nothing = option[:, 0] == NO_SEND
    probability = np.where(nothing, holdout, 0.0) + (1 - holdout) * chosen
    barred = candidates.eligibility.reason != 0
    return np.where(barred, nothing.astype(np.float64), probability)


def _answers(
    ask: Ask,
    candidates: Candidates,
    option: NDArray[np.int64],
    probability: NDArray[np.float64],
    explored: NDArray[np.bool_],
) -> Decisions:
    found, worth = candidates.eligibility, candidates.worth
    rows, first = np.arange(len(option)), option[:, 0]
    shown = np.where(first != NO_SEND, first, _best_allowed(candidates))

    def of_shown(pairs: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.where(shown >= 0, pairs[rows, shown].astype(np.float64), np.nan)

    def of_all(pairs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Of everything sent, else of what is shown."""
        total = of_shown(pairs)
        for column in option.T[1:]:
            total += np.where(column >= 0, pairs[rows, column].astype(np.float64), 0.0)
        return total

    return Decisions(
        options=ask.options,
        option=option,
        probability=probability,
        explored=explored,
        code=_codes(candidates, first, explored),
        shown=shown,
        p_if_not=np.where(shown >= 0, worth.p_if_not.astype(np.float64), np.nan),
        uplift=of_shown(worth.uplift),
        expected_gain=of_all(worth.gain),
        expected_cost=of_all(worth.cost),
        grades=worth.evidence,
        send_at=found.times.at,
        hour_drawn=found.times.drawn,
    )


def _best_allowed(candidates: Candidates) -> NDArray[np.int64]:
    allowed = candidates.eligibility.allowed
    best = np.where(allowed, candidates.gain, -np.inf).argmax(axis=1)
    return np.where(candidates.eligibility.reason == 0, best, NO_SEND)


def _codes(
    candidates: Candidates, first: NDArray[np.int64], explored: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Why nothing is sent to each member; 0 for one to whom something is."""
    found = candidates.eligibility
    pays = (found.allowed & (candidates.gain > 0)).any(axis=1)
    code = found.reason.copy()
    for mask, why in (
        (found.held, HOLDOUT),
        (explored, EXPLORED),
        (pays, BUDGET_SPENT),
        (~pays, NO_POSITIVE_GAIN),
    ):
        code[mask & (code == 0) & (first == NO_SEND)] = CODE[why]
    return code
