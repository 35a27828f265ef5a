"""Logistic regression over named columns, with all that makes raw features fit for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import ArtifactError
from models.errors import ModelError
from models.row_sums import row_sums
from models.trees import positions

CHUNK = 16_384  # rows at a time: bounds the memory of the prepared table
# No outlier steers a fit, and no value beyond what was trained on runs away with a score.
FURTHEST = 4.0  # standard deviations


@dataclass(frozen=True, eq=False)
class Preparation:
    """From raw columns to the numbers that a linear model weighs.

    A number becomes its distance from the mean in standard deviations, held to ±4, after
    ``sign(x) log(1 + |x|)`` where it is skewed; a missing one counts as the mean. Beside it may
    stand an indicator of being missing. A category, of which the code is a name and no amount,
    becomes one indicator for each code met in training; missing, or never met, it is none of them.

    numbers: (k,) columns that hold numbers. logs: (k,) which of them are skewed.
    mean, scale: (k,) after the logarithm; the scale is above 0.
    missing: (g,) columns that have an indicator of being missing.
    coded: (c,) columns of the category indicators, and codes: (c,) what each of them waits for.
    """

    numbers: NDArray[np.int64]
    logs: NDArray[np.bool_]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    missing: NDArray[np.int64]
    coded: NDArray[np.int64]
    codes: NDArray[np.float64]

    @property
    def width(self) -> int:
        """Columns of a prepared table."""
        return len(self.numbers) + len(self.missing) + len(self.coded)

    def table(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, ``width``) numbers, indicators of missing, indicators of categories."""
        numbers = spread(values[:, self.numbers].astype(np.float64), self.logs)
        standard = np.clip((numbers - self.mean) / self.scale, -FURTHEST, FURTHEST)
        return np.hstack(
            [
                np.nan_to_num(standard, copy=False, nan=0.0),
                np.isnan(values[:, self.missing]),
                values[:, self.coded] == self.codes,
            ]
        )


def spread(numbers: NDArray[np.float64], logs: NDArray[np.bool_]) -> NDArray[np.float64]:
    """``numbers`` (n, k), the columns ``logs`` as ``sign(x) log(1 + |x|)``; NaN stays NaN."""
    spread_out = numbers.copy()
    skewed = numbers[:, logs]
    spread_out[:, logs] = np.sign(skewed) * np.log1p(np.abs(skewed))
    return spread_out


@dataclass(frozen=True, eq=False)
class Linear:
    """A fitted logistic regression and the names of what it reads, in its order.

    weights: (``preparation.width``,) log odds for each prepared column.
    """

    names: tuple[str, ...]
    preparation: Preparation
    weights: NDArray[np.float64]
    intercept: float

    def score(self, values: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.float64]:
        """Raw scores (n,): log odds, not yet calibrated.

        A member gets the same score alone as among others, to the last bit.

        Args:
            values: (n, columns) numbers.
            names: what stands in which column; may hold more than the model reads, in any order.

        Raises:
            ModelError: a column that the model reads is missing, or the shapes do not fit.
        """
        if values.ndim != 2 or values.shape[1] != len(names):
            raise ModelError(f"values are {values.shape}, wanted (rows, {len(names)})")
        columns = positions(self.names, names)
        scores = np.empty(len(values))
        for start in range(0, len(values), CHUNK):
            part = values[start : start + CHUNK]
            table = self.preparation.table(part if columns is None else part[:, columns])
            scores[start : start + CHUNK] = row_sums(table * self.weights)
        return scores + self.intercept

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it but the names, for an artifact; ``read`` takes it back."""
        parts = {name: getattr(self.preparation, name) for name in _PARTS}
        return {**parts, "weights": self.weights, "intercept": np.array(self.intercept)}

    @classmethod
    def read(cls, arrays: Mapping[str, NDArray[Any]], names: tuple[str, ...]) -> Self:
        """Raises ``ArtifactError`` when ``arrays`` are no model over the columns ``names``."""
        try:
            preparation = Preparation(**{name: arrays[name] for name in _PARTS})
            made = cls(names, preparation, arrays["weights"], float(arrays["intercept"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"not a linear model: {error}") from error
        _check(made)
        return made


_PARTS = ("numbers", "logs", "mean", "scale", "missing", "coded", "codes")


def _check(model: Linear) -> None:
    """Refuse parts that do not fit each other, before they give a wrong score or none."""
    told = model.preparation
    groups = ((told.numbers, told.logs, told.mean, told.scale), (told.coded, told.codes))
    for group in (*groups, (told.missing,), (model.weights, np.empty(told.width))):
        if any(part.shape != (len(group[0]),) for part in group):
            raise ArtifactError("parts of the linear model are not of the same length")
    for columns in (told.numbers, told.missing, told.coded):
        if columns.dtype.kind != "i" or (columns < 0).any() or (columns >= len(model.names)).any():
            raise ArtifactError(f"the linear model reads a column beyond its {len(model.names)}")
    if not (np.isfinite(model.weights).all() and np.isfinite(model.intercept)):
        raise ArtifactError("the linear model has a weight that is not finite")
    if not (np.isfinite(told.mean).all() and (told.scale > 0).all()) or told.logs.dtype != np.bool_:
        raise ArtifactError("the linear model's preparation is damaged")
