"""Purchase propensity: how likely a member buys within a horizon, sent a push or not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact, ArtifactError
from models.calibration import Platt
from models.errors import ModelError

KIND = "propensity"
# Threads cost more than they save on small calls, and a child forked after a threaded call hangs.
_ONE_THREAD_BELOW = 50_000


@dataclass(frozen=True, eq=False)
class Propensity:
    """A fitted model: boosted trees on a member's features, then Platt scaling.

    booster: a ``lightgbm.Booster`` whose raw score is log odds.
    feature_names: what the booster reads, in its order. Category features are the codes of the
        feature encoding; NaN is missing.
    horizon_days: the outcome is any purchase within this many days.
    """

    booster: Any
    feature_names: tuple[str, ...]
    horizon_days: int
    calibration: Platt

    def predict(self, values: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.float64]:
        """Probability of a purchase within the horizon, (n,), strictly between 0 and 1.

        Args:
            values: (n, features) encoded features of the members.
            names: what stands in which column; may hold more than the model reads, in any order.

        Raises:
            ModelError: a feature that the model reads is missing, or the columns do not fit.
        """
        return self.calibration.probability(self.score(values, names))

    def score(self, values: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.float64]:
        """Uncalibrated log odds, (n,); arguments and errors of ``predict``."""
        if values.ndim != 2 or values.shape[1] != len(names):
            raise ModelError(f"values are {values.shape}, wanted (members, {len(names)})")
        if not len(values):
            return np.zeros(0)
        columns = _columns(self.feature_names, names)
        chosen = np.ascontiguousarray(values if columns is None else values[:, columns])
        threads = 1 if len(chosen) < _ONE_THREAD_BELOW else 0  # 0: as many as there are cores
        scores = self.booster.predict(chosen, raw_score=True, num_threads=threads)
        return np.asarray(scores, dtype=np.float64)

    def save(self, folder: Path) -> None:
        config = {
            "feature_names": list(self.feature_names),
            "horizon_days": self.horizon_days,
            "calibration": asdict(self.calibration),
        }
        Artifact(KIND, config, texts={"booster": self.booster.model_to_string()}).save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote; check the files' hashes first where they came from elsewhere.

        Raises:
            ArtifactError: another kind of model, or parts that do not fit each other.
        """
        import lightgbm  # slow to import

        stored = Artifact.load(folder, KIND)
        try:
            booster = lightgbm.Booster(model_str=stored.texts["booster"])
            names = tuple(stored.config["feature_names"])
            calibration = Platt(**stored.config["calibration"])
            horizon_days = int(stored.config["horizon_days"])
        except (KeyError, TypeError, ValueError, lightgbm.basic.LightGBMError) as error:
            raise ArtifactError(f"{folder} is not a readable {KIND} model: {error}") from error
        if booster.num_feature() != len(names):
            raise ArtifactError(
                f"{folder}: the trees read {booster.num_feature()} features, {len(names)} are named"
            )
        return cls(booster, names, horizon_days, calibration)


@lru_cache(maxsize=32)
def _columns(wanted: tuple[str, ...], names: tuple[str, ...]) -> NDArray[np.int64] | None:
    """Where each wanted feature stands; ``None`` when all stand as wanted already."""
    if wanted == names:
        return None
    position = {name: column for column, name in enumerate(names)}
    missing = [name for name in wanted if name not in position]
    if missing:
        raise ModelError(
            f"the propensity model reads feature {missing[0]!r}, which is not among "
            f"the {len(names)} given ({len(missing)} missing); rebuild the features or retrain"
        )
    return np.array([position[name] for name in wanted], dtype=np.int64)
