"""Propensity: how likely something happens to a member within a horizon, sent a push or not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact, ArtifactError
from models.calibration import Platt
from models.habit import Habit
from models.linear import Linear
from models.trees import Trees

KIND = "propensity"


Part = Trees | Linear | Habit


@dataclass(frozen=True, eq=False)
class Blend:
    """Several models of the same outcome, one of each kind; their log odds count alike."""

    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ArtifactError("no model at all, wanted at least one")

    @property
    def names(self) -> tuple[str, ...]:
        """What the parts read, each name once."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.names))

    def score(self, values: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.float64]:
        """Raw scores (n,), as of ``Trees.score``."""
        total = self.parts[0].score(values, names)
        for part in self.parts[1:]:
            total = total + part.score(values, names)
        return np.asarray(total / len(self.parts))


Scorer = Part | Blend


@dataclass(frozen=True, eq=False)
class Propensity:
    """A fitted model: one or several scorers on a member's features, then Platt scaling.

    scorer: its score is log odds, not yet calibrated.
    horizon_days: what is asked about lies within this many days.
    outcome: what is asked about, such as ``buy`` or ``lapse``.
    """

    scorer: Scorer
    horizon_days: int
    calibration: Platt
    outcome: str = "buy"

    @property
    def names(self) -> tuple[str, ...]:
        """The features that the model reads."""
        return self.scorer.names

    def predict(self, values: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.float64]:
        """Probability of the outcome within the horizon, (n,), strictly between 0 and 1.

        Args:
            values: (n, features) encoded features of the members.
            names: what stands in which column; may hold more than the model reads, in any order.

        Raises:
            ModelError: a feature that the model reads is missing, or the columns do not fit.
        """
        return self.calibration.probability(self.scorer.score(values, names))

    def save(self, folder: Path) -> None:
        parts = self.scorer.parts if isinstance(self.scorer, Blend) else (self.scorer,)
        config: dict[str, Any] = {
            "horizon_days": self.horizon_days,
            "calibration": asdict(self.calibration),
            "outcome": self.outcome,
            "parts": {},
        }
        arrays: dict[str, NDArray[Any]] = {}
        texts = {}
        for part in parts:
            match part:
                case Trees():
                    config["parts"]["trees"] = list(part.names)
                    texts["booster"] = part.text()
                case Linear():
                    config["parts"]["linear"] = list(part.names)
                    arrays = part.arrays()
                case Habit():
                    config["parts"]["habit"] = asdict(part)
        Artifact(KIND, config, arrays, texts).save(folder)

    @classmethod
    def load(cls, folder: Path, threads: int | None = None) -> Self:
        """Read what ``save`` wrote; check the files' hashes first where they came from elsewhere.

        Args:
            threads: that one call uses, as of ``Trees``.

        Raises:
            ArtifactError: another kind of model, or parts that do not fit each other.
        """
        stored = Artifact.load(folder, KIND)
        try:
            config = stored.config
            parts = tuple(
                _part(kind, told, stored, threads) for kind, told in config["parts"].items()
            )
            scorer = Blend(parts) if len(parts) != 1 else parts[0]
            calibration = Platt(**config["calibration"])
            return cls(scorer, int(config["horizon_days"]), calibration, str(config["outcome"]))
        except (ArtifactError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{folder} is not a readable {KIND} model: {error}") from error


def _part(kind: str, told: Any, stored: Artifact, threads: int | None) -> Part:
    match kind:
        case "trees":
            return Trees.read(stored.texts["booster"], tuple(told), threads)
        case "linear":
            return Linear.read(stored.arrays, tuple(told))
        case "habit":
            return Habit(**told)
        case _:
            raise ArtifactError(f"it has a part of kind {kind!r}")
