"""Boosted trees over named columns: what every LightGBM model here is made of."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import ArtifactError
from models.errors import ModelError

# Threads cost more than they save on small calls, and a child forked after a threaded call hangs.
ONE_THREAD_BELOW = 50_000


@dataclass(frozen=True, eq=False)
class Trees:
    """A fitted ``lightgbm.Booster`` and the names of what it reads, in its order.

    Category features are the codes of the feature encoding; NaN is missing.

    threads: that a call uses; None: one where there is little to do, else one for each core.
    """

    booster: Any
    names: tuple[str, ...]
    threads: int | None = None

    def score(self, values: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.float64]:
        """Raw scores (n,): log odds of a binary objective, the logarithm of a Poisson rate.

        Args:
            values: (n, columns) numbers.
            names: what stands in which column; may hold more than the trees read, in any order.

        Raises:
            ModelError: a column that the trees read is missing, or the shapes do not fit.
        """
        if values.ndim != 2 or values.shape[1] != len(names):
            raise ModelError(f"values are {values.shape}, wanted (rows, {len(names)})")
        if not len(values):
            return np.zeros(0)
        columns = positions(self.names, names)
        chosen = np.ascontiguousarray(values if columns is None else values[:, columns])
        threads = self.threads
        if threads is None:
            threads = 1 if len(chosen) < ONE_THREAD_BELOW else 0  # 0: as many as there are cores
        scores = self.booster.predict(chosen, raw_score=True, num_threads=threads)
        return np.asarray(scores, dtype=np.float64)

    def text(self) -> str:
        """LightGBM's own text format; ``read`` takes it back."""
        return str(self.booster.model_to_string())

    @classmethod
    def read(cls, text: str, names: tuple[str, ...], threads: int | None = None) -> Self:
        """Raises ``ArtifactError`` when ``text`` is no model over as many columns as ``names``.

        LightGBM may abort the process on a damaged text: check hashes before.
        """
        import lightgbm  # slow to import

        try:
            booster = lightgbm.Booster(model_str=text)
        except lightgbm.basic.LightGBMError as error:
            raise ArtifactError(f"not a LightGBM model: {error}") from error
        if booster.num_feature() != len(names):
            raise ArtifactError(
                f"the trees read {booster.num_feature()} columns, {len(names)} are named"
            )
        return cls(booster, names, threads)


@lru_cache(maxsize=64)
def positions(wanted: tuple[str, ...], names: tuple[str, ...]) -> NDArray[np.int64] | None:
    """Where each wanted name stands; ``None`` when all stand as wanted already.

    Raises:
        ModelError: a wanted name is not there.
    """
    if wanted == names:
        return None
    position = {name: column for column, name in enumerate(names)}
    missing = [name for name in wanted if name not in position]
    if missing:
        raise ModelError(
            f"the model reads feature {missing[0]!r}, which is not among the {len(names)} given "
            f"({len(missing)} missing); rebuild the features or retrain"
        )
    return np.array([position[name] for name in wanted], dtype=np.int64)


def import_lightgbm() -> None:
    """Import LightGBM without pandas and scikit-learn, which it imports where they are installed,
    for seconds. For a process that gives it arrays alone."""
    hidden = [name for name in ("pandas", "sklearn") if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment] # None: its import fails
    try:
        import lightgbm  # noqa: F401 imported for those who come later
    finally:
        for name in hidden:
            del sys.modules[name]
