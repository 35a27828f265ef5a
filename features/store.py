"""The Feast store over the built features: the only file that knows Feast.

Feast holds the point-in-time truth for training and the online rows for serving. Its source of a
view is the folder of that view's Parquet files, one file a moment.

``created`` in those files is the wall clock of the build, and Feast is *not* told of it. Feast
would hide a row from every moment before its creation, and a build made today of last year's
moments would vanish from last year's training set. What a row may know is settled earlier and
harder: the build reads only what had happened and was known before ``feature_time``, so a row is
visible from its ``feature_time`` on, whenever it was computed.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.encode import ITEM_VIEWS, encode, encoding
from features.errors import FeatureError
from features.moments import moment as in_utc
from features.progress import Progress, silent
from features.record import BuildRecord, view_file
from features.snapshot import Snapshot
from features.tables import connect
from features.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd
    from feast import Entity, FeatureStore, FeatureView

PROJECT = "pushwise"
MEMBER_SERVICE = "member"
ITEM_SERVICE = "item"
STAGE = "feature store"
_PROMETHEUS = "PROMETHEUS_MULTIPROC_DIR"
# Each built moment describes every member and item known by then, the lapsed ones too, so a row
# stands for its own moment and nobody is dropped. Without a ttl Feast would join every asked row
# with all older moments before it picked one: the work would grow with the square of the moments.
_SNAPSHOT = timedelta(microseconds=1)


class StoreError(FeatureError):
    """The store holds no features for what was asked, or gave back another number of rows."""


def apply(workspace: Workspace) -> tuple[str, ...]:
    """Register the entities, the views present and the services; the names of the views.

    Raises:
        StoreError: no features were built.
    """
    record = _built(workspace)
    with _store(workspace) as store:
        _register(store, workspace, record)
    return tuple(record.columns)


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

    record = _built(workspace)
    names = _service_features(record, service)
    key = _key(service)
    _check_rows(rows, key, record)
    asked = pd.DataFrame(
        {
            "place": np.arange(len(rows)),
            key: rows[key].to_numpy(),
            "event_timestamp": _built_moments(_utc(rows["as_of"]), record),
        }
    )
    with _store(workspace) as store:
        _register(store, workspace, record)
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


def materialize(workspace: Workspace, as_of: datetime) -> None:
    """Bring the online store to the features built at ``as_of``.

    Raises:
        StoreError: features were not built at exactly this moment.
    """
    as_of = in_utc(as_of)
    record = _built(workspace)
    if as_of not in record.moments:
        raise StoreError(_not_built(as_of))
    with _store(workspace) as store:
        _register(store, workspace, record)
        with redirect_stdout(io.StringIO()):  # Feast prints as it goes; stdout is for results
            store.materialize(as_of - _SNAPSHOT, as_of)


def online_row(workspace: Workspace, service: str, member_id: str) -> dict[str, float | str | None]:
    """The materialised features of one member (or item) by name; all missing for an unknown one.

    Missing is NaN for a number, None for a category, as in ``training_frame``.

    Raises:
        StoreError: an unknown service, or nothing was built.
    """
    record = _built(workspace)
    names = _service_features(record, service)
    kinds = {name: kind for columns in record.columns.values() for name, kind in columns.items()}
    with _store(workspace) as store:
        answer = store.get_online_features(
            features=store.get_feature_service(service),
            entity_rows=[{_key(service): member_id}],
        ).to_dict()
    row: dict[str, float | str | None] = {}
    for name in names:
        value = answer[name][0]
        row[name] = float("nan") if value is None and kinds[name] == "number" else value
    return row


def _built(workspace: Workspace) -> BuildRecord:
    record = BuildRecord.load(workspace)
    if not record.moments:
        raise StoreError(
            f"no features are built in {workspace.root}; run `pushwise features build` first"
        )
    return record


def _not_built(as_of: datetime) -> str:
    moment = as_of.isoformat()
    return f"no features are built as of {moment}; run `pushwise features build --as-of {moment}`"


def _key(service: str) -> str:
    return "item_id" if service == ITEM_SERVICE else "member_id"


def _services(record: BuildRecord) -> dict[str, list[str]]:
    """Service name to the views it reads."""
    members = [view for view in record.columns if view not in ITEM_VIEWS]
    items = [view for view in record.columns if view in ITEM_VIEWS]
    return {
        name: views for name, views in ((MEMBER_SERVICE, members), (ITEM_SERVICE, items)) if views
    }


def _service_features(record: BuildRecord, service: str) -> list[str]:
    services = _services(record)
    if service not in services:
        raise StoreError(f"no feature service {service!r}; there are: {', '.join(services)}")
    return [name for view in services[service] for name in record.columns[view]]


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
        raise StoreError(_not_built(earliest) + f" (the first build is of {first.isoformat()})")


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

    record = _built(workspace)
    if as_of not in record.moments:
        raise StoreError(_not_built(as_of))
    view = _services(record)[MEMBER_SERVICE][0]
    ids = parquet.read_table(view_file(workspace, view, as_of), columns=["member_id"])
    members: list[str] = ids["member_id"].to_pylist()
    return members


@contextmanager
def _store(workspace: Workspace) -> Iterator[FeatureStore]:
    """Feast over the workspace, on a DuckDB connection of its own."""
    import ibis

    # Feast reads through ibis' default backend, whose session may be in any time zone.
    before = ibis.options.default_backend
    connection = connect(workspace)
    ibis.options.default_backend = connection
    try:
        with warnings.catch_warnings():
            _import_quietly()
            yield _open(workspace)
    finally:
        ibis.options.default_backend = before
        connection.disconnect()


def _import_quietly() -> None:
    """Import what Feast would import later; its modules change settings of the whole process.

    They turn warnings on, and make every Prometheus metric one of several processes.
    """
    several = os.environ.get(_PROMETHEUS)
    import feast.infra.offline_stores.duckdb
    import feast.infra.online_stores.sqlite
    import feast.infra.registry.sql  # noqa: F401 imported for its effect

    if several is None:
        os.environ.pop(_PROMETHEUS, None)

    # ibis 12 calls it, DuckDB 1.5 renamed it; goes with ibis 13.
    warnings.filterwarnings("ignore", r"fetch_arrow_table\(\)", DeprecationWarning)


def _open(workspace: Workspace) -> FeatureStore:
    from feast import FeatureStore, RepoConfig

    workspace.feast.mkdir(parents=True, exist_ok=True)
    folder = workspace.feast.resolve()
    config = RepoConfig(
        project=PROJECT,
        provider="local",
        registry={
            "registry_type": "sql",
            "path": f"sqlite:///{folder / 'registry.db'}",
            "cache_ttl_seconds": 60,
            "serve_features_while_materializing": True,
        },
        offline_store={"type": "duckdb"},
        online_store={"type": "sqlite", "path": str(folder / "online.db")},
        materialization_config={"pull_latest_features": True, "online_write_batch_size": 10_000},
        entity_key_serialization_version=3,
        repo_path=folder,
    )
    return FeatureStore(config=config)


def _register(store: FeatureStore, workspace: Workspace, record: BuildRecord) -> None:
    from feast import Entity, FeatureService
    from feast.value_type import ValueType

    member = Entity(name="member", join_keys=["member_id"], value_type=ValueType.STRING)
    item = Entity(name="item", join_keys=["item_id"], value_type=ValueType.STRING)
    views = {
        name: _view(workspace, name, item if name in ITEM_VIEWS else member, columns)
        for name, columns in record.columns.items()
    }
    services = [
        FeatureService(name=service, features=[views[name] for name in names])
        for service, names in _services(record).items()
    ]
    gone = [view for view in store.list_feature_views() if view.name not in views]
    store.apply([member, item, *views.values(), *services], objects_to_delete=gone, partial=False)


def _view(
    workspace: Workspace, name: str, entity: Entity, columns: Mapping[str, str]
) -> FeatureView:
    from feast import FeatureView, Field, FileSource
    from feast.data_format import ParquetFormat
    from feast.types import Float64, String

    files: Path = workspace.features.resolve() / name / "*.parquet"
    types = {"number": Float64, "category": String}
    return FeatureView(
        name=name,
        entities=[entity],
        schema=[
            Field(name=entity.join_key, dtype=String),
            *(Field(name=feature, dtype=types[kind]) for feature, kind in columns.items()),
        ],
        ttl=_SNAPSHOT,
        source=FileSource(
            name=name,
            path=str(files),
            file_format=ParquetFormat(),
            timestamp_field="feature_time",
        ),
    )
