"""Whom a rule picks, of the members that the release in use knows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from dashboard.areas.member_profile import LIFECYCLES, TIERS
from dashboard.charts.figure import figure
from dashboard.web.language import Language, noted
from decisions.rules import matches, parse
from features.snapshot import Snapshot
from training.charts import Chart, Series

_AT = re.compile(r" at character (\d+)")
_SPREADS = {
    "lifecycle": (noted("Stages of life"), LIFECYCLES),
    "value_tier": (noted("Value tiers"), TIERS),
}


@dataclass(frozen=True, slots=True)
class Spread:
    """Of each value of a category how many members the rule picks, and how many there are.

    The last value, "unknown", counts the members without one.
    """

    feature: str
    values: Sequence[str]
    picked: Sequence[int]
    everybody: Sequence[int]

    def shares(self) -> tuple[list[float], list[float]]:
        """Of the picked, and of everybody; 0 where there is nobody."""
        return _shares(self.picked), _shares(self.everybody)


@dataclass(frozen=True, slots=True)
class Audience:
    """members: of ``of``. spreads: by category features that the release has."""

    rule: str
    members: int
    of: int
    spreads: Sequence[Spread]

    @property
    def share(self) -> float:
        return self.members / self.of if self.of else 0.0

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "rule": self.rule, "members": self.members, "of": self.of,
            "spreads": {
                one.feature: [
                    {"value": value, "picked": picked, "everybody": everybody}
                    for value, picked, everybody in zip(
                        one.values, one.picked, one.everybody, strict=True
                    )
                ]
                for one in self.spreads
            },
        }  # fmt: skip


def audience(rule: str, snapshot: Snapshot) -> Audience:
    """Whom the text of a rule picks.

    Raises:
        RuleError: it does not parse, or names what does not exist.
    """
    picked = matches(parse(rule), snapshot.values, snapshot.encoding, snapshot.as_of)
    names, categories = snapshot.encoding.names, snapshot.encoding.categories
    spreads = [
        _spread(name, categories[name], snapshot.values[:, names.index(name)], picked)
        for name in _SPREADS
        if name in categories
    ]
    return Audience(rule, int(picked.sum()), len(picked), spreads)


def wrong_at(message: str, rule: str) -> int | None:
    """Where a rule stops making sense, by its error: the character's place, from 0; None where the
    error is about the whole rule."""
    found = _AT.search(message)
    return None if found is None else min(int(found[1]) - 1, len(rule))


def without_place(message: str) -> str:
    """The error without the place that ``wrong_at`` found in it, for whoever is shown that."""
    return _AT.sub("", message, count=1)


def spread_chart(one: Spread, language: Language) -> Markup:
    """Shares of the picked beside shares of everybody."""
    words, (title, called) = language.words, _SPREADS[one.feature]
    places = [words(called.get(value, value)) for value in one.values]
    picked, everybody = one.shares()
    chart = Chart(
        words(title), words("value"), words("share of the members"),
        (
            Series(words("picked by the rule"), places, picked, "bars"),
            Series(words("everybody"), places, everybody, "bars"),
        ),
    )  # fmt: skip
    says = words("Who is in, beside all members of the release.")
    return figure(chart, one.feature, says, "share", words)


def _spread(
    name: str, values: Sequence[str], column: NDArray[np.float32], picked: NDArray[np.bool_]
) -> Spread:
    codes = np.where(np.isnan(column), len(values), column).astype(np.int64)
    size = len(values) + 1
    mine, all_of = np.bincount(codes[picked], minlength=size), np.bincount(codes, minlength=size)
    kept = [n for n in range(size) if n < len(values) or all_of[n]]
    told = [*values, noted("unknown")]
    return Spread(name, [told[n] for n in kept], mine[kept].tolist(), all_of[kept].tolist())


def _shares(counts: Sequence[int]) -> list[float]:
    whole = sum(counts)
    return [count / whole if whole else 0.0 for count in counts]
