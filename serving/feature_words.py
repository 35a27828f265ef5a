"""Features in words: what a value says of a member, as docs/reference/features.md defines it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from experiments.saying import Says, english
from models.contributions import HABIT, OFFER

Spoken = str | float


def _count(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2g}"


def _days(value: float, says: Says) -> str:
    days = round(value)
    if days < 1:
        return says("less than a day")
    return says("1 day") if days == 1 else says("%(days)s days", days=f"{days:,}")


def _money(value: float) -> str:
    return f"{value:,.2f}"


def _share(value: float) -> str:
    percent = 100 * value
    return f"{percent:.0f} %" if abs(percent) >= 10 or percent == 0 else f"{percent:.2g} %"


def _times(value: float) -> str:
    return f"{value:.2g}"


_FORMATS: Mapping[str, Callable[[float], str]] = {
    "n": _count, "money": _money, "share": _share, "x": _times,
}  # fmt: skip
_OUR_WORDS = ("lifecycle", "value_tier")  # values are ours; others are as the workspace calls them
_WINDOW = r"_(?P<window>\d+)d"
_SCOPE = "what the offer is about"
# A name, what a value says, and what a missing one does. {n}, {days}, … tell how to say the value,
# {word} is a category's; groups of the name stand by theirs.
PHRASES: tuple[tuple[str, str, str], ...] = (
    ("recency_days", "has not bought for {days}", "has never bought"),
    (f"orders{_WINDOW}", "{n} orders in {window} days", ""),
    ("orders_life", "{n} orders so far", ""),
    (f"spend{_WINDOW}", "spent {money} in {window} days", ""),
    ("spend_life", "spent {money} so far", ""),
    ("average_order", "spends {money} an order", "has never bought"),
    ("gap_mean_days", "buys every {days}", "has bought on one day at most"),
    ("gap_sd_days", "gaps between purchases vary by {days}", "has bought on two days at most"),
    ("overdue_ratio", "has been quiet {x} times as long as usual", "has no rhythm of buying yet"),
    ("refund_share", "returned {share} of what was bought", "has never bought"),
    ("biggest_order_share", "one order was {share} of all that was spent", "has never bought"),
    ("r_quintile", "is in fifth {n} of 5 by the last purchase", "has never bought"),
    ("f_quintile", "is in fifth {n} of 5 by orders", "has never bought"),
    ("m_quintile", "is in fifth {n} of 5 by spending", "has never bought"),
    ("discount_share", "bought {share} at a discount", "has never bought"),
    ("discount_depth", "took discounts {share} deep", "has never bought"),
    ("coupon_redemption", "used {share} of the coupons", "was never sent a coupon"),
    (f"sessions{_WINDOW}", "{n} visits in {window} days", ""),
    (f"views{_WINDOW}", "{n} items looked at in {window} days", ""),
    (f"searches{_WINDOW}", "{n} searches in {window} days", ""),
    (f"carts{_WINDOW}", "{n} items put into the cart in {window} days", ""),
    (f"abandoned_carts{_WINDOW}", "{n} items left in the cart", ""),
    (f"abandoned_value{_WINDOW}", "left {money} in the cart", ""),
    ("abandoned_age_days", "left something in the cart {days} ago", "left nothing in the cart"),
    (f"view_to_buy{_WINDOW}", "bought {share} of what was looked at", "looked at nothing lately"),
    ("last_seen_days", "was last seen {days} ago", "was never seen"),
    (f"evening_share{_WINDOW}", "{share} of visits began in the evening", "has no visits lately"),
    (f"weekend_share{_WINDOW}", "{share} of visits were at weekends", "has no visits lately"),
    ("usual_hour", "usually comes at {n} o'clock", "has no usual hour"),
    ("device", "mostly uses {word}", "no device is known"),
    ("interest__(?P<place>.+)", "interest in {place} is {x}", ""),
    ("seen_days__(?P<place>.+)", "looked at {place} {days} ago", "never looked at {place}"),
    ("bought_days__(?P<place>.+)", "bought {place} {days} ago", "never bought {place}"),
    ("top_category", "likes {word} best", "likes nothing best yet"),
    (f"novelty{_WINDOW}", "{share} of what was looked at was new", "looked at nothing lately"),
    ("price_level", "buys at {x} times the usual price", "no price level is known"),
    ("tenure_days", "has been a member for {days}", "nobody knows since when a member"),
    ("tier", "is in the tier {word}", "has no tier"),
    ("gender", "gender is {word}", "gender is not known"),
    ("region", "lives in {word}", "region is not known"),
    ("timezone", "lives in the time zone {word}", "time zone is not known"),
    ("points_balance", "has {n} points", "no points are known"),
    ("points_expire_days", "{days} until points expire", "no points expire"),
    ("age", "is {n} years old", "age is not known"),
    ("consent_(?P<place>.+)", "consent to {place} is {n}", "never said whether {place} is wanted"),
    (f"contacts{_WINDOW}", "{n} messages in {window} days", ""),
    (f"opens{_WINDOW}", "opened {n} messages in {window} days", ""),
    (f"clicks{_WINDOW}", "clicked {n} messages in {window} days", ""),
    ("ignored_in_row", "ignored the last {n} messages", ""),
    ("last_contact_days", "last message was {days} ago", "was never sent a message"),
    ("unsubscribed", "unsubscribed is {n}", ""),
    ("lifecycle", "stage of life is {word}", "stage of life is not known"),
    ("value_tier", "is worth {word}", "worth is not known"),
    ("taste_(?P<place>.+)", "taste {place} is {x}", "taste is not known"),
    ("scope_interest", f"interest in {_SCOPE} is {{x}}", ""),
    ("scope_share", f"{{share}} of all interest is in {_SCOPE}", ""),
    ("scope_taste", f"likes things near {_SCOPE}: {{x}}", ""),
    ("scope_seen_days", f"looked at {_SCOPE} {{days}} ago", f"never looked at {_SCOPE}"),
    ("scope_bought_days", f"bought {_SCOPE} {{days}} ago", f"never bought {_SCOPE}"),
    ("scope_lately", f"looked at {_SCOPE} within 30 days: {{n}}", ""),
    ("scope_share_unseen", f"interest in {_SCOPE}, not looked at lately: {{share}}", ""),
    ("scope_taste_unseen", f"likes things near {_SCOPE}, not looked at lately: {{x}}", ""),
    ("scope_lift", f"members alike turn to {_SCOPE}: {{x}}", ""),
    ("p_if_not", "buys anyway with a chance of {share}", ""),
    ("p_redeem", "would use the offer with a chance of {share}", ""),
    (OFFER, "what the offer gives", "what the offer gives"),
    (HABIT, "the rhythm of buying", "the rhythm of buying"),
)
_COMPILED = tuple((re.compile(name), said, missing) for name, said, missing in PHRASES)


def has_words(name: str) -> bool:
    """Whether a feature is told by more than its name."""
    return any(pattern.fullmatch(name) for pattern, _, _ in _COMPILED)


def spoken(name: str, value: float, categories: Mapping[str, tuple[str, ...]]) -> Spoken | None:
    """A value as people know it: a category by its word; None where it is missing."""
    if math.isnan(value):
        return None
    words = categories.get(name)
    if words is not None and 0 <= value < len(words):
        return words[int(value)]
    return float(value)


def phrase(name: str, value: Spoken | None, says: Says = english) -> str:
    """What a feature says of a member, such as ``has not bought for 143 days``."""
    for pattern, said, missing in _COMPILED:
        found = pattern.fullmatch(name)
        if found is None:
            continue
        parts = {key: text.replace("_", " ") for key, text in found.groupdict().items()}
        if value is None and missing:
            return _filled(says(missing), parts)
        if value is None or isinstance(value, str) is not ("{word}" in said):
            break
        if isinstance(value, str):
            word = says(_plain(value)) if name in _OUR_WORDS else value
            return _filled(says(said), {**parts, "word": word})
        told = {key: say(value) for key, say in _FORMATS.items()}
        return _filled(says(said), {**parts, **told, "days": _days(value, says)})
    return _unphrased(name, value, says)


def _unphrased(name: str, value: Spoken | None, says: Says) -> str:
    """A feature that has no words of its own, or a value that is none for them."""
    if value is None:
        return says("%(name)s is not known", name=_plain(name))
    told = value if isinstance(value, str) else _times(value)
    return says("%(name)s is %(value)s", name=_plain(name), value=told)


def _filled(template: str, parts: Mapping[str, str]) -> str:
    return template.format(**parts)


def _plain(name: str) -> str:
    return name.replace("_", " ")
