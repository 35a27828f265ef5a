"""The reference of all features, written from the docstrings that define them.

``make docs`` writes it to ``docs/reference/features.md``; a test holds the page to the code.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from features.affinity import affinity
from features.clickstream import clickstream
from features.contacts import contacts
from features.lifecycle import lifecycle
from features.membership import membership
from features.offers import offers
from features.pairs import pairs
from features.popularity import popularity
from features.price import price
from features.purchases import purchases
from features.taste import taste

DEFINITIONS: Mapping[str, Callable[..., Any]] = {
    "purchases": purchases,
    "price": price,
    "clickstream": clickstream,
    "affinity": affinity,
    "membership": membership,
    "contacts": contacts,
    "lifecycle": lifecycle,
    "popularity": popularity,
    "offers": offers,
    "taste": taste,
    "pairs": pairs,
}
_HEAD = """# Features

What each feature means: formula, window, unit, and what a missing value says. Written by
`make docs` from the docstrings of the feature functions.

Every feature shows what had happened and was known at a moment, `as_of`, and nothing later. Days
are fractional; a window of 30 days is the 30 times 24 hours before `as_of`. Money is in the
workspace's currency. A view that a workspace has no data for is absent. The view taste is built
where the settings ask for it; pairs are computed on demand, for the pairs asked.
"""
_NAMED = re.compile(r"(?P<names>[a-z][\w<>, …]*): (?P<text>.*)")


def reference() -> str:
    """The whole page, Markdown."""
    return "\n".join([_HEAD, *(_view(name, rows) for name, rows in DEFINITIONS.items())])


def _view(name: str, rows: Callable[..., Any]) -> str:
    doc = inspect.getdoc(rows) or ""
    about = re.split(r"\n(?:Args|Returns|Raises|Source):", doc)[0].strip()
    place = f"`{rows.__module__.replace('.', '/')}.py`"
    return "\n".join([f"## {name}", "", about, "", f"Defined in {place}.", "", *_rows(doc)])


def _rows(doc: str) -> Iterator[str]:
    """The part ``Returns`` as a list, one item a feature or group of features."""
    returned = re.search(r"\nReturns:\n(.*?)(?=\n\w+:|\Z)", doc, re.DOTALL)
    if returned is None:
        return
    for line in returned.group(1).splitlines():
        inner = line.removeprefix("    ")
        named = _NAMED.fullmatch(inner)
        if named is not None:
            names = ", ".join(f"`{part.strip()}`" for part in named["names"].split(","))
            yield f"- {names}: {named['text']}"
        elif inner.startswith(" "):
            yield f"  {inner.strip()}"
        else:
            yield f"- {inner}"
    yield ""


if __name__ == "__main__":
    sys.stdout.write(reference())
