"""From feature values to the numbers that models read: fixed order, stable category codes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.errors import FeatureError


class EncodingError(FeatureError):
    """A feature or a category that the encoding does not know."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """Which feature stands in which column, and which number stands for which category.

    names: features in column order.
    categories: for each category feature its values; the code of a value is its position. Values
        are only ever appended, so codes stay true for models fitted earlier. A missing or unknown
        value is NaN.
    """

    names: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]

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
        content = {"names": list(self.names), "categories": {**self.categories}}
        return json.dumps(content, ensure_ascii=False, indent=1)

    def save(self, path: Path) -> None:
        path.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Encoding:
        """Raises ``EncodingError`` when the file is missing or does not read."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            categories = {name: tuple(values) for name, values in content["categories"].items()}
            return cls(tuple(content["names"]), categories)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise EncodingError(f"{path} does not read as an encoding: {error}") from error
