"""Past pushes: who was drawn for what, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from training.market.browsing import CLICK, PURCHASE, Intents, Visits, outlook, seen_within
from training.market.buying import Purchases, coupon_cents, large_enough, of_trips
from training.market.members import Members
from training.market.response import (
    BOUGHT_DAYS,
    CONTACT_MEMORY,
    SEEN_DAYS,
    Moment,
    Response,
    response,
)
from training.market.world import Sending, World

_OPEN_DAYS = 0.15  # mean delay of opening
_EXTRA_DAYS = 3.0  # mean delay of an extra purchase
# Reactions to pushes in travel are about one in ten (Accengage, see README.md).
_OPEN, _OPEN_BY_OPENNESS, _OPEN_OF_AVERSE = 0.02, 0.24, 0.3
_CLICK, _CLICK_BY_MATCH = 0.12, 0.2
_UNSUBSCRIBE, _UNSUBSCRIBE_AVERSE = 0.0008, 0.02


@dataclass(frozen=True, slots=True)
class Happened:
    """Outcomes of one type, one per entry; money in cents, only where the type has it."""

    type: str
    member: NDArray[np.int64]
    day: NDArray[np.float64]
    value: NDArray[np.int64] | None = None
    margin: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One past push: its draw and its outcomes."""

    sending: Sending
    choice: NDArray[np.int64]  # (n,) offer column, -1 no send, -2 no decision was taken
    outcomes: tuple[Happened, ...]


@dataclass(frozen=True, slots=True)
class History:
    """What has happened up to now."""

    intents: Intents
    visits: Visits
    purchases: Purchases
    contacts: tuple[tuple[datetime, NDArray[np.bool_]], ...]
    unsubscribed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Answer:
    """How purchases end once a push was sent."""

    purchases: Purchases  # those there were, some cancelled or with a coupon, then the extra ones
    extra: NDArray[np.int64]  # rows of the extra purchases
    redeemed: NDArray[np.int64]  # rows at which the offer was redeemed


def moment(world: World, members: Members, history: History, sending: Sending) -> Moment:
    """The state of ``members`` when ``sending`` goes out."""
    recent = [
        sent
        for at, sent in history.contacts
        if sending.push.send_at - CONTACT_MEMORY <= at < sending.push.send_at
    ]
    seen = (sending.day - SEEN_DAYS, sending.day)
    bought = history.purchases
    lately = (
        (bought.place == sending.place)
        & (bought.day > sending.day - BOUGHT_DAYS)
        & (bought.day <= sending.day)
        & ~bought.cancelled
    )
    return Moment(
        outlook=outlook(
            world, members, history.intents, sending.day, sending.push.attribution_days
        ),
        contacts=np.sum(recent, axis=0, dtype=np.int64)
        if recent
        else np.zeros(len(members), dtype=np.int64),
        seen=seen_within(history.visits, len(members), sending.place, seen),
        bought=np.bincount(bought.member[lately], minlength=len(members)) > 0,
    )


def send(
    world: World,
    members: Members,
    history: History,
    sending: Sending,
    rng: np.random.Generator,
    effects_off: bool,
) -> tuple[History, Round]:
    """Draw an offer or no send for everyone who may be contacted, and let it happen."""
    asked = reachable(members, history) & (members.joined < sending.day)
    choice = np.where(asked, draw_choice(sending, len(members), rng), -2)
    return follow(world, members, history, (sending, choice), rng, effects_off)


def reachable(members: Members, history: History) -> NDArray[np.bool_]:
    """(n,) who consents to pushes and has not unsubscribed."""
    return members.consenting & ~history.unsubscribed


def follow(
    world: World,
    members: Members,
    history: History,
    decided: tuple[Sending, NDArray[np.int64]],
    rng: np.random.Generator,
    effects_off: bool,
) -> tuple[History, Round]:
    """What happens once a push was decided as in ``Round``, whoever decided it."""
    sending, choice = decided
    now = moment(world, members, history, sending)
    effect = response(world, members, sending, now, effects_off)
    answered = answer(world, members, decided, effect, history.purchases, rng)
    outcomes, visits, left = _outcomes(world, members, sending, choice, answered, rng)
    after = History(
        history.intents,
        history.visits.plus(visits),
        answered.purchases,
        (*history.contacts, (sending.push.send_at, choice >= 0)),
        history.unsubscribed | left,
    )
    return after, Round(sending, choice, outcomes)


def draw_choice(sending: Sending, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """-1 (no send) with probability ``sending.no_send``, else each offer equally."""
    draw = rng.random(count)
    offers = len(sending.offers)
    column = np.floor((draw - sending.no_send) / (1 - sending.no_send) * offers).astype(np.int64)
    return np.where(draw < sending.no_send, -1, np.minimum(column, offers - 1))


def answer(
    world: World,
    members: Members,
    sent_out: tuple[Sending, NDArray[np.int64]],
    effect: Response,
    purchases: Purchases,
    rng: np.random.Generator,
) -> Answer:
    """What becomes of ``purchases`` when a push is sent with ``choice`` as in ``Round``."""
    sending, choice = sent_out
    window = sending.push.attribution_days
    reached = (
        (choice[purchases.member] >= 0)
        & (purchases.day > sending.day)
        & (purchases.day <= sending.day + window)
    )
    rows = np.flatnonzero(reached)
    lost = rng.random(len(rows)) < effect.cancel[purchases.member[rows]]
    cancelled = purchases.cancelled.copy()
    cancelled[rows[lost]] = True
    shows = rng.random(len(rows)) < effect.use[purchases.member[rows]]
    shown = rows[shows & ~lost & (purchases.place[rows] == sending.place)]

    sent = np.flatnonzero(choice >= 0)
    buys = sent[rng.random(len(sent)) < effect.extra[sent, choice[sent]]]
    late = -np.expm1(-window / _EXTRA_DAYS)
    day = sending.day - _EXTRA_DAYS * np.log1p(-late * rng.uniform(1e-6, 1 - 1e-6, len(buys)))
    trips = (buys, np.full(len(buys), sending.place), day)
    extra = of_trips(world, members, trips, rng)

    every = replace(purchases, cancelled=cancelled).plus(extra)
    extra_rows = np.arange(len(purchases.member), len(every.member))
    candidates = np.concatenate([shown, extra_rows])
    gross, discount = every.gross(world), every.discount.copy()
    redeemed = []
    for column, offer in enumerate(sending.offers):
        mine = candidates[choice[every.member[candidates]] == column]
        redeemed.append(mine[large_enough(offer, gross[mine])])
        off = coupon_cents(offer, gross[mine])
        discount[mine] = np.where(off > 0, off, discount[mine])
    return Answer(replace(every, discount=discount), extra_rows, np.sort(np.concatenate(redeemed)))


@dataclass(frozen=True, slots=True)
class Reactions:
    """Who did what with the message, member rows and shopping days."""

    opener: NDArray[np.int64]
    opened: NDArray[np.float64]
    clicker: NDArray[np.int64]
    clicked: NDArray[np.float64]
    landed: NDArray[np.float64]  # end of the visit that the click began
    leaver: NDArray[np.int64]
    left: NDArray[np.float64]


def _outcomes(
    world: World,
    members: Members,
    sending: Sending,
    choice: NDArray[np.int64],
    answered: Answer,
    rng: np.random.Generator,
) -> tuple[tuple[Happened, ...], Visits, NDArray[np.bool_]]:
    """Outcomes, visits from clicks and extra purchases, and who unsubscribed."""
    sent = np.flatnonzero(choice >= 0)
    bought, extra = answered.purchases, answered.extra
    extra_day = np.full(len(members), np.inf)
    extra_day[bought.member[extra]] = bought.day[extra]
    reactions = _reactions(members, sending, sent, extra_day, rng)
    outcomes = (
        Happened("sent", sent, np.full(len(sent), sending.day)),
        Happened("opened", reactions.opener, reactions.opened),
        Happened("clicked", reactions.clicker, reactions.clicked),
        *_sales(world, sending, choice, answered),
        Happened("unsubscribed", reactions.leaver, reactions.left),
    )
    left = np.zeros(len(members), dtype=np.bool_)
    left[reactions.leaver] = True
    return outcomes, _visits(sending, answered, reactions), left


def _reactions(
    members: Members,
    sending: Sending,
    sent: NDArray[np.int64],
    extra_day: NDArray[np.float64],
    rng: np.random.Generator,
) -> Reactions:
    """Reactions of those ``sent`` to. Who was persuaded (by ``extra_day``) opens and clicks."""
    start, persuaded = sending.day, np.isfinite(extra_day)
    chance = _OPEN + _OPEN_BY_OPENNESS * members.openness[sent]
    chance = np.where(members.averse[sent], chance * _OPEN_OF_AVERSE, chance)
    opener = sent[(rng.random(len(sent)) < chance) | persuaded[sent]]
    delay = np.minimum(rng.exponential(_OPEN_DAYS, len(opener)), 7.0)
    opened = start + np.minimum(delay, 0.5 * (extra_day[opener] - start))
    chance = _CLICK + _CLICK_BY_MATCH * members.match[opener, sending.place]
    clicks = (rng.random(len(opener)) < chance) | persuaded[opener]
    clicker, bought = opener[clicks], extra_day[opener[clicks]]
    clicked = np.minimum(opened[clicks] + 1e-4, 0.5 * (opened[clicks] + bought))
    chance = np.where(members.averse[sent], _UNSUBSCRIBE_AVERSE, _UNSUBSCRIBE)
    leaver = sent[rng.random(len(sent)) < chance]
    return Reactions(
        opener=opener,
        opened=opened,
        clicker=clicker,
        clicked=clicked,
        landed=np.minimum(clicked + 5e-3, 0.5 * (clicked + bought)),
        leaver=leaver,
        left=start + np.minimum(rng.exponential(_OPEN_DAYS, len(leaver)), 7.0),
    )


def _sales(
    world: World, sending: Sending, choice: NDArray[np.int64], answered: Answer
) -> tuple[Happened, Happened]:
    """Redeemed coupons, and the purchases of everyone decided, sent to or not."""
    bought, used = answered.purchases, answered.redeemed
    made = np.flatnonzero(
        (choice[bought.member] >= -1)
        & (bought.day > sending.day)
        & (bought.day <= sending.day + sending.push.attribution_days)
        & ~bought.cancelled
    )
    gross, margin = bought.gross(world), bought.margin(world)
    off = np.zeros(len(gross), dtype=np.int64)
    for column, offer in enumerate(sending.offers):
        mine = used[choice[bought.member[used]] == column]
        off[mine] = coupon_cents(offer, gross[mine])
    paid = gross - bought.discount
    return (
        Happened("redeemed", bought.member[used], bought.day[used], off[used]),
        Happened("converted", bought.member[made], bought.day[made], paid[made], margin[made]),
    )


def _visits(sending: Sending, answered: Answer, reactions: Reactions) -> Visits:
    bought, extra, clicks = answered.purchases, answered.extra, len(reactions.clicker)
    return Visits(
        member=np.concatenate([reactions.clicker, bought.member[extra]]),
        place=np.full(clicks + len(extra), sending.place),
        day=np.concatenate([reactions.landed, bought.day[extra]]),
        why=np.repeat(np.array([CLICK, PURCHASE], dtype=np.int8), [clicks, len(extra)]),
        purchase=np.concatenate([np.full(clicks, -1), extra]),
    )
