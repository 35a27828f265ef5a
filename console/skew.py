"""Compares the scorer's sample of feature vectors with the features, release by release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from console.scorer_log import scorer_log
from features.encoding import Encoding, EncodingError
from features.workspace import Workspace

if TYPE_CHECKING:
    from features.progress import Progress
    from features.skew import FeatureSkew, Served
    from serving.vectors import LoggedVector


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Vectors of a release that could not be compared, and what to do about it."""

    release: str
    vectors: int
    why: str


@dataclass(frozen=True, slots=True)
class SkewReport:
    """sampled: vectors in the log. Of these some were compared, feature by feature."""

    sampled: int
    features: tuple[FeatureSkew, ...]
    unchecked: tuple[Unchecked, ...]

    @property
    def differing(self) -> tuple[FeatureSkew, ...]:
        return tuple(one for one in self.features if one.mismatches)

    @property
    def compared(self) -> int:
        return self.sampled - sum(one.vectors for one in self.unchecked)

    def to_json(self) -> dict[str, Any]:
        return {"compared": self.compared, **asdict(self)}


def check_served(workspace: Workspace, build: bool, progress: Progress) -> SkewReport:
    """Recompute the vectors that the scorer logged, and compare.

    Args:
        build: first build the features of the releases' moments that are not there any more, or
            that were built before rows came in.
    """
    from features.build import build_features
    from features.skew import SkewError, added, skew

    sampled = _sampled(workspace)
    parts: list[tuple[FeatureSkew, ...]] = []
    unchecked: list[Unchecked] = []
    for release, vectors in groupby(
        sorted(sampled, key=lambda one: one.release), key=lambda one: one.release
    ):
        own = list(vectors)
        try:
            served = _served(workspace, release, own)
            if build:
                build_features(workspace, [served.as_of], progress)
            why = _not_ready(workspace, served)
            if not why:
                parts.append(skew(workspace, served))
        except (EncodingError, SkewError) as error:
            why = str(error)
        if why:
            unchecked.append(Unchecked(release, len(own), why))
    return SkewReport(len(sampled), added(parts), tuple(unchecked))


def _sampled(workspace: Workspace) -> list[LoggedVector]:
    from serving.vectors import kept

    with scorer_log(workspace) as log:
        if log is None:
            return []
        with log.reading() as connection:
            return kept(connection)


def _served(workspace: Workspace, release: str, vectors: Sequence[LoggedVector]) -> Served:
    from features.skew import Served, SkewError

    encoding = Encoding.load(workspace.releases / release / "snapshot" / "encoding.json")
    wanted = 4 * len(encoding.names)
    for one in vectors:
        if len(one.vector) != wanted:
            raise SkewError(
                f"the vector of decision {one.decision_id} has {len(one.vector)} bytes, wanted "
                f"{wanted} for the {len(encoding.names)} features of release {release}"
            )
    values = np.frombuffer(b"".join(one.vector for one in vectors), dtype="<f4")
    return Served(
        release,
        datetime.fromisoformat(vectors[0].as_of),
        encoding,
        tuple(one.member_id for one in vectors),
        values.reshape(len(vectors), len(encoding.names)),
    )


def _not_ready(workspace: Workspace, served: Served) -> str:
    from features.skew import built

    if built(workspace, served.as_of):
        return ""
    moment = served.as_of.isoformat()
    return (
        f"the features as of {moment} are no longer built; give --build, or run "
        f"`pushwise features build --as-of {moment}`"
    )
