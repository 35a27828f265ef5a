"""Why a member got what they got: where each option left, what it was worth, what came next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from decisions.catalogue import Option
from decisions.decide import Ask
from decisions.exploration import NO_SEND
from decisions.gain import Estimates, Estimator
from decisions.online import Considered
from decisions.pacing import UNIT, Terms
from decisions.pricing import member_prices
from decisions.reasons import BUDGET_SPENT, EXPLORED, HOLDOUT, KINDS, NO_POSITIVE_GAIN, REASONS

SENT, OUTBID = "sent", "outbid"
# In the order in which options leave.
STAGES = (*KINDS, "affordable", "measured", "worthwhile", "best", SENT)
_SURE = 1.959963984540054  # standard errors on each side of an interval of 95 %


@dataclass(frozen=True, slots=True)
class Parts:
    """What sending one option to one member is expected to change, in the unit of the gain.

    extra_conversions: with the ``channel_factor`` in it, by which the channel does more than the
        estimate says. worth: of a conversion. earned: their product.
    coupon: expected, of which ``coupon_anyway`` goes to purchases that would be made without a send
        (as large a share of the uses as those are of the purchases). redemption: what using the
        offer costs besides. contact: of the message. unsubscribing: risk × the member's value.
    gain: earned less these; where the push counts conversions, earned alone. cost: coupon,
        redemption and contact.
    """

    p_if_not: float
    extra_conversions: float
    channel_factor: float
    worth: float
    earned: float
    coupon: float
    coupon_anyway: float
    redemption: float
    contact: float
    unsubscribing: float
    gain: float
    cost: float


@dataclass(frozen=True, slots=True)
class Charges:
    """What the prices of the push's limits take off a gain. budget: price × cost. min_return: what
    the return that is asked for costs, below 0 where there is more. offer, channel, member: prices
    of one more contact with the offer, by the channel, with the member."""

    budget: float
    min_return: float
    offer: float
    channel: float
    member: float

    @property
    def total(self) -> float:
        return self.budget + self.min_return + self.offer + self.channel + self.member


@dataclass(frozen=True, slots=True)
class Weighed:
    """One option. left_at: the stage that it did not pass, ``sent`` where it was sent; reason: why,
    empty where it was. parts, charges, surplus (gain less charges): None where it was barred."""

    option: Option
    left_at: str
    reason: str
    parts: Parts | None
    charges: Charges | None

    @property
    def surplus(self) -> float | None:
        if self.parts is None or self.charges is None:
            return None
        return self.parts.gain - self.charges.total


@dataclass(frozen=True, slots=True)
class Change:
    """One change that alone would have turned the choice.

    what: ``gain`` of the option named, the ``price`` or what is ``left`` of the limit named. by:
    how much, in its unit. now: what it was. leads_to: position of the option that would then be
    chosen, ``NO_SEND`` for none.
    """

    what: str
    name: str
    by: float
    now: float
    leads_to: int


@dataclass(frozen=True, slots=True)
class Alternative:
    """What would have come next. option: position, ``NO_SEND`` for no send. short: how much surplus
    it lacked; 0 where chance alone chose otherwise. changes: smallest first; empty where no number
    would do it."""

    option: int
    short: float
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """Of the mean effect on members with such an estimate, by how past estimates kept their word;
    one member's own effect is not known."""

    low: float
    high: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """options: in the order of the ask. shown: position of the option that the estimates are of, -1
    for none. chosen: what was sent, ``NO_SEND`` for nothing. reason: why nothing was."""

    options: tuple[Weighed, ...]
    chosen: int
    shown: int
    reason: str
    explored: bool
    held_out: bool
    probability: float
    evidence: str
    interval: Interval | None
    alternative: Alternative | None


@dataclass(frozen=True, slots=True)
class Expected:
    """What the choice was made on.

    estimates: of the member and the ask's offers. factors: by channel, by how much a send does
    more there. reliability: slope and error by which such estimates came true; None: unknown.
    """

    estimates: Estimates
    factors: Mapping[str, float]
    reliability: tuple[float, float] | None

    @classmethod
    def of(cls, ask: Ask, estimator: Estimator) -> Self:
        """What ``estimator`` expects of ``ask``."""
        known, told = ask.members, estimator.reliability
        return cls(
            estimator.estimate(known.values, known.encoding.names, ask.offers),
            {channel: estimator.channel_factor(channel)[0] for channel in ask.push.all_channels},
            None if told is None else (told.slope, told.error),
        )


def explain(considered: Considered, expected: Expected, at: Terms) -> Explanation:
    """Of an ask about one member, decided on the terms ``at``."""
    made = considered.online.decisions
    options = tuple(
        _weighed(considered, expected, column) for column in range(len(considered.ask.options))
    )
    shown = int(made.shown[0])
    return Explanation(
        options=options,
        chosen=int(made.option[0, 0]),
        shown=shown,
        reason=made.reason[0],
        explored=bool(made.explored[0]),
        held_out=bool(considered.fitting.eligibility.held[0]),
        probability=float(made.probability[0]),
        evidence=made.evidence[0],
        interval=_interval(options, shown, expected.reliability),
        alternative=_alternative(considered, options, at),
    )


def _weighed(considered: Considered, expected: Expected, column: int) -> Weighed:
    option = considered.ask.options[column]
    left_at, reason = _left(considered, column)
    if left_at in KINDS:
        return Weighed(option, left_at, reason, None, None)
    parts = _parts(considered, expected, column)
    return Weighed(option, left_at, reason, parts, _charges(considered, parts, option))


def _left(considered: Considered, column: int) -> tuple[str, str]:
    """The stage that the option did not pass, and why."""
    why = REASONS[considered.candidates.eligibility.code[0, column]]
    if why:
        return next(stage for stage, reasons in KINDS.items() if why in reasons), why
    if considered.fitting.eligibility.code[0, column]:
        return "affordable", BUDGET_SPENT
    made, best = considered.online.decisions, int(considered.best[0])
    if int(made.option[0, 0]) == column:
        return SENT, ""
    if considered.fitting.eligibility.held[0]:
        return "measured", HOLDOUT
    if made.explored[0]:
        return "measured", EXPLORED
    if best != NO_SEND:
        return "best", OUTBID
    return "worthwhile", (
        BUDGET_SPENT if considered.candidates.gain[0, column] > 0 else NO_POSITIVE_GAIN
    )


def _parts(considered: Considered, expected: Expected, column: int) -> Parts:
    """As ``decisions.gain.gain`` puts them together."""
    ask, gain, estimates = considered.ask, considered.candidates.worth, expected.estimates
    option, offer = ask.options[column], column % len(ask.offers)
    p_if_not, factor = float(estimates.p_if_not[0]), expected.factors[option.channel]
    effect = (float(estimates.p_if_sent[0, offer]) - p_if_not) * factor
    used = min(max(float(estimates.p_redeem[0, offer]) * factor, 0.0), 1.0)
    coupon = used * float(estimates.coupon[0, offer])
    buying = p_if_not + max(effect, 0.0)
    contact = option.offer.contact_cost + ask.policy.channel_costs.get(option.channel, 0.0)
    worth = float(gain.worth[0])
    return Parts(
        p_if_not=p_if_not,
        extra_conversions=effect,
        channel_factor=factor,
        worth=worth,
        earned=effect * worth,
        coupon=coupon,
        coupon_anyway=coupon * (p_if_not / buying if buying > 0 else 0.0),
        redemption=used * option.offer.redemption_cost,
        contact=contact,
        unsubscribing=float(gain.fatigue[0]),
        gain=float(gain.gain[0, column]),
        cost=float(gain.cost[0, column]),
    )


def _charges(considered: Considered, parts: Parts, option: Option) -> Charges:
    """As ``decisions.limits.surplus`` takes them off."""
    ask, prices = considered.ask, considered.ask.prices
    return Charges(
        budget=prices.budget * parts.cost,
        min_return=prices.min_return * (ask.push.min_return * parts.cost - parts.gain),
        offer=prices.offers.get(option.offer.offer_id, 0.0),
        channel=prices.channels.get(option.channel, 0.0),
        member=float(member_prices(ask)[0]),
    )


def _interval(
    options: tuple[Weighed, ...], shown: int, reliability: tuple[float, float] | None
) -> Interval | None:
    parts = options[shown].parts if shown >= 0 else None
    if parts is None or reliability is None:
        return None
    slope, error = reliability
    ends = [(slope + sign * _SURE * error) * parts.extra_conversions for sign in (-1, 1)]
    return Interval(min(ends), max(ends), 0.95)


def _alternative(
    considered: Considered, options: tuple[Weighed, ...], at: Terms
) -> Alternative | None:
    made, best = considered.online.decisions, int(considered.best[0])
    chosen = int(made.option[0, 0])
    lines = [
        _Line(one.parts.cost, one.surplus, column)
        for column, one in enumerate(options)
        if one.parts is not None and one.surplus is not None and one.left_at != "affordable"
    ]
    if not lines:
        return _nothing_open(considered, options, at)
    if considered.fitting.eligibility.held[0] or made.explored[0]:
        return Alternative(best, 0.0, ())
    lines.append(_Line(0.0, 0.0, NO_SEND))
    mine = next(line for line in lines if line.option == chosen)
    others = [line for line in lines if line.option != chosen]
    other = max(others, key=lambda line: line.surplus)
    short = max(mine.surplus - other.surplus, 0.0)
    changes = [*_of_gain(considered, options, (chosen, other.option), short)]
    changes += _of_budget(considered, mine, others)
    changes += _of_limits(considered, options, (chosen, other.option), short)
    return Alternative(other.option, short, tuple(sorted(changes, key=lambda one: abs(one.by))))


@dataclass(frozen=True, slots=True)
class _Line:
    """What an option leaves, as the price of the budget moves: ``surplus`` now, falling by
    ``cost``. No send is one of them."""

    cost: float
    surplus: float
    option: int


def _of_gain(
    considered: Considered, options: tuple[Weighed, ...], pair: tuple[int, int], short: float
) -> Iterator[Change]:
    """More gain of the other, or less of the choice where the other is no send."""
    chosen, other = pair
    column, sign = (other, 1) if other != NO_SEND else (chosen, -1)
    parts, offer_id = options[column].parts, options[column].option.offer.offer_id
    if parts is not None:
        by = sign * short / (1 + considered.ask.prices.min_return)
        yield Change("gain", offer_id, by, parts.gain, other)


def _of_budget(considered: Considered, mine: _Line, others: list[_Line]) -> Iterator[Change]:
    """The nearest price of the budget at which something else is the best."""
    now = considered.ask.prices.budget
    moves = [
        (by, line.option)
        for line in others
        if abs(mine.cost - line.cost) > 0
        and now + (by := (mine.surplus - line.surplus) / (mine.cost - line.cost)) >= 0
    ]
    if moves:
        by, option = min(moves, key=lambda move: abs(move[0]))
        yield Change("price", "budget", by, now, option)


def _of_limits(
    considered: Considered, options: tuple[Weighed, ...], pair: tuple[int, int], short: float
) -> Iterator[Change]:
    """A higher price of the chosen offer, or a lower one of a limit that kept the other back."""
    chosen, other = pair
    prices = considered.ask.prices
    if chosen != NO_SEND:
        offer = options[chosen].option.offer
        if other == NO_SEND or options[other].option.offer is not offer:
            price = prices.offers.get(offer.offer_id, 0.0)
            yield Change("price", f"offer:{offer.offer_id}", short, price, other)
        return
    option = options[other].option
    charged = {
        f"offer:{option.offer.offer_id}": prices.offers.get(option.offer.offer_id, 0.0),
        f"channel:{option.channel}": prices.channels.get(option.channel, 0.0),
        "audience": prices.audience,
    }
    for name, price in charged.items():
        if price >= short > 0:
            yield Change("price", name, -short, price, other)


def _nothing_open(
    considered: Considered, options: tuple[Weighed, ...], at: Terms
) -> Alternative | None:
    """Nothing that is allowed fits into what is left, or nothing is allowed at all."""
    dear = [
        (one.surplus, column)
        for column, one in enumerate(options)
        if one.left_at == "affordable" and one.surplus is not None
    ]
    if not dear:
        order = [STAGES.index(one.left_at) for one in options]
        return Alternative(int(np.argmax(order)), 0.0, ()) if order else None
    column = max(dear)[1]
    option, cost = options[column].option, int(considered.online.cost[0, column])
    needs = {
        "money": cost, "contacts": 1, f"channel:{option.channel}": 1,
        f"offer:{option.offer.offer_id}": 1,
    }  # fmt: skip
    short = {name: need - at.left.get(name, need) for name, need in needs.items()}
    unit = {"money": float(UNIT)}
    changes = tuple(
        Change("left", name, by / unit.get(name, 1.0), at.left[name] / unit.get(name, 1.0), column)
        for name, by in short.items()
        if by > 0
    )
    return Alternative(column, 0.0, changes)
