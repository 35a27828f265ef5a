"""Fit the graph filter: nearest items and leading directions of what members met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.graph_filter import GraphFilter
from models.histories import Histories
from training.interactions import Interactions

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_FEW_ITEMS = 1_500  # up to as many, all directions of the Gram matrix are found at once
_MOST_ENTRIES = 16_000_000  # of a block of the Gram matrix


@dataclass(frozen=True, slots=True)
class GraphSettings:
    """Settings of the graph filter.

    rank: directions of the low pass, at most.
    low_pass: what they count beside the neighbours.
    nearest: neighbours kept of each item.
    tilt: exponent of an item's degree, as a multiple of the mean degree, by which its similarities
        are multiplied. 0 is GF-CF as published; above it, items that many met count more.
    """

    rank: int = 256
    low_pass: float = 0.3
    nearest: int = 300
    tilt: float = 0.1


def fit_graph_filter(met: Interactions, settings: GraphSettings) -> GraphFilter:
    """The same input gives the same model; nothing is drawn.

    Source: Shen et al., "How powerful is graph convolution for recommendation?", CIKM 2021.
    """
    from threadpoolctl import threadpool_limits

    matrix = as_matrix(met, met.weights)
    degrees = np.asarray(matrix.sum(axis=0), dtype=np.float64).ravel()
    with threadpool_limits(1, "blas"):  # one thread sums in one order
        normal = normalised(matrix)
        directions, strengths = leading_directions(normal, settings.rank)
    tilts = (degrees / degrees.mean()) ** settings.tilt
    neighbours, similarity = nearest_items(normal, settings.nearest, tilts)
    return GraphFilter(
        met.member_ids,
        met.item_ids,
        Histories.of(len(met.member_ids), met.members, met.items, met.weights),
        neighbours,
        similarity,
        directions,
        strengths,
        degrees.astype(np.float32),
        met.popularity,
        settings.low_pass,
    )


def as_matrix(met: Interactions, weights: NDArray[np.float64]) -> csr_matrix:
    """(members, items), sparse."""
    from scipy.sparse import csr_matrix

    shape = (len(met.member_ids), len(met.item_ids))
    return csr_matrix((weights.astype(np.float32), (met.members, met.items)), shape=shape)


def normalised(matrix: csr_matrix) -> csr_matrix:
    """Every entry over the roots of the sums of its row and of its column."""
    from scipy.sparse import diags

    def root(axis: int) -> Any:
        sums = np.asarray(matrix.sum(axis=axis), dtype=np.float64).ravel()
        return diags(1 / np.sqrt(np.where(sums > 0, sums, 1.0)))

    return (root(1) @ matrix @ root(0)).tocsr().astype(np.float32)


def leading_directions(
    normal: csr_matrix, rank: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Right singular vectors (items, rank) and their singular values (rank,), greatest first."""
    from scipy.sparse.linalg import svds

    most = max(1, min(rank, min(normal.shape) - 1))
    if normal.shape[1] <= _FEW_ITEMS or most == min(normal.shape):
        gram = (normal.T @ normal).toarray().astype(np.float64)
        squares, vectors = np.linalg.eigh(gram)  # weakest first
        values = np.sqrt(np.maximum(squares, 0))
    else:
        start = np.full(min(normal.shape), 1 / np.sqrt(min(normal.shape)))
        _, values, across = svds(normal, k=most, v0=start, tol=1e-4)  # weakest first
        vectors = across.T
    directions = np.ascontiguousarray(vectors[:, ::-1][:, :most], dtype=np.float32)
    return directions, values[::-1][:most].astype(np.float32)


def nearest_items(
    normal: csr_matrix, nearest: int, tilts: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The ``nearest`` items of each item by the Gram matrix of ``normal``, itself among them.

    A block of the matrix at a time, so that memory grows with the items and not with their square.

    Args:
        tilts: (items,) by which the similarities of an item are multiplied.

    Returns:
        (items, width) row numbers and similarities; 0 and 0 where an item has fewer neighbours.
    """
    from scipy.sparse import diags

    items = normal.shape[1]
    width = max(1, min(nearest, items))
    neighbours = np.zeros((items, width), dtype=np.int32)
    similarity = np.zeros((items, width), dtype=np.float32)
    tilted = (normal @ diags(tilts)).tocsr().astype(np.float32)
    across = tilted.T.tocsr()
    step = int(np.clip(_MOST_ENTRIES // items, 1, 4_096))
    for start in range(0, items, step):
        block = (across[start : start + step] @ tilted).tocsr()
        for row in range(block.shape[0]):
            part = slice(block.indptr[row], block.indptr[row + 1])
            found, near = block.indices[part], block.data[part]
            # Nearest first, equal ones by item, so that the same data keep the same neighbours.
            order = np.lexsort((found, -near)) if len(near) <= width else _top(found, near, width)
            neighbours[start + row, : len(order)] = found[order]
            similarity[start + row, : len(order)] = near[order]
    return neighbours, similarity


def _top(found: NDArray[np.int32], near: NDArray[np.float32], width: int) -> NDArray[np.int64]:
    worst = np.partition(near, len(near) - width)[len(near) - width]
    left = np.flatnonzero(near >= worst)
    return left[np.lexsort((found[left], -near[left]))][:width]
