"""Factors of a member from what they met, the items' factors held still: one step of ALS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.histories import Histories

Stack = NDArray[np.float32]  # (members, size, factors): members of histories of one size
_MOST_ENTRIES = 2_000_000  # of a stack
_THREADS_FROM = 1_000  # members; fewer are solved before threads have started


@dataclass(frozen=True, eq=False)
class FoldIn:
    """Solves for members, exactly.

    A member's factors are ``(G + Yᵤᵀ(Cᵤ − I)Yᵤ)⁻¹ Yᵤᵀ cᵤ``, with G the Gram matrix of all items
    plus the regularisation, Yᵤ the factors of the items met and ``c = 1 + confidence × weight``.
    With ``G⁻¹ = LLᵀ``, ``Z = YL`` and ``D = C − I`` that is ``L(I + ZᵀDZ)⁻¹Zᵀc``, and by the
    identity of Woodbury ``LZᵀ(D⁻¹ + ZZᵀ)⁻¹D⁻¹c``: a system of the size of the history, which for
    most members is far below the number of factors.

    Source: Hu, Koren and Volinsky, ICDM 2008, equation 4.
    """

    item_factors: NDArray[np.float32]  # (items, factors) Y
    root: NDArray[np.float64]  # (factors, factors) L, lower
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
        seen = item_factors[learned].astype(np.float64)
        gram = seen.T @ seen + regularization * np.eye(seen.shape[1])
        root = np.asarray(np.linalg.cholesky(np.linalg.inv(gram)), dtype=np.float64)
        return cls(item_factors, root, confidence)

    def factors(self, histories: Histories) -> NDArray[np.float32]:
        """(members, factors); zeros for an empty history."""
        solved = np.zeros((len(histories), len(self.root)), dtype=np.float32)
        root = self.root.astype(np.float32)
        met, place = np.unique(histories.items, return_inverse=True)
        # Single precision, as the factors have it, halves what has to be moved.
        turned = self.item_factors[met] @ root
        sizes = np.diff(histories.starts)

        def solve(members: NDArray[np.int64]) -> None:
            entries = histories.starts[members, None] + np.arange(sizes[members[0]])
            extra = self.confidence * histories.weights[entries].astype(np.float64)
            solved[members] = _solved(turned[place[entries]], extra)

        parts = list(self._alike(sizes))
        # Each part has its own members, so that the answer does not depend on who solves it.
        if len(histories) >= _THREADS_FROM:
            with ThreadPoolExecutor(os.cpu_count()) as threads:
                list(threads.map(solve, parts))
        else:
            for part in parts:
                solve(part)
        return np.asarray(solved @ root.T, dtype=np.float32)

    def _alike(self, sizes: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Members of histories of one size, so many that their stack is not too large."""
        for size in np.unique(sizes[sizes > 0]).tolist():
            step = max(1, _MOST_ENTRIES // (size * len(self.root)))
            members = np.flatnonzero(sizes == size)
            for start in range(0, len(members), step):
                yield members[start : start + step]


def _solved(met: Stack, extra: NDArray[np.float64]) -> NDArray[np.float64]:
    """(members, factors) before they are turned by L.

    Args:
        met: of the items met, Z.
        extra: (members, size) the diagonal of D.
    """
    across = met.transpose(0, 2, 1)
    size, factors = met.shape[1:]
    diagonal = np.arange(min(size, factors))
    if size < factors:
        small = (met @ across).astype(np.float64)
        small[:, diagonal, diagonal] += 1 / extra
        shares = np.linalg.solve(small, ((1 + extra) / extra)[:, :, None])
        found = across @ shares.astype(np.float32)
    else:
        across = across.astype(np.float64)
        gram = (across * extra[:, None, :]) @ across.transpose(0, 2, 1)
        gram[:, diagonal, diagonal] += 1
        found = np.linalg.solve(gram, across @ (1 + extra)[:, :, None])
    return np.asarray(found[:, :, 0], dtype=np.float64)
