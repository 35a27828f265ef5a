"""Every feature view once more, slowly and plainly, and how to tell that one shows the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from features.contract import Kind
from tests.features.oracle.browsing import clickstream
from tests.features.oracle.buying import lifecycle, price, purchases
from tests.features.oracle.contacts import contacts, offers
from tests.features.oracle.knowledge import Features, History, Value, known
from tests.features.oracle.programme import membership, popularity
from tests.features.oracle.tastes import affinity

Shown = Mapping[str, Mapping[str, Features]]


def oracle(
    history: History,
    as_of: datetime,
    attributes: Mapping[str, Kind],
    vocabulary: Mapping[str, str],
) -> Shown:
    """What each view must show as of a moment: view, then key, then feature.

    Args:
        vocabulary: the categories with columns of their own, and their names in those.
    """
    now = known(history, as_of)
    return {
        "purchases": purchases(now),
        "price": price(now),
        "clickstream": clickstream(now),
        "affinity": affinity(now, vocabulary),
        "membership": membership(now, attributes),
        "contacts": contacts(now),
        "lifecycle": lifecycle(now),
        "popularity": popularity(now),
        "offers": offers(now),
    }


def differences(shown: Shown, wanted: Shown) -> list[str]:
    """One line for each value that is not what it should be; numbers to nine digits."""
    found = [f"no view {view}" for view in wanted if view not in shown]
    found += [f"view {view} is in no definition" for view in shown if view not in wanted]
    for view in wanted.keys() & shown.keys():
        keys, must = shown[view].keys(), wanted[view].keys()
        found += [f"{view}: {key!r} is missing" for key in must - keys]
        found += [f"{view}: {key!r} should not be there" for key in keys - must]
        for key in keys & must:
            got, want = shown[view][key], wanted[view][key]
            found += [f"{view}: no feature {name}" for name in want.keys() - got.keys()]
            found += [f"{view}: {name} is in no definition" for name in got.keys() - want.keys()]
            found += [
                f"{view} of {key!r}: {name} is {got[name]!r}, wanted {_plain(want[name])!r}"
                for name in want.keys() & got.keys()
                if not _same(got[name], want[name])
            ]
    return sorted(found)


def _plain(value: Value) -> float | str | None:
    return value if value is None or isinstance(value, str) else float(value)


def _same(got: Value, want: Value) -> bool:
    if isinstance(got, float) and math.isnan(got):
        got = None
    if got is None or want is None or isinstance(got, str) or isinstance(want, str):
        return got == want
    return math.isclose(float(got), float(want), rel_tol=1e-9, abs_tol=1e-9)
