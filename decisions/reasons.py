"""Why something is not sent: one code a pair, in the order in which it is asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ALLOWED = ""
UNKNOWN_MEMBER = "unknown_member_fallback"
SUPPRESSED = "suppressed"
NO_CONSENT = "no_consent"
NOT_VALID = "not_valid"
OTHER_CHANNEL = "other_channel"
OUT_OF_STOCK = "out_of_stock"
NOT_ELIGIBLE = "not_eligible"
DUPLICATE = "duplicate"
FREQUENCY_CAP = "frequency_cap"
QUIET_HOURS = "quiet_hours"
NOT_APPLICABLE = "not_applicable"
NOT_SUITABLE = "not_suitable"
HOLDOUT = "holdout"
EXPLORED = "explored"
NO_POSITIVE_GAIN = "no_positive_gain"
BUDGET_SPENT = "budget_spent"

# The position is the code of a pair. Three kinds: whether a member may have it at all, whether it
# makes sense now, whether it is right for them (as Pega's engagement policies part them).
ELIGIBLE = (
    UNKNOWN_MEMBER, SUPPRESSED, NO_CONSENT, NOT_VALID, OTHER_CHANNEL, OUT_OF_STOCK, NOT_ELIGIBLE,
)  # fmt: skip
APPLICABLE = (DUPLICATE, FREQUENCY_CAP, QUIET_HOURS, NOT_APPLICABLE)
SUITABLE = (NOT_SUITABLE,)
KINDS = {"eligible": ELIGIBLE, "applicable": APPLICABLE, "suitable": SUITABLE}
# What becomes of a member to whom something is allowed.
CHOICE = (HOLDOUT, EXPLORED, NO_POSITIVE_GAIN, BUDGET_SPENT)
REASONS = (ALLOWED, *ELIGIBLE, *APPLICABLE, *SUITABLE, *CHOICE)
CODE = {reason: code for code, reason in enumerate(REASONS)}

# Of a member, an answer names the offers' own terms in one word.
_TERMS = (NOT_VALID, OTHER_CHANNEL, OUT_OF_STOCK)


def of_member(pairs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n,) one reason a member, from those of the pairs (n, m): of the pair that came furthest."""
    if not pairs.shape[1]:
        return np.full(len(pairs), CODE[NOT_ELIGIBLE], dtype=np.uint8)
    furthest = np.where((pairs == 0).any(axis=1), 0, pairs.max(axis=1))
    merged = np.isin(furthest, [CODE[reason] for reason in _TERMS])
    return np.where(merged, CODE[NOT_ELIGIBLE], furthest).astype(np.uint8)


def words(codes: NDArray[np.uint8]) -> tuple[str, ...]:
    """The reasons of ``codes``, empty where there is none."""
    return tuple(REASONS[code] for code in codes.tolist())
