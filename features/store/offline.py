"""Features from the offline store: training sets point in time, and the packed snapshot."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from features.encode import encode, encoding
from features.moments import moment as in_utc
from features.progress import Progress, silent
from features.record import BuildRecord, view_file
from features.snapshot import Snapshot
from features.store.repo import (
    MEMBER_SERVICE,
    StoreError,
    built,
    join_key,
    not_built,
    opened,
    register,
    service_features,
    views_by_service,
)
from features.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

STAGE = "feature store"


def training_frame(workspace: Workspace, service: str, rows: pd.DataFrame) -> pd.DataFrame:
    """The features of ``service`` for each member at each moment, point in time.

    A row sees the newest build at or before its ``as_of``: build the features at the moments that
    matter.

    Args:
        rows: columns ``row_id`` (unique), ``member_id`` (for the service ``item``: ``item_id``)
            and ``as_of`` (times with an offset).

    Returns:
        The columns of ``rows`` and every feature of the service by name, one row per row asked, in
        the order asked, with the index of ``rows``. Numbers are float64, categories text; missing
        is NaN (None), as is everything of a member not known at that moment.

    Raises:
        StoreError: an unknown service, columns missing, a row asks for a time before the first
            build, or the store gave back another number of rows.
    """
    import pandas as pd

    record = built(workspace)
    names = service_features(record, service)
    key = join_key(service)
    _check_rows(rows, key, record)
    asked = pd.DataFrame(
        {
            "place": np.arange(len(rows)),
            key: rows[key].to_numpy(),
            "event_timestamp": _built_moments(_utc(rows["as_of"]), record),
        }
    )
    with opened(workspace) as store:
        register(store, workspace, record)
        found = store.get_historical_features(
            entity_df=asked, features=store.get_feature_service(service)
        ).to_arrow()
    places = found["place"].to_numpy()
    order = np.argsort(places, kind="stable")
    if not np.array_equal(places[order], asked["place"]):
        raise StoreError(f"asked the store for {len(rows)} rows, it gave {len(found)}")
    features = found.select(names).take(order).to_pandas()
    frame: pd.DataFrame = pd.concat([rows, features.set_axis(rows.index)], axis=1)
    return frame


def export_snapshot(workspace: Workspace, as_of: datetime, progress: Progress = silent) -> Snapshot:
    """Every member's features at ``as_of``, read through the service ``member`` and encoded.

    Raises:
        StoreError: features were not built at exactly this moment.
    """
    import pandas as pd

    as_of = in_utc(as_of)
    progress(STAGE, 0, 2)
    members = sorted(_members(workspace, as_of), key=str.encode)
    asked = pd.DataFrame({"row_id": range(len(members)), "member_id": members, "as_of": as_of})
    frame = training_frame(workspace, MEMBER_SERVICE, asked)
    progress(STAGE, 1, 2)
    codes = encoding(workspace)
    ids = np.array([member.encode() for member in members], dtype=np.bytes_)
    snapshot = Snapshot(as_of, codes, ids, encode(frame, codes))
    progress(STAGE, 2, 2)
    return snapshot


def _check_rows(rows: pd.DataFrame, key: str, record: BuildRecord) -> None:
    for column in ("row_id", key, "as_of"):
        if column not in rows.columns:
            raise StoreError(f"rows have no column {column!r}; found: {', '.join(rows.columns)}")
    if rows["row_id"].duplicated().any():
        raise StoreError("row_id is not unique; number the rows")
    if rows["as_of"].isna().any():
        raise StoreError("as_of is missing in a row; name the moment of every row")
    if not len(rows):
        raise StoreError("no rows were asked for")
    first = min(record.moments)
    earliest = _utc(rows["as_of"]).min()
    if earliest < first:
        raise StoreError(not_built(earliest) + f" (the first build is of {first.isoformat()})")


def _utc(column: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd

    moments = pd.to_datetime(column)
    if moments.dt.tz is None:
        raise StoreError("as_of has no offset; give times in UTC")
    return moments.dt.tz_convert("UTC").astype("datetime64[us, UTC]")


def _built_moments(asked: pd.Series[Any], record: BuildRecord) -> pd.DatetimeIndex:
    """For each moment asked, the newest one built at or before it."""
    import pandas as pd

    built = pd.DatetimeIndex(sorted(record.moments)).as_unit("us")
    return built[built.searchsorted(pd.DatetimeIndex(asked), side="right") - 1]


def _members(workspace: Workspace, as_of: datetime) -> list[str]:
    from pyarrow import parquet

    record = built(workspace)
    if as_of not in record.moments:
        raise StoreError(not_built(as_of))
    view = views_by_service(record)[MEMBER_SERVICE][0]
    ids = parquet.read_table(view_file(workspace, view, as_of), columns=["member_id"])
    members: list[str] = ids["member_id"].to_pylist()
    return members
