"""Members leave a stored model that knows them by name: what it learned of each goes.

What it learned over many stays, as averages do, until the model is trained again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact, ArtifactError
from models.graph_filter import KIND as GRAPH_FILTER
from models.recommender import KIND as ALS
from models.repeat import KIND as REPEAT

_MEMBERS = "member_ids"
_ARTIFACT = "artifact.json"


@dataclass(frozen=True, slots=True)
class _Layout:
    """rows: arrays with a row a member. starts, flat: histories of members, one after the other."""

    rows: tuple[str, ...] = ()
    starts: str = ""
    flat: tuple[str, ...] = ()


_LAYOUTS: Mapping[str, _Layout] = {
    ALS: _Layout(("member_factors",)),
    GRAPH_FILTER: _Layout((), "history_starts", ("history_items", "history_weights")),
    REPEAT: _Layout(("member_values",), "own_starts", ("own_items", "own_orders", "own_values")),
    "personal-frequency": _Layout((), "count_starts", ("count_items", "counts")),
}


def named_models(folder: Path) -> list[Path]:
    """The folders under ``folder`` with a model that knows members by name."""
    kinds = {path.parent: _kind(path) for path in sorted(folder.rglob(_ARTIFACT))}
    return [path for path, kind in kinds.items() if kind in _LAYOUTS]


def known_members(folder: Path) -> list[str]:
    """Whom the model in ``folder`` knows by name.

    Raises:
        ArtifactError: it does not read, or is of no kind that knows members by name.
    """
    stored = Artifact.load(folder, _kind(folder / _ARTIFACT))
    if _MEMBERS not in stored.arrays:
        raise ArtifactError(f"{folder} is no model that knows members by name")
    return [member.decode() for member in stored.arrays[_MEMBERS].tolist()]


def forget_members(folder: Path, members: Collection[str]) -> int:
    """Take members out of the model in ``folder``; how many it knew.

    The other members keep what the model knows of them, to the last bit. The arrays are replaced
    in one step.

    Raises:
        ArtifactError: it does not read, or is of no kind that knows members by name.
    """
    kind = _kind(folder / _ARTIFACT)
    if kind not in _LAYOUTS:
        raise ArtifactError(f"{folder} is no model that knows members by name")
    stored = Artifact.load(folder, kind)
    wanted = np.array(sorted(member.encode() for member in members), dtype=np.bytes_)
    kept = ~np.isin(stored.arrays[_MEMBERS], wanted)
    if kept.all():
        return 0
    draft = folder.with_name(f".{folder.name}.forgetting")
    shutil.rmtree(draft, ignore_errors=True)
    replace(stored, arrays=_without(stored.arrays, kept, _LAYOUTS[kind])).save(draft)
    (draft / "arrays.npz").replace(folder / "arrays.npz")
    shutil.rmtree(draft)
    return int((~kept).sum())


def _without(
    arrays: Mapping[str, NDArray[Any]], kept: NDArray[np.bool_], layout: _Layout
) -> dict[str, NDArray[Any]]:
    left = dict(arrays)
    for name in (_MEMBERS, *layout.rows):
        left[name] = arrays[name][kept]
    if layout.starts:
        lengths = np.diff(arrays[layout.starts])
        left[layout.starts] = np.concatenate([[0], np.cumsum(lengths[kept])]).astype(np.int64)
        of_kept = np.repeat(kept, lengths)
        for name in layout.flat:
            left[name] = arrays[name][of_kept]
    return left


def _kind(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["kind"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} does not read: {error}") from error
