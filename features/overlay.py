"""Fresh values laid over the built features that mean the same.

A release's snapshot shows what a build knew; what the follower has heard since then is newer. Only
where a fresh value and a built feature have one definition does the fresh one replace it:

====================  ======================================================================
built feature         fresh value
====================  ======================================================================
last_seen_days        days from ``last_click`` to the call
seen_days__<c>        days from ``cared_category`` to the call, for that category alone
abandoned_carts_30d   ``open_cart_items``
abandoned_value_30d   ``open_cart_value``
abandoned_age_days    missing where ``open_cart_items`` is 0; else as built
====================  ======================================================================

``contacts_today`` has no counterpart: it counts since midnight, ``contacts_1d`` over 24 hours.
"""

from __future__ import annotations

import math
from datetime import datetime

from features.encoding import Encoding
from features.fresh_reader import Fresh

_DAY = 86_400  # ``features.moments.DAY``, which comes with an engine


def overlay(
    fresh: Fresh, encoding: Encoding, at: datetime, since: datetime | None = None
) -> dict[str, float]:
    """The features of ``encoding`` that ``fresh`` tells better, each with its value; NaN = missing.

    Args:
        at: the moment that days are counted to, in whole seconds as a build counts them.
        since: the moment whose knowledge the built features show: what stands since an earlier one
            a build knew already, and perhaps more than that. None: every fresh value is newer.
    """
    found = {**_days(fresh, encoding, at, since), **_cart(fresh, since)}
    return {name: value for name, value in found.items() if name in encoding.names}


def _days(
    fresh: Fresh, encoding: Encoding, at: datetime, since: datetime | None
) -> dict[str, float]:
    found: dict[str, float] = {}
    click = fresh.values.get("last_click")
    if click is not None and _newer(click.at, since):
        found["last_seen_days"] = _days_since(click.at, at)
    cared = fresh.values.get("cared_category")
    if cared is not None and _newer(cared.at, since):
        called = encoding.vocabulary.get(str(cared.value))
        if called is not None:
            found[f"seen_days__{called}"] = _days_since(cared.at, at)
    return found


def _cart(fresh: Fresh, since: datetime | None) -> dict[str, float]:
    items, value = fresh.values.get("open_cart_items"), fresh.values.get("open_cart_value")
    if items is None or value is None or not _newer(items.at, since):
        return {}
    found = {
        "abandoned_carts_30d": _number(items.value),
        "abandoned_value_30d": _number(value.value),
    }
    if found["abandoned_carts_30d"] == 0:
        found["abandoned_age_days"] = math.nan
    return found


def _newer(at: datetime, since: datetime | None) -> bool:
    # What happened at the very moment of a build it does not know.
    return since is None or at >= since


def _days_since(then: datetime, at: datetime) -> float:
    # An event may be up to five minutes ahead of this clock: that is now.
    return max(0, math.floor(at.timestamp()) - math.floor(then.timestamp())) / _DAY


def _number(value: object) -> float:
    if not isinstance(value, float):
        raise TypeError(f"a number is wanted, not {type(value).__name__}")
    return value
