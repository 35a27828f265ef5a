"""Purchase propensity: how likely a member buys within a horizon, sent a push or not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact, ArtifactError
from models.calibration import Platt
from models.trees import Trees

KIND = "propensity"


@dataclass(frozen=True, eq=False)
class Propensity:
    """A fitted model: boosted trees on a member's features, then Platt scaling.

    trees: their score is log odds, not yet calibrated.
    horizon_days: the outcome is any purchase within this many days.
    """

    trees: Trees
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
        return self.calibration.probability(self.trees.score(values, names))

    def save(self, folder: Path) -> None:
        config = {
            "feature_names": list(self.trees.names),
            "horizon_days": self.horizon_days,
            "calibration": asdict(self.calibration),
        }
        Artifact(KIND, config, texts={"booster": self.trees.text()}).save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote; check the files' hashes first where they came from elsewhere.

        Raises:
            ArtifactError: another kind of model, or parts that do not fit each other.
        """
        stored = Artifact.load(folder, KIND)
        try:
            trees = Trees.read(stored.texts["booster"], tuple(stored.config["feature_names"]))
            calibration = Platt(**stored.config["calibration"])
            return cls(trees, int(stored.config["horizon_days"]), calibration)
        except (ArtifactError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{folder} is not a readable {KIND} model: {error}") from error
