"""A category for an item of which only the title is known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

LEAST_ITEMS = 20
_WORD = re.compile(r"[A-Z]{3,}")
# Words that end a title and say how the thing looks or comes, not what it is.
_LOOKS = frozenset((
    "ANTIQUE", "ASSORTED", "BLACK", "BLUE", "BROWN", "CHRISTMAS", "COLOUR", "CREAM", "DESIGN",
    "EASTER", "FLORAL", "GIANT", "GOLD", "GREEN", "GREY", "IVORY", "LARGE", "LILAC", "MEDIUM",
    "METAL", "MINI", "NATURAL", "ORANGE", "PAISLEY", "PARTY", "PINK", "POLKADOT", "PURPLE", "RED",
    "RETRO", "RETROSPOT", "ROUND", "SET", "SILVER", "SIZE", "SMALL", "SPOT", "SQUARE", "STYLE",
    "TURQUOISE", "VINTAGE", "WHITE", "WOOD", "WOODEN", "YELLOW",
))  # fmt: skip


def head_nouns(titles: Sequence[str | None]) -> list[str | None]:
    """The head noun of each title, in lower case, singular; None where it is rare.

    In an English title the noun comes last, unless a colour, a size or a pattern follows it. So the
    head noun of a title is the last of its words that ends at least ``LEAST_ITEMS`` titles of this
    catalogue, words for looks left out.
    """
    words = [_nouns(title or "") for title in titles]
    endings = Counter(found[-1] for found in words if found)
    heads = [
        next((word for word in reversed(found) if endings[word] >= LEAST_ITEMS), None)
        for found in words
    ]
    return [head.lower() if head else None for head in heads]


def _nouns(title: str) -> list[str]:
    found = [_singular(word) for word in _WORD.findall(title.upper())]
    return [word for word in found if word not in _LOOKS]


def _singular(word: str) -> str:
    if word.endswith(("SS", "US")):
        return word
    if word.endswith(("XES", "SHES", "CHES", "SSES")):
        return word[:-2]
    return word.removesuffix("S")
