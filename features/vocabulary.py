"""The categories that have affinity columns of their own, frozen once per workspace."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from features.errors import FeatureError
from features.workspace import write_atomically

LARGEST = 24
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Categories, most members first, and the name that each has inside a feature's name.

    categories: as in the data. features: the same with everything but letters, digits and ``-``
    as ``_``, made unique: model and store formats do not carry every character.
    """

    categories: tuple[str, ...]
    features: tuple[str, ...]

    @classmethod
    def of(cls, categories: Sequence[str]) -> Vocabulary:
        names: list[str] = []
        for category in categories:
            name = re.sub(r"[^\w-]", "_", category)
            while name in names or name.endswith("_y"):  # the store drops columns ending in _y
                name += "_"
            names.append(name)
        return cls(tuple(categories), tuple(names))

    @property
    def called(self) -> dict[str, str]:
        """The category behind each name in features."""
        return dict(zip(self.features, self.categories, strict=True))

    def save(self, path: Path) -> None:
        content = {"categories": self.categories, "features": self.features}
        write_atomically(path, json.dumps(content, ensure_ascii=False, indent=1).encode())

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Raises ``FeatureError`` when the file does not read."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(tuple(content["categories"]), tuple(content["features"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FeatureError(
                f"{path} does not read as a vocabulary ({error}); delete {path.parent} and build "
                "the features again"
            ) from error
