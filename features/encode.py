"""Feature values as the float32 that models read, and the codes of categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.encoding import Encoding, EncodingError
from features.inputs import vocabulary_file
from features.lifecycle import STAGES, TIERS
from features.record import view_file
from features.vocabulary import Vocabulary
from features.workspace import Workspace, write_atomically

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MEMBER = "member_id"
# What a row of a view describes, where that is no member.
KEYS = {"popularity": "item_id", "offers": "offer_id"}
_LARGEST = float(np.finfo(np.float32).max)
# A rule may name a stage that nobody has reached yet.
_ALWAYS = {"lifecycle": STAGES, "value_tier": TIERS}


def encoding(workspace: Workspace) -> Encoding:
    """The workspace's encoding of member features, as of its last build.

    Raises:
        EncodingError: no features were built.
    """
    return Encoding.load(workspace.features / "encoding.json")


def encode(frame: pd.DataFrame, encoding: Encoding) -> NDArray[np.float32]:
    """Features of ``frame`` in the encoding's order, shape ``(len(frame), features)``.

    Numbers as they are, those beyond float32 as its largest; categories as their code; NaN for what
    is missing or unknown.

    Raises:
        EncodingError: the frame lacks a feature of the encoding.
    """
    missing = [name for name in encoding.names if name not in frame.columns]
    if missing:
        raise EncodingError(f"no feature {missing[0]!r} in a frame of {len(frame.columns)} columns")
    values = np.full((len(frame), len(encoding.names)), np.nan, dtype=np.float32)
    for column, name in enumerate(encoding.names):
        if name in encoding.categories:
            codes = {value: code for code, value in enumerate(encoding.categories[name])}
            values[:, column] = frame[name].map(codes).to_numpy(dtype=np.float32)
        else:
            values[:, column] = narrow(frame[name].to_numpy(dtype=np.float64))
    return values


def encoded_column(name: str, column: pa.ChunkedArray, encoding: Encoding) -> NDArray[np.float32]:
    """One feature of many members as ``encode`` gives it, from Arrow: text is never unpacked."""
    import pyarrow as pa
    from pyarrow import compute

    if name in encoding.categories:
        known = pa.array(encoding.categories[name], type=pa.string())
        column = compute.index_in(column, value_set=known)
    # Nulls come out as NaN, not as None: of numbers only.
    return narrow(column.cast(pa.float64()).to_numpy())


def narrow(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The values as float32, those beyond it as its largest."""
    return np.clip(values, -_LARGEST, _LARGEST).astype(np.float32)


def extend_encoding(
    workspace: Workspace, columns: Mapping[str, Mapping[str, str]], moments: Sequence[datetime]
) -> None:
    """Bring ``features/encoding.json`` up to date with the files of ``moments``.

    Names follow the views present. New category values are appended in alphabetical order, a known
    one keeps its code for ever, so models fitted earlier still read true.
    """
    path = workspace.features / "encoding.json"
    known = dict(Encoding.load(path).categories) if path.exists() else {}
    for view, kinds in columns.items():
        if view in KEYS:
            continue
        for name in (name for name, kind in kinds.items() if kind == "category"):
            old = known.get(name, _ALWAYS.get(name, ()))
            found = _values(workspace, view, name, moments) - set(old)
            known[name] = (*old, *sorted(found))
    names = [name for view, kinds in columns.items() if view not in KEYS for name in kinds]
    words = vocabulary_file(workspace)
    called = {} if not words.exists() else Vocabulary.load(words).called
    encoded = Encoding.of(
        tuple(names),
        known,
        workspace.conventions.attributes,
        {category: name for name, category in called.items()},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, encoded.to_json().encode())


def _values(workspace: Workspace, view: str, name: str, moments: Sequence[datetime]) -> set[str]:
    from pyarrow import compute, parquet

    found: set[str] = set()
    for as_of in moments:
        column = parquet.read_table(view_file(workspace, view, as_of), columns=[name])[name]
        found.update(value for value in compute.unique(column).to_pylist() if value is not None)
    return found
