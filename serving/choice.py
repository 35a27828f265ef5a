"""What was chosen for each member, as single values instead of columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from decisions.decide import Ask
from decisions.eligibility import expires_at
from decisions.exploration import NO_SEND
from decisions.online import Online
from decisions.pacing import takes

Picked = tuple[str | None, str | None]  # offer and channel
NOTHING: Picked = (None, None)


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen for one member; the fields of ``decisions.decide.Decisions``.

    offer_id, channel, send_after: None for no send. Numbers are None where nothing could be
    estimated.
    takes, planned: what the choice, and what the choice at the plan's own prices, takes of each
        limit of the push, by the limit's name; empty for no send.
    vector: (features,) what the release knows of the member, in the order of its encoding; what is
        fresh is not in it.
    """

    offer_id: str | None
    channel: str | None
    send_after: datetime | None
    items: tuple[str, ...]
    probability: float
    explored: bool
    reason: str
    p_if_sent: float | None
    p_if_not: float | None
    uplift: float | None
    expected_gain: float | None
    evidence: str
    expires_at: datetime
    takes: Mapping[str, int]
    planned: Mapping[str, int]
    vector: NDArray[np.float32] = field(compare=False, repr=False)

    @property
    def picked(self) -> Picked:
        return self.offer_id, self.channel


def choices_of(
    ask: Ask,
    online: Online,
    items: Sequence[tuple[str, ...]],
    built: NDArray[np.float32],
) -> list[Choice]:
    """One choice a member, in the order asked.

    Args:
        items: what each answer names. built: (n, features) of the release's snapshot.
    """
    push, made = ask.push, online.decisions
    rows = range(len(made))
    chosen, planned = made.option[:, 0].tolist(), online.planned.tolist()
    over = push.send_at + timedelta(days=push.attribution_days)
    good_until = {offer.offer_id: expires_at(offer, push) for offer in ask.offers}
    # Columns become lists at once: one value at a time costs more than all of them.
    told = zip(
        rows, chosen, planned, made.send_at.tolist(), items,
        made.probability.tolist(), made.explored.tolist(), made.reason, _numbers(made.p_if_sent),
        _numbers(made.p_if_not), _numbers(made.uplift), _numbers(made.expected_gain),
        made.evidence, strict=True,
    )  # fmt: skip
    choices = []
    for row, column, plan, at, mine, chance, drawn, why, sent, unsent, uplift, gain, grade in told:
        option = None if column == NO_SEND else made.options[column]
        offer_id = None if option is None else option.offer.offer_id
        choices.append(
            Choice(
                offer_id=offer_id,
                channel=None if option is None else option.channel,
                send_after=None if option is None else datetime.fromtimestamp(at, UTC),
                items=mine,
                probability=chance,
                explored=drawn,
                reason=why,
                p_if_sent=sent,
                p_if_not=unsent,
                uplift=uplift,
                expected_gain=gain,
                evidence=grade,
                expires_at=over if offer_id is None else good_until[offer_id],
                takes=_takes(online, row, column),
                planned=_takes(online, row, plan),
                vector=built[row],
            )
        )
    return choices


def _takes(online: Online, row: int, column: int) -> dict[str, int]:
    if column == NO_SEND:
        return {}
    option = online.decisions.options[column]
    return takes(option.offer.offer_id, option.channel, int(online.cost[row, column]))


def _numbers(column: NDArray[np.float64]) -> list[float | None]:
    return [None if math.isnan(value) else value for value in column.tolist()]
