"""What the API tells about a decision that was made: the same again, and why."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from serving.schemas import Decision


class Told(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Replayed(Told):
    """equal: made again from what it was made from, the answer came out the same, byte by byte.

    differs: fields that did not. release: the one that made the decision, and made it again.
    withheld: why neither is shown as sent although one was: the member is not to be contacted now.
    """

    decision_id: str
    equal: bool
    differs: list[str]
    stored: Decision
    recomputed: Decision
    release: str
    withheld: str | None


class PartsTold(Told):
    """What sending one offer is expected to change; see docs/explain.md for each."""

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


class ChargesTold(Told):
    """What the prices of the push's limits take off the gain."""

    budget: float
    min_return: float
    offer: float
    channel: float
    member: float


class OptionTold(Told):
    """One offer by one channel: the stage that it did not pass (``sent`` where it was sent), why,
    and what it was worth. surplus: gain less charges; the largest above 0 is sent."""

    offer_id: str
    channel: str
    left_at: str
    reason: str | None
    text: str
    parts: PartsTold | None
    charges: ChargesTold | None
    surplus: float | None


class FeatureTold(Told):
    """What one feature of the member adds to the estimate. value: null where it is missing."""

    feature: str
    value: float | str | None
    part: float
    text: str


class AttributionTold(Told):
    """base + the parts of the features + rest = estimate, all of them probabilities."""

    estimate: float
    base: float
    features: list[FeatureTold]
    rest: float


class ChangeTold(Told):
    """One change that alone would have turned the choice."""

    what: str
    name: str
    by: float
    now: float
    text: str


class AlternativeTold(Told):
    """What would have come next; offer_id null: no send. short: the surplus that it lacked."""

    offer_id: str | None
    channel: str | None
    short: float
    changes: list[ChangeTold]
    text: str


class IntervalTold(Told):
    """Of the mean effect on members with such an estimate; one member's own is not known."""

    low: float
    high: float
    confidence: float


class Explained(Told):
    """Why a decision was made as it was (docs/explain.md).

    equal: made again it comes out the same, so this is what the decision saw. withheld: why nothing
    may be sent by now. unit: of gains: ``money`` or ``conversions``. estimated_by: the ``model``,
    or what stood in for it. chance_without: of a conversion without a send; effect: its change by
    the offer sent, else by the best allowed one; null where members are not told apart.
    """

    decision_id: str
    push_id: str
    member_id: str
    decided_at: str
    release: str
    equal: bool
    withheld: str | None
    send: bool
    offer_id: str | None
    channel: str | None
    reason: str | None
    explored: bool
    held_out: bool
    probability: float
    unit: str
    estimated_by: str
    degraded: list[str]
    evidence: str | None
    interval: IntervalTold | None
    summary: list[str]
    options: list[OptionTold]
    chance_without: AttributionTold | None
    effect: AttributionTold | None
    alternative: AlternativeTold | None


class TimelineEntry(Told):
    """One thing that happened (docs/explain.md).

    kind: ``chosen`` (a decision for an offer), ``skipped`` (one for no send, with the ``reason``),
    ``suppressed``, or the type of an outcome. text: the same in words.
    """

    at: str
    kind: str
    text: str
    push_id: str | None
    decision_id: str | None
    offer_id: str | None
    channel: str | None
    reason: str | None
    explored: bool
    held_out: bool
    probability: float | None
    release: str | None
    value: str | None


class TimelinePage(Told):
    """entries: newest first. events: how many of each type came in. next: give it as ``after`` for
    the next page; null after the last."""

    member_id: str
    suppressed_since: str | None
    events: dict[str, int]
    entries: list[TimelineEntry]
    next: str | None
