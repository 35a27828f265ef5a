"""Taste: the recommender's view of items, as eight numbers of each member.

Each training of the recommender leaves a vector of every item it learned of, good from the moment
whose knowledge it was trained on. A build uses the newest version good by its moment, so that a
vector learned from later events is never seen earlier.
"""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path

import ibis
import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from features.affinity import decays
from features.engine import Engine
from features.errors import FeatureError
from features.learned import every_version, newest_version, version_files, version_path
from features.moments import STAMP, moment
from features.rolled import WEIGHTS, day_of, phase, typed
from features.workspace import Workspace, one_at_a_time, write_atomically

DIMENSIONS = 8
NAMES = tuple(f"taste_{number}" for number in range(1, DIMENSIONS + 1))
SCHEMA = ibis.schema({"item_id": "string", "good_from": STAMP, **dict.fromkeys(NAMES, "float64")})
_DECIMALS = 6  # the last bits of a product depend on the machine; these do not
# Weights are whole billionths and sums exact, so that they do not depend on the order of rows.
_UNIT = 1_000_000_000
_EXACT = "decimal(38, 6)"

Vectors = dict[str, NDArray[np.float64]]


def taste(roster: ir.Table, interest: ir.Table, vectors: ir.Table) -> ir.Table:
    """What each member of ``roster`` likes, in the recommender's own dimensions.

    A member's taste is the mean of the vectors of the items they touched (viewed, searched,
    wished for, took to the cart, bought), each with its decayed weight: Σ weight × 2^(−d / 30), d =
    whole days since, weights and days as in the view affinity. Items without a vector are left
    out. The vectors are those of the newest recommender trained on what was known at ``as_of`` or
    earlier, see ``remember_item_vectors``.

    Args:
        interest: of ``item_interest`` at the same moment.
        vectors: of ``known_vectors`` at the same moment.

    Returns:
        One row per member.
        taste_1 … taste_8: coordinates, from the direction in which items differ most to that in
            which they differ less; no unit, the root mean square length of all items is 1. Missing
            when no item touched has a vector, or all were touched a thousand days ago.
    """
    met = interest.join(vectors, "item_id")
    weight = (met.interest * _UNIT).round().cast(_EXACT)
    total = met.group_by("member_id").agg(
        weight=weight.sum(),
        **{name: (weight * met[name].cast(_EXACT)).sum() for name in NAMES},
    )
    joined = roster.left_join(total, "member_id")
    whole = joined.weight.cast("float64").nullif(0.0)
    return joined.select(
        "member_id", **{name: joined[name].cast("float64") / whole for name in NAMES}
    )


def item_interest(events: ir.Table, as_of: datetime) -> ir.Table:
    """How much each member cared for each item, as known at ``as_of``.

    Returns:
        One row per member and item with a view, search, wishlist, cart or purchase event of it.
        interest: Σ weight × 2^(−d / 30), the power to nine decimals; d = 0 for an event of the last
            24 hours, 1 for one of the 24 hours before, and so on; the weights of
            ``rolled.WEIGHTS``.
    """
    today = day_of(as_of)
    named = events.filter(events.item_id.notnull(), events["type"].isin(tuple(WEIGHTS)))
    dated = typed(named, phase(as_of))
    seen = dated.filter(dated.known_day < today)
    seen = seen.mutate(age=ibis.literal(today - 1, type="int32") - seen.day)
    seen = seen.left_join(decays(), "age")
    decayed = seen.billionths.fill_null(0) * seen["type"].cases(*WEIGHTS.items(), else_=0)
    return seen.group_by("member_id", "item_id").agg(interest=decayed.sum().cast("float64") / _UNIT)


def item_vectors(workspace: Workspace, engine: Engine) -> ir.Table:
    """Every version of the vectors that was remembered, schema ``SCHEMA``; of no moment yet."""
    return every_version(engine, "item_vectors", vector_files(workspace), SCHEMA)


def known_vectors(vectors: ir.Table, as_of: datetime) -> ir.Table:
    """The newest version good by ``as_of``: one row per item, ``item_id`` and its coordinates."""
    return newest_version(vectors, as_of).select("item_id", *NAMES)


def vector_files(workspace: Workspace) -> list[Path]:
    """One file a version, oldest first."""
    return version_files(workspace.item_vectors)


def remember_item_vectors(
    workspace: Workspace,
    as_of: datetime,
    item_ids: NDArray[np.bytes_],
    factors: NDArray[np.float32],
) -> None:
    """Keep what a recommender learned about items, for the view taste, good from ``as_of`` on.

    The factors are reduced to the ``DIMENSIONS`` directions in which the items' products differ
    most (a singular value decomposition), and scaled to a root mean square length of 1. Each
    training turns its space at will. So the result is turned to lie on the newest earlier version
    over the items they share (of the same moment before older ones; where there is none, on the
    oldest later one, which then lends its axes and no more): the columns keep their meaning.

    Args:
        item_ids: (items,) UTF-8, unique.
        factors: (items, factors) of a model fitted on what was known at ``as_of``.

    Raises:
        FeatureError: ``as_of`` has no offset, or factors that do not fit the items.

    Source: orthogonal Procrustes problem, Schönemann, Psychometrika 31, 1966.
    """
    as_of = moment(as_of)
    if factors.ndim != 2 or len(factors) != len(item_ids) or not np.isfinite(factors).all():
        raise FeatureError(
            f"factors of shape {factors.shape}, or not finite, for {len(item_ids)} items; wanted "
            "one row of finite numbers an item"
        )
    names = [item.decode() for item in item_ids.tolist()]
    vectors = dict(zip(names, _reduced(factors), strict=True))
    with one_at_a_time(workspace.item_vectors / ".lock"):
        path = version_path(workspace.item_vectors, as_of)
        reference = _reference(workspace, path)
        if reference is not None:
            vectors = _turned(vectors, reference)
        # Turned anew, the last decimals may differ: the same training again leaves the file alone.
        if not path.exists() or not _alike(vectors, _stored(path)):
            write_atomically(path, _content(as_of, vectors))


def _reduced(factors: NDArray[np.float32]) -> NDArray[np.float64]:
    """(items, ``DIMENSIONS``); zeros in the last columns where there are fewer factors."""
    wide = factors.astype(np.float64)
    _, directions = np.linalg.eigh(wide.T @ wide)  # weakest first, as columns
    kept = directions[:, ::-1][:, :DIMENSIONS]
    # A direction may point either way: its largest part is to be positive.
    largest = np.take_along_axis(kept, np.abs(kept).argmax(axis=0)[None, :], axis=0)
    reduced = np.zeros((len(wide), DIMENSIONS))
    reduced[:, : kept.shape[1]] = wide @ (kept * np.where(largest < 0, -1.0, 1.0))
    length = float(np.sqrt((reduced**2).sum() / max(len(reduced), 1)))
    return reduced / length if length > 0 else reduced


def _reference(workspace: Workspace, path: Path) -> Vectors | None:
    """The version whose axes a new one at ``path`` takes over; None where it is the first."""
    files = vector_files(workspace)
    earlier = [found for found in files if found.name <= path.name]
    chosen = earlier[-1:] or files[:1]
    return _stored(chosen[0]) if chosen else None


def _turned(vectors: Vectors, reference: Vectors) -> Vectors:
    """``vectors``, rotated and reflected to lie nearest to ``reference`` where both have items."""
    shared = sorted(vectors.keys() & reference.keys())
    if not shared:
        return vectors
    ours = np.array([vectors[item] for item in shared])
    theirs = np.array([reference[item] for item in shared])
    left, _, right = np.linalg.svd(ours.T @ theirs)
    turn = left @ right
    return {item: vector @ turn for item, vector in vectors.items()}


def _alike(vectors: Vectors, stored: Vectors) -> bool:
    if vectors.keys() != stored.keys():
        return False
    last = 2 * 10.0**-_DECIMALS
    return np.allclose(_rows(vectors), _rows(stored), rtol=0, atol=last)


def _rows(vectors: Vectors) -> NDArray[np.float64]:
    """(items, ``DIMENSIONS``), in order of item."""
    return np.array([vectors[item] for item in sorted(vectors)]).reshape(-1, DIMENSIONS)


def _stored(path: Path) -> Vectors:
    from pyarrow import parquet

    table = parquet.read_table(path)
    columns = np.column_stack([table[name].to_numpy() for name in NAMES])
    return dict(zip(table["item_id"].to_pylist(), columns, strict=True))


def _content(as_of: datetime, vectors: Vectors) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    items = sorted(vectors)
    rows = _rows(vectors).round(_DECIMALS) + 0.0  # which turns -0 into 0
    table = pa.table(
        {
            "item_id": pa.array(items, pa.string()),
            "good_from": pa.array([as_of] * len(items), pa.timestamp("us", tz="UTC")),
            **{name: rows[:, column] for column, name in enumerate(NAMES)},
        }
    )
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()
