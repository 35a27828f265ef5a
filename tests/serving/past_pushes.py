"""Evidence of past pushes whose effects are known: a destination's pushes, and one of another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from features.encoding import Encoding
from models.evidence import Evidence, PastOffer
from serving.court import Court

BROWSED = "seen_days__hualien <= 30"
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
_OFFERS = (
    PastOffer("H-5", ("hualien",), ()),
    PastOffer("H-10", ("hualien",), ()),
    PastOffer("T-5", ("tokyo",), ()),
)
_CANDIDATES = np.array([[0, 1], [0, 1], [2, -1]])


def past_court(n: int = 24_000, seed: int = 0, *, drawn: bool = True) -> Court:
    """Three pushes; half of each got an offer. A tenth browsed Hualien: they buy anyway. Of the
    others, gold members buy more when they are sent any offer."""
    rng = np.random.default_rng(seed)
    push, member = np.arange(n) % 3, np.arange(n) // 3
    browsed, gold, sent = (rng.random(n) < share for share in (0.1, 0.5, 0.5))
    effect = np.where(gold & ~browsed, 0.25, 0.0)
    rate = np.where(browsed, 0.2, 0.05)
    converted = rng.random(n) < rate + effect * sent
    count = (_CANDIDATES >= 0).sum(axis=1)[push]
    slot = np.where(sent, rng.integers(0, count), -1)
    probability = np.where(sent, 0.5 / count, 0.5)
    change = np.tile(effect[:, None], (1, 2))
    left = converted - rate - effect * sent
    change[np.arange(n), np.maximum(slot, 0)] += np.where(sent, left / probability, 0.0)
    change -= np.where(sent, 0.0, left / 0.5)[:, None]
    change[_CANDIDATES[push] < 0] = np.nan
    seen = np.where(browsed, rng.uniform(0, 30, n), np.nan)
    seen[~browsed & (rng.random(n) < 0.3)] = 90
    scores = change.astype(np.float32)
    promised = 10 * effect[:, None] - 0.1 + rng.normal(0, 0.01, (n, 2))
    evidence = Evidence(
        offers=_OFFERS,
        moments=tuple(FIRST + timedelta(days=20 * number) for number in range(3)),
        drawn=drawn,
        moment=push.astype(np.int32),
        push=push.astype(np.int32),
        candidates=_CANDIDATES.astype(np.int32),
        sent=np.where(sent, _CANDIDATES[push, slot], -1).astype(np.int32),
        probability=probability.astype(np.float32),
        member=member.astype(np.int32),
        gain=10 * scores - np.float32(0.1),
        conversions=scores,
        gain_in_scope=10 * scores - np.float32(0.1),
        conversions_in_scope=scores,
        predicted=promised.astype(np.float32),
        predicted_conversions=((promised + 0.1) / 10).astype(np.float32),
        converted=converted,
        converted_in_scope=converted,
        values=np.column_stack([seen, gold]).astype(np.float32),
    )
    names = ("seen_days__hualien", "tier")
    return Court(evidence, Encoding.of(names, {"tier": ("silver", "gold")}))
