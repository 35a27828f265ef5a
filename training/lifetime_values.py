"""What the model of lifetime values expects of everybody in a release that is being made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.snapshot import Snapshot
from features.tables import Tables
from features.workspace import Workspace
from models.clv import KIND, Clv
from models.lifetime_values import LifetimeValues
from models.manifest import TrackedVersion
from training.buyers import Buyers, NobodyBoughtError, buyers
from training.tracking import champion


def lifetime_values(
    workspace: Workspace, tables: Tables, snapshot: Snapshot
) -> tuple[TrackedVersion, LifetimeValues] | None:
    """Of the members of ``snapshot``, in its order, by the champion; None where there is none.

    Raises:
        TrainingError: the champion is gone, or the record cannot be read.
        ArtifactError: the champion does not read.
    """
    found = champion(workspace, KIND)
    if found is None:
        return None
    version, folder = found
    model = Clv.load(folder)
    try:
        seen = buyers(tables, snapshot.as_of, workspace.conventions.default_margin_rate)
    except NobodyBoughtError:
        nobody = np.full((len(snapshot.member_ids), 3), np.nan, dtype=np.float32)
        return version, LifetimeValues(model.horizon_days, nobody)
    return version, expected(model, seen, snapshot.member_ids)


def expected(model: Clv, seen: Buyers, member_ids: NDArray[np.bytes_]) -> LifetimeValues:
    """Of ``member_ids`` (sorted), in that order; NaN for those who are not among ``seen``."""
    forecast = model.predict(seen.histories)
    columns = (forecast.purchases, forecast.spend, forecast.margin)
    values = np.full((len(member_ids), len(columns)), np.nan, dtype=np.float32)
    bought = np.char.encode(seen.member_ids, "utf-8")
    # The snapshot knows neither members whom only later events name nor those who were erased.
    _, rows, places = np.intersect1d(member_ids, bought, assume_unique=True, return_indices=True)
    values[rows] = np.column_stack(columns)[places]
    return LifetimeValues(model.horizon_days, values)
