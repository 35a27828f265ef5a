"""What past pushes tell about rules: their decisions, scored, with what was known of the members.

A release carries it, so that a scorer can judge a rule without training code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact, ArtifactError

KIND = "evidence"
_ARRAYS = (
    "moment", "push", "candidates", "sent", "probability", "member", "gain", "conversions",
    "gain_in_scope", "conversions_in_scope", "predicted", "predicted_conversions", "converted",
    "converted_in_scope",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PastOffer:
    """An offer of the past, with its scope; both empty: everything sold."""

    offer_id: str
    categories: tuple[str, ...]
    item_ids: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Evidence:
    """n decisions of past pushes; each push had at most k candidates.

    offers: every offer that was a candidate. moments: as of when the members'
        features were taken, oldest first.
    drawn: whether chance had a part in them, with probabilities that are known.
    moment: (n,) row of ``moments``. push: (n,) number. candidates: (pushes, k) rows of ``offers``,
        -1 where there are fewer. sent: (n,) row of ``offers``, -1 for no send.
    probability: (n,) of what was done. member: (n,) number of the member.
    gain, conversions: (n, k) doubly robust scores of each candidate against no send, in money and
        in conversions. gain_in_scope, conversions_in_scope: the same of conversions in the scope
        of the push alone, beside fewer that come anyway; of all where too few are in scope.
    predicted, predicted_conversions: (n, k) what the model promised of both out of fold.
    converted, converted_in_scope: (n,).
    values: (n, features) as known at the row's moment, by the encoding that lies beside.
    """

    offers: tuple[PastOffer, ...]
    moments: tuple[datetime, ...]
    drawn: bool
    moment: NDArray[np.int32]
    push: NDArray[np.int32]
    candidates: NDArray[np.int32]
    sent: NDArray[np.int32]
    probability: NDArray[np.float32]
    member: NDArray[np.int32]
    gain: NDArray[np.float32]
    conversions: NDArray[np.float32]
    gain_in_scope: NDArray[np.float32]
    conversions_in_scope: NDArray[np.float32]
    predicted: NDArray[np.float32]
    predicted_conversions: NDArray[np.float32]
    converted: NDArray[np.bool_]
    converted_in_scope: NDArray[np.bool_]
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        n, k = len(self.push), self.candidates.shape[1]
        wanted = {
            "moment": (n,), "sent": (n,), "probability": (n,), "member": (n,), "converted": (n,),
            "converted_in_scope": (n,), "gain": (n, k), "conversions": (n, k),
            "gain_in_scope": (n, k), "conversions_in_scope": (n, k), "predicted": (n, k),
            "predicted_conversions": (n, k),
            "values": (n, self.values.shape[-1]),
        }  # fmt: skip
        for name, shape in wanted.items():
            found = getattr(self, name).shape
            if found != shape:
                raise ArtifactError(f"{name} of the evidence is {found}, wanted {shape}")
        for name, most in (
            ("moment", len(self.moments)),
            ("push", len(self.candidates)),
            ("sent", len(self.offers)),
            ("candidates", len(self.offers)),
        ):
            rows = getattr(self, name)
            least = 0 if name in ("moment", "push") else -1
            if rows.size and not (least <= rows.min() and rows.max() < most):
                raise ArtifactError(f"{name} of the evidence names a row beyond its {most}")

    def __len__(self) -> int:
        return len(self.push)

    def save(self, folder: Path) -> None:
        """Write into ``folder``: an artifact, and the features apart, to be memory-mapped."""
        config = {
            "offers": [
                [one.offer_id, list(one.categories), list(one.item_ids)] for one in self.offers
            ],
            "moments": [moment.isoformat() for moment in self.moments],
            "drawn": self.drawn,
        }
        Artifact(KIND, config, {name: getattr(self, name) for name in _ARRAYS}).save(folder)
        # By column: a rule reads a few of them.
        np.save(folder / "values.npy", np.asfortranarray(self.values), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote; the features stay on disk until they are read.

        Raises:
            ArtifactError: nothing there, or parts that do not fit each other.
        """
        stored = Artifact.load(folder, KIND)
        config = stored.config
        try:
            values = np.load(folder / "values.npy", mmap_mode="r", allow_pickle=False)
            return cls(
                offers=_offers(config["offers"]),
                moments=tuple(datetime.fromisoformat(one) for one in config["moments"]),
                drawn=config["drawn"],
                values=values,
                **{name: stored.arrays[name] for name in _ARRAYS},
            )
        except (OSError, KeyError, TypeError, ValueError, IndexError) as error:
            raise ArtifactError(f"{folder} is not readable {KIND}: {error}") from error


def _offers(stored: Sequence[Sequence[Any]]) -> tuple[PastOffer, ...]:
    return tuple(PastOffer(name, tuple(of), tuple(items)) for name, of, items in stored)
