"""From feature values to the numbers that models read: fixed order, stable category codes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from features.contract import Kind
from features.errors import FeatureError

# The features of ours that count days since a moment, until one, and per category since one.
_SINCE = (
    "recency_days", "last_seen_days", "tenure_days", "abandoned_age_days", "last_contact_days",
)  # fmt: skip
_UNTIL = ("points_expire_days",)
_SINCE_OF_CATEGORY = ("seen_days__", "bought_days__")
_OF_CATEGORY = "interest__"


class EncodingError(FeatureError):
    """A feature or a category that the encoding does not know."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """Which feature stands in which column, and which number stands for which category.

    names: features in column order.
    categories: for each category feature its values; the code of a value is its position. Values
        are only ever appended, so codes stay true for models fitted earlier. A missing or unknown
        value is NaN.
    since, until: the features that count days since a moment, or until one: what a date can be
        compared with.
    vocabulary: categories as the data call them, to their name inside names of features.
    """

    names: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    since: tuple[str, ...] = ()
    until: tuple[str, ...] = ()
    vocabulary: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        names: tuple[str, ...],
        categories: Mapping[str, tuple[str, ...]],
        attributes: Mapping[str, Kind] | None = None,
        vocabulary: Mapping[str, str] | None = None,
    ) -> Self:
        """The encoding of these features, with what their names tell of times and categories.

        Args:
            attributes: the declared member attributes; one of kind ``time`` counts days since it.
            vocabulary: without it every category is called as inside the names of features.
        """
        declared = attributes or {}
        since = [name for name in names if declared.get(name, _counts_since(name)) == "time"]
        until = [name for name in names if name in _UNTIL and name not in declared]
        inside = [n.removeprefix(_OF_CATEGORY) for n in names if n.startswith(_OF_CATEGORY)]
        called = {name: name for name in inside} if vocabulary is None else vocabulary
        return cls(names, categories, tuple(since), tuple(until), called)

    def columns(self, names: Sequence[str]) -> list[int]:
        """Positions of ``names``. Raises ``EncodingError`` on a feature that is not there."""
        position = {name: index for index, name in enumerate(self.names)}
        missing = [name for name in names if name not in position]
        if missing:
            raise EncodingError(f"no feature {missing[0]!r} (have {len(self.names)})")
        return [position[name] for name in names]

    def code(self, name: str, value: str) -> float:
        """The number of a category ``value``; NaN for one never seen."""
        try:
            return float(self.categories[name].index(value))
        except ValueError:
            return float("nan")

    def to_json(self) -> str:
        content = {
            "names": list(self.names),
            "categories": {**self.categories},
            "since": list(self.since),
            "until": list(self.until),
            "vocabulary": {**self.vocabulary},
        }
        return json.dumps(content, ensure_ascii=False, indent=1)

    def save(self, path: Path) -> None:
        path.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Encoding:
        """An older file does not tell times and categories: there the names of features do.

        Raises:
            EncodingError: the file is missing or does not read.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            categories = {name: tuple(values) for name, values in content["categories"].items()}
            names = tuple(content["names"])
            if "since" not in content:
                return cls.of(names, categories)
            since, until = tuple(content["since"]), tuple(content["until"])
            return cls(names, categories, since, until, dict(content["vocabulary"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise EncodingError(f"{path} does not read as an encoding: {error}") from error


def _counts_since(name: str) -> Kind:
    return "time" if name in _SINCE or name.startswith(_SINCE_OF_CATEGORY) else "number"
