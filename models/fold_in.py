"""Factors of a member from what they met, the items' factors held still: one step of ALS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.histories import Histories


@dataclass(frozen=True, eq=False)
class FoldIn:
    """Solves for members, one at a time, exactly.

    A member's factors are ``(G + Yᵤᵀ(Cᵤ − I)Yᵤ)⁻¹ Yᵤᵀ cᵤ``, with G the Gram matrix of all items
    plus the regularisation, Yᵤ the factors of the items met and ``c = 1 + confidence × weight``.
    Most members met fewer items than there are factors: then the identity of Woodbury turns this
    into a system of the size of the history, with G inverted once for all.

    Source: Hu, Koren and Volinsky, ICDM 2008, equation 4.
    """

    item_factors: NDArray[np.float64]  # (items, factors)
    gram: NDArray[np.float64]  # (factors, factors) G
    inverse: NDArray[np.float64]  # of G
    confidence: float  # added to 1 for each unit of weight

    @classmethod
    def of(
        cls,
        item_factors: NDArray[np.float32],
        learned: NDArray[np.bool_],
        regularization: float,
        confidence: float,
    ) -> Self:
        """Args: learned: (items,) which items the factorisation was fitted on; G is of these."""
        wide = item_factors.astype(np.float64)
        seen = wide[learned]
        gram = seen.T @ seen + regularization * np.eye(wide.shape[1])
        inverse = np.asarray(np.linalg.inv(gram), dtype=np.float64)
        return cls(wide, gram, inverse, confidence)

    def factors(self, histories: Histories) -> NDArray[np.float32]:
        """(members, factors); zeros for an empty history."""
        found = np.zeros((len(histories), len(self.inverse)), dtype=np.float32)
        # One product for all items met rather than one a member: half the work of many members.
        met, place = np.unique(histories.items, return_inverse=True)
        known = self.item_factors[met]
        ready = known @ self.inverse
        for member in range(len(histories)):
            part = slice(histories.starts[member], histories.starts[member + 1])
            rows = place[part]
            extra = self.confidence * histories.weights[part].astype(np.float64)
            if len(rows) == 0:
                continue
            if len(rows) < len(self.inverse):
                # (G + YᵀDY)⁻¹ Yᵀc = G⁻¹Yᵀ (D⁻¹ + YG⁻¹Yᵀ)⁻¹ D⁻¹ c, with D = C − I
                small = ready[rows] @ known[rows].T
                small[np.diag_indices(len(rows))] += 1 / extra
                found[member] = np.linalg.solve(small, (1 + extra) / extra) @ ready[rows]
            else:
                gram = self.gram + (known[rows].T * extra) @ known[rows]
                found[member] = np.linalg.solve(gram, known[rows].T @ (1 + extra))
        return found
