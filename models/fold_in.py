"""Factors of a member from what they met, the items' factors held still: one step of ALS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.histories import Histories

Stack = NDArray[np.float64]  # (members, size, factors): members of histories of one size
_MOST_ENTRIES = 4_000_000  # of a stack


@dataclass(frozen=True, eq=False)
class FoldIn:
    """Solves for members, exactly.

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
        found = np.zeros((len(histories), len(self.gram)), dtype=np.float32)
        # One product for all items met rather than one a member.
        met, place = np.unique(histories.items, return_inverse=True)
        known = self.item_factors[met]
        ready = known @ self.inverse
        sizes = np.diff(histories.starts)
        for size in np.unique(sizes[sizes > 0]).tolist():
            step = max(1, _MOST_ENTRIES // (size * len(self.gram)))
            alike = np.flatnonzero(sizes == size)
            for start in range(0, len(alike), step):
                members = alike[start : start + step]
                entries = histories.starts[members, None] + np.arange(size)
                rows = place[entries]
                extra = self.confidence * histories.weights[entries].astype(np.float64)
                found[members] = (
                    self._short(known[rows], ready[rows], extra)
                    if size < len(self.gram)
                    else self._long(known[rows], extra)
                )
        return found

    def _short(self, met: Stack, ready: Stack, extra: NDArray[np.float64]) -> NDArray[np.float64]:
        """(members, factors) by the identity of Woodbury.

        ``(G + YᵀDY)⁻¹ Yᵀc = G⁻¹Yᵀ (D⁻¹ + YG⁻¹Yᵀ)⁻¹ D⁻¹ c`` with D = C − I.

        Args:
            met: (members, size, factors) of the items met. ready: the same times G⁻¹.
            extra: (members, size) of the diagonal of D.
        """
        small = ready @ met.transpose(0, 2, 1)
        diagonal = np.arange(met.shape[1])
        small[:, diagonal, diagonal] += 1 / extra
        solved = np.linalg.solve(small, ((1 + extra) / extra)[:, :, None])
        return np.asarray((solved * ready).sum(axis=1), dtype=np.float64)

    def _long(self, met: Stack, extra: NDArray[np.float64]) -> NDArray[np.float64]:
        """(members, factors) as the formula has it."""
        across = met.transpose(0, 2, 1)
        grams = self.gram + (across * extra[:, None, :]) @ met
        solved = np.linalg.solve(grams, across @ (1 + extra)[:, :, None])
        return np.asarray(solved[:, :, 0], dtype=np.float64)
