"""Features from the offline store: training sets point in time, and the packed snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.encode import encoded_column, encoding
from features.encoding import Encoding
from features.moments import moment as in_utc
from features.progress import Progress, silent
from features.record import BuildRecord, view_file
from features.snapshot import Snapshot
from features.store.offline_engine import source
from features.store.repo import (
    MEMBER_SERVICE,
    StoreError,
    built,
    join_key,
    not_built,
    opened,
    register,
    service_features,
)
from features.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from feast import FeatureStore

STAGE = "feature store"
_BLOCK = 4_096  # rows


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
    # Column by column, each in place: the whole frame never stands in memory twice.
    asked_columns = {name: rows[name].array for name in rows.columns}
    found_columns = {name: found[name].take(order).to_pandas().array for name in names}
    return pd.DataFrame({**asked_columns, **found_columns}, index=rows.index, copy=False)


def export_snapshot(workspace: Workspace, as_of: datetime, progress: Progress = silent) -> Snapshot:
    """Every member's features at ``as_of``, read through the service ``member`` and encoded.

    View by view from the store's rows of that moment: what ``training_frame`` and ``encode`` give
    for the same members, without a join, and with one view in memory at a time.

    Raises:
        StoreError: features were not built at exactly this moment.
    """
    as_of = in_utc(as_of)
    record = built(workspace)
    if as_of not in record.moments:
        raise StoreError(not_built(as_of))
    codes = encoding(workspace)
    with opened(workspace) as store:
        register(store, workspace, record)
        views = store.get_feature_service(MEMBER_SERVICE).feature_view_projections
        progress(STAGE, 0, len(views))
        packed: _Packed | None = None
        for done, projection in enumerate(views, start=1):
            rows = _rows_of(store, workspace, projection.name, as_of)
            packed = packed or _Packed.empty(rows[join_key(MEMBER_SERVICE)], codes)
            packed.fill(rows, [field.name for field in projection.features])
            progress(STAGE, done, len(views))
    if packed is None:
        raise StoreError(f"the service {MEMBER_SERVICE!r} has no views")
    return Snapshot(as_of, codes, packed.ids, packed.values)


@dataclass(frozen=True, slots=True)
class _Packed:
    """A snapshot that is being filled; members in the order of their bytes.

    asked: the members of the first view as they came.
    """

    asked: pa.ChunkedArray
    ids: NDArray[np.bytes_]
    order: NDArray[np.int64]  # from ``asked`` to ``ids``
    codes: Encoding
    values: NDArray[np.float32]

    @classmethod
    def empty(cls, asked: pa.ChunkedArray, codes: Encoding) -> _Packed:
        found = _bytes(asked)
        order = np.argsort(found, kind="stable")
        values = np.full((len(found), len(codes.names)), np.nan, dtype=np.float32)
        return cls(asked, found[order], order, codes, values)

    def fill(self, rows: pa.Table, names: Sequence[str]) -> None:
        """Put the features ``names`` of one view in their columns."""
        found, here = self._places(rows[join_key(MEMBER_SERVICE)])
        columns = np.array(self.codes.columns(names))
        values = [encoded_column(name, rows[name], self.codes) for name in names]
        # In blocks that stay in the processor's cache: a column of a row-wise array is far apart.
        for start in range(0, len(here), _BLOCK):
            block = slice(start, start + _BLOCK)
            taken = np.column_stack([value[found[block]] for value in values])
            self.values[np.ix_(here[block], columns)] = taken

    def _places(self, members: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of a view that describe our members, and the rows where they belong."""
        if members.equals(self.asked):
            return self.order, np.arange(len(self.ids))
        given = _bytes(members)
        place = np.searchsorted(self.ids, given).clip(max=len(self.ids) - 1)
        found = np.flatnonzero(self.ids[place] == given)
        return found, place[found]


def _rows_of(store: FeatureStore, workspace: Workspace, view: str, as_of: datetime) -> pa.Table:
    """One view's rows of a moment, by the offline store; in no order that can be relied on."""
    from feast.infra.offline_stores.offline_utils import get_offline_store_from_config

    names = [field.name for field in store.get_feature_view(view).features]
    # Feast compares times in a way that hides them from Parquet's statistics: asked for one moment,
    # it would read the files of all.
    moment = source(workspace, view, view_file(workspace, view, as_of).resolve())
    return (
        get_offline_store_from_config(store.config.offline_store)
        .pull_all_from_table_or_query(
            config=store.config,
            data_source=moment,
            join_key_columns=[join_key(MEMBER_SERVICE)],
            feature_name_columns=names,
            timestamp_field=moment.timestamp_field,
            start_date=as_of,
            end_date=as_of,
        )
        .to_arrow()
    )


def _bytes(members: pa.ChunkedArray) -> NDArray[np.bytes_]:
    return np.array(members.cast("binary").to_pylist(), dtype=np.bytes_)


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
