"""Whether what served is what trains: vectors that decisions used, recomputed offline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from features.encode import encode
from features.encoding import Encoding
from features.errors import FeatureError
from features.moments import moment as in_utc
from features.record import BuildRecord
from features.store import MEMBER_SERVICE, training_frame
from features.workspace import Workspace

# Engines add up in different orders: a sum may differ in the last of float32's 24 bits.
_RELATIVE = 1e-6


class SkewError(FeatureError):
    """Vectors that do not fit the features that they are said to hold."""


@dataclass(frozen=True, slots=True)
class Served:
    """Vectors that one release's decisions were made with.

    as_of: the moment of the release's snapshot.
    encoding: of that release: what stands in which column.
    members: (n,) whom each vector describes; one may be there twice.
    values: (n, features) float32; NaN where missing.

    Raises:
        SkewError: shapes that do not go together.
    """

    release: str
    as_of: datetime
    encoding: Encoding
    members: tuple[str, ...]
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        wanted = (len(self.members), len(self.encoding.names))
        if self.values.shape != wanted:
            raise SkewError(
                f"vectors of release {self.release} are {self.values.shape}, wanted {wanted}"
            )


@dataclass(frozen=True, slots=True)
class Example:
    """One value that differs. Categories by name, numbers as they are, None for missing."""

    member_id: str
    release: str
    as_of: datetime
    served: float | str | None
    offline: float | str | None


@dataclass(frozen=True, slots=True)
class FeatureSkew:
    """compared: vectors. mismatches: those whose value is another offline. example: the first."""

    name: str
    compared: int
    mismatches: int
    example: Example | None


def built(workspace: Workspace, as_of: datetime) -> bool:
    """Whether features stand ready at exactly this moment, so that vectors can be compared."""
    return in_utc(as_of) in BuildRecord.load(workspace).moments


def skew(workspace: Workspace, served: Served) -> tuple[FeatureSkew, ...]:
    """Recompute the vectors through the feature store; one result a feature, in their order.

    The store gives what is built at the moment now. Where it was built anew since the release, a
    row that came in later, with a time of knowledge before that moment, differs rightly.

    Raises:
        StoreError: nothing was built at or before the moment.
        SkewError: a feature of the release is built no more.
    """
    import pandas as pd

    rows = pd.DataFrame(
        {
            "row_id": np.arange(len(served.members)),
            "member_id": np.array(served.members, dtype=object),
            "as_of": pd.Timestamp(in_utc(served.as_of)),
        }
    )
    frame = training_frame(workspace, MEMBER_SERVICE, rows)
    gone = [name for name in served.encoding.names if name not in frame.columns]
    if gone:
        raise SkewError(f"feature {gone[0]!r} of release {served.release} is built no more")
    offline = encode(frame, served.encoding)
    same = np.isclose(served.values, offline, rtol=_RELATIVE, atol=0.0, equal_nan=True)
    return tuple(
        FeatureSkew(name, len(rows), int(wrong.sum()), _example(served, offline, column, wrong))
        for column, (name, wrong) in enumerate(zip(served.encoding.names, ~same.T, strict=True))
    )


def added(parts: Iterable[Sequence[FeatureSkew]]) -> tuple[FeatureSkew, ...]:
    """The results of several releases as one, by feature in order of first appearance."""
    total: dict[str, FeatureSkew] = {}
    for one in (found for part in parts for found in part):
        before = total.get(one.name, replace(one, compared=0, mismatches=0, example=None))
        total[one.name] = FeatureSkew(
            one.name,
            before.compared + one.compared,
            before.mismatches + one.mismatches,
            before.example or one.example,
        )
    return tuple(total.values())


def _example(
    served: Served, offline: NDArray[np.float32], column: int, wrong: NDArray[np.bool_]
) -> Example | None:
    if not wrong.any():
        return None
    row = int(np.argmax(wrong))
    name = served.encoding.names[column]
    return Example(
        served.members[row],
        served.release,
        served.as_of,
        _plain(served.encoding, name, served.values[row, column]),
        _plain(served.encoding, name, offline[row, column]),
    )


def _plain(encoding: Encoding, name: str, value: np.float32) -> float | str | None:
    if np.isnan(value):
        return None
    known = encoding.categories.get(name)
    code = float(value)
    if known is not None and code.is_integer() and 0 <= code < len(known):
        return known[int(code)]
    return code
