"""The codes of lower layers as words that have a translation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from dashboard.numbers import told
from dashboard.web.language import ENGLISH, Language, noted


class Words(Protocol):
    """To the reader's language: see ``dashboard.web.language.Language.words``."""

    def __call__(self, message: str, **values: object) -> str: ...


in_english: Words = ENGLISH.words
TERMS: Mapping[str, str] = {
    # what is measured of members
    "gain": noted("gain"), "margin": noted("margin"), "revenue": noted("revenue"),
    "converted": noted("converted"), "conversions": noted("conversions"), "cost": noted("cost"),
    "sends": noted("sends"), "redeemed": noted("redeemed"), "reached": noted("reached"),
    "unsubscribed": noted("unsubscribed"), "complained": noted("complained"),
    "coupon": noted("coupon"), "orders": noted("orders"),
    "margin_per_send": noted("margin per send"), "redeemed_per_send": noted("redeemed per send"),
    "conversions_per_send": noted("conversions per send"),
    "revenue_per_conversion": noted("revenue per conversion"),
    # who decides in an arm
    "champion": noted("champion"), "release": noted("named release"), "rule": noted("rule"),
    "random": noted("random"), "holdout": noted("holdout"),
    # how far an experiment is
    "draft": noted("draft"), "running": noted("running"), "stopped": noted("stopped"),
    "decided": noted("decided"), "live": noted("live"), "shadow": noted("shadow"),
    # checks
    "passed": noted("passed"), "failed": noted("failed"), "open": noted("open"),
    "held": noted("held"), "broken": noted("broken"),
    # segments
    "lifecycle": noted("lifecycle"), "value_tier": noted("value tier"), "new": noted("new"),
    "active": noted("active"), "loyal": noted("loyal"), "slipping": noted("slipping"),
    "lapsed": noted("lapsed"), "never_bought": noted("never bought"), "low": noted("low"),
    "middle": noted("middle"), "high": noted("high"),
    # stages of a funnel
    "assigned": noted("assigned"), "sent": noted("sent"), "delivered": noted("delivered"),
    "opened": noted("opened"), "clicked": noted("clicked"),
    # what happened to an experiment
    "created": noted("created"), "revised": noted("revised"), "started": noted("started"),
    "shares_changed": noted("shares changed"), "published": noted("published"),
    "discarded": noted("discarded"),
}  # fmt: skip
_UNTOLD: Mapping[str, str] = {
    "no_members": noted("the arms have no members at the same time"),
    "too_few_members": noted("too few members"),
    "nothing_varies": noted("it is the same for all members"),
    "not_from_zero": noted("what it is divided by is not clearly above 0"),
    "between_looks": noted("it is no planned look"),
}


def term(words: Words, code: str) -> str:
    """``code`` in words; a name that is none of ours as it is."""
    return words(TERMS[code]) if code in TERMS else code


def untold(spoken: Language, one: Mapping[str, Any]) -> str:
    """Why a figure cannot be told, ``{reason, told}``: in English with its numbers."""
    known = _UNTOLD.get(one["reason"])
    if spoken.code == ENGLISH.code or known is None:
        return str(one["told"])
    return spoken.words(known)


def warned(spoken: Language, results: Mapping[str, Any]) -> list[str]:
    """What may be wrong with the data of a readout, in sentences."""
    if spoken.code == ENGLISH.code:
        return list(results["warnings"])
    unheard = results["exposure"]["unheard"]  # members in two arms stand among the checks
    if not unheard:
        return []
    return [
        spoken.words(
            "of %(members)s members sent nothing no conversion was reported, of others many: "
            "report everybody's, or nobody's, so that purchases count",
            members=told(unheard, "count"),
        )
    ]
