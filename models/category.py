"""How likely a member buys in a category: one model for all categories, those yet to come too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact, ArtifactError
from models.errors import ModelError
from models.propensity import Propensity
from models.trees import positions

KIND = "propensity-category"
POPULAR_DAYS = 90.0
PAIR = (
    "category_interest", "category_share", "category_seen_days", "category_bought_days",
    "category_popularity",
)  # fmt: skip
_INTEREST, _SEEN, _BOUGHT = "interest__", "seen_days__", "bought_days__"
_CHUNK = 200_000  # pairs at a time: bounds the memory of the table


@dataclass(frozen=True, eq=False)
class PairTable:
    """Turns member rows into one row per member and category.

    member_names: the member features that are read. Those of single categories stand in the table
        only through the category that a row is about: what is learned of one holds for the others.
    features: the name that each category with features of its own has there.
    """

    member_names: tuple[str, ...]
    features: tuple[str, ...]

    @property
    def own(self) -> tuple[str, ...]:
        """The member features that do not depend on the category."""
        per_category = (_INTEREST, _SEEN, _BOUGHT)
        return tuple(name for name in self.member_names if not name.startswith(per_category))

    @property
    def names(self) -> tuple[str, ...]:
        """What stands in which column of ``rows``."""
        return (*self.own, *PAIR)

    def popularity(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """(categories,) share of the members who bought in each within the last 90 days."""
        columns = [self.member_names.index(_BOUGHT + name) for name in self.features]
        return np.asarray((values[:, columns] <= POPULAR_DAYS).mean(axis=0), dtype=np.float64)

    def rows(
        self, values: NDArray[np.float32], asked: Sequence[int], popularity: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """(n × m, columns): all categories of the first member, then of the second, …

        Args:
            values: (n, ``member_names``).
            asked: (m,) positions in ``features``; -1 is a category without features of its own, of
                which all is missing.
            popularity: (categories,) of ``popularity``.
        """
        place = {name: column for column, name in enumerate(self.member_names)}
        interests = values[:, [place[_INTEREST + name] for name in self.features]]
        total = np.maximum(interests.sum(axis=1), np.float32(1e-6))
        pairs = np.full((len(values), len(asked), len(PAIR)), np.nan, dtype=np.float32)
        for j, number in enumerate(asked):
            if number < 0:
                continue
            name = self.features[number]
            pairs[:, j, 0] = interests[:, number]
            pairs[:, j, 1] = interests[:, number] / total
            if _SEEN + name in place:
                pairs[:, j, 2] = values[:, place[_SEEN + name]]
            pairs[:, j, 3] = values[:, place[_BOUGHT + name]]
            pairs[:, j, 4] = popularity[number]
        own = np.repeat(values[:, [place[name] for name in self.own]], len(asked), axis=0)
        return np.hstack([own, pairs.reshape(-1, len(PAIR))])


@dataclass(frozen=True, eq=False)
class CategoryPropensity:
    """A fitted model over pairs of members and categories.

    propensity: reads the columns of ``table.names``.
    categories: what the workspace calls each of ``table.features``.
    popularity: (categories,) when the model was fitted.
    """

    propensity: Propensity
    table: PairTable
    categories: tuple[str, ...]
    popularity: NDArray[np.float64]

    def predict(
        self, values: NDArray[np.float32], names: tuple[str, ...], categories: Sequence[str]
    ) -> NDArray[np.float64]:
        """Probability of a purchase in each category within the horizon, (n, m), inside 0 and 1.

        A category that is new, or too small for features of its own, gets what members like these
        do in such categories.

        Args:
            values: (n, features) encoded features of the members.
            names: what stands in which column; may hold more than the model reads, in any order.
            categories: (m,) as the workspace calls them.

        Raises:
            ModelError: a feature that the model reads is missing, or the columns do not fit.
        """
        if values.ndim != 2 or values.shape[1] != len(names):
            raise ModelError(f"values are {values.shape}, wanted (rows, {len(names)})")
        columns = positions(self.table.member_names, names)
        position = {category: number for number, category in enumerate(self.categories)}
        asked = [position.get(category, -1) for category in categories]
        promised = np.empty((len(values), len(asked)))
        step = max(_CHUNK // max(len(asked), 1), 1)
        for start in range(0, len(values) if asked else 0, step):
            part = values[start : start + step]
            read = part if columns is None else part[:, columns]
            rows = self.table.rows(read, asked, self.popularity)
            said = self.propensity.predict(rows, self.table.names)
            promised[start : start + step] = said.reshape(len(part), len(asked))
        return promised

    def save(self, folder: Path) -> None:
        config = {
            "member_names": list(self.table.member_names),
            "features": list(self.table.features),
            "categories": list(self.categories),
        }
        Artifact(KIND, config, {"popularity": self.popularity}).save(folder)
        self.propensity.save(folder / "pairs")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises ``ArtifactError``: another kind of model, or parts that do not fit each other."""
        stored = Artifact.load(folder, KIND)
        try:
            config = stored.config
            table = PairTable(tuple(config["member_names"]), tuple(config["features"]))
            categories, popularity = tuple(config["categories"]), stored.arrays["popularity"]
        except (KeyError, TypeError) as error:
            raise ArtifactError(f"{folder} is not a readable {KIND} model: {error}") from error
        propensity = Propensity.load(folder / "pairs")
        told = {len(table.features), len(categories), len(popularity)}
        if len(told) != 1 or not {*propensity.names} <= {*table.names}:
            raise ArtifactError(f"{folder}: parts of the {KIND} model do not fit each other")
        return cls(propensity, table, categories, popularity)
