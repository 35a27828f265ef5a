"""The Feast repository of a workspace: its configuration, entities, views and services.

Feast holds the point-in-time truth for training and the online rows for serving. Its source of a
view is the folder of that view's Parquet files, one file a moment.

``created`` in those files is the wall clock of the build, and Feast is *not* told of it. Feast
would hide a row from every moment before its creation, and a build made today of last year's
moments would vanish from last year's training set. What a row may know is settled earlier and
harder: the build reads only what had happened and was known before ``feature_time``, so a row is
visible from its ``feature_time`` on, whenever it was computed.
"""

from __future__ import annotations

import os
import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from features.encode import ITEM_VIEWS
from features.errors import FeatureError
from features.record import BuildRecord
from features.store.redis_url import connection_string
from features.tables import connect
from features.workspace import Workspace

if TYPE_CHECKING:
    from feast import Entity, FeatureStore, FeatureView
    from feast.data_source import DataSource

PROJECT = "pushwise"
MEMBER_SERVICE = "member"
ITEM_SERVICE = "item"
FRESH_VIEW = "fresh"  # of no build: features.store.fresh
_PROMETHEUS = "PROMETHEUS_MULTIPROC_DIR"
# Each built moment describes every member and item known by then, the lapsed ones too, so a row
# stands for its own moment and nobody is dropped. Without a ttl Feast would join every asked row
# with all older moments before it picked one: the work would grow with the square of the moments.
SNAPSHOT = timedelta(microseconds=1)


class StoreError(FeatureError):
    """The store holds no features for what was asked, or gave back another number of rows."""


def apply(workspace: Workspace) -> tuple[str, ...]:
    """Register the entities, the views present and the services; the names of the views.

    Raises:
        StoreError: no features were built.
    """
    record = built(workspace)
    with opened(workspace) as store:
        register(store, workspace, record)
    return tuple(record.columns)


def built(workspace: Workspace) -> BuildRecord:
    record = BuildRecord.load(workspace)
    if not record.moments:
        raise StoreError(
            f"no features are built in {workspace.root}; run `pushwise features build` first"
        )
    return record


def not_built(as_of: datetime) -> str:
    moment = as_of.isoformat()
    return f"no features are built as of {moment}; run `pushwise features build --as-of {moment}`"


def join_key(service: str) -> str:
    return "item_id" if service == ITEM_SERVICE else "member_id"


def views_by_service(record: BuildRecord) -> dict[str, list[str]]:
    """Service name to the views it reads."""
    members = [view for view in record.columns if view not in ITEM_VIEWS]
    items = [view for view in record.columns if view in ITEM_VIEWS]
    return {
        name: views for name, views in ((MEMBER_SERVICE, members), (ITEM_SERVICE, items)) if views
    }


def service_features(record: BuildRecord, service: str) -> list[str]:
    services = views_by_service(record)
    if service not in services:
        raise StoreError(f"no feature service {service!r}; there are: {', '.join(services)}")
    return [name for view in services[service] for name in record.columns[view]]


@contextmanager
def opened(workspace: Workspace) -> Iterator[FeatureStore]:
    """Feast over the workspace, on a DuckDB connection of its own."""
    import ibis

    # Feast reads through ibis' default backend, whose session may be in any time zone.
    before = ibis.options.default_backend
    connection = connect(workspace)
    ibis.options.default_backend = connection
    try:
        with opened_online(workspace) as store:
            yield store
    finally:
        ibis.options.default_backend = before
        connection.disconnect()


@contextmanager
def opened_online(workspace: Workspace) -> Iterator[FeatureStore]:
    """Feast over the workspace for its online store alone."""
    with warnings.catch_warnings():
        _import_quietly()
        yield _open(workspace)


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
        online_store=_online_store(workspace, folder),
        materialization_config={"pull_latest_features": True, "online_write_batch_size": 10_000},
        entity_key_serialization_version=3,
        repo_path=folder,
    )
    return FeatureStore(config=config)


def _online_store(workspace: Workspace, folder: Path) -> dict[str, str]:
    if workspace.redis_url is not None:
        return {"type": "redis", "connection_string": connection_string(workspace.redis_url)}
    path = folder / "online.db"
    with closing(sqlite3.connect(path)) as connection:
        # Readers see the last commit while somebody writes, instead of waiting for the end.
        connection.execute("PRAGMA journal_mode=WAL")
    return {"type": "sqlite", "path": str(path)}


def member_entity() -> Entity:
    from feast import Entity
    from feast.value_type import ValueType

    return Entity(name="member", join_keys=["member_id"], value_type=ValueType.STRING)


def register(store: FeatureStore, workspace: Workspace, record: BuildRecord) -> None:
    from feast import Entity, FeatureService
    from feast.value_type import ValueType

    member = member_entity()
    item = Entity(name="item", join_keys=["item_id"], value_type=ValueType.STRING)
    views = {
        name: _view(workspace, name, item if name in ITEM_VIEWS else member, columns)
        for name, columns in record.columns.items()
    }
    services = [
        FeatureService(name=service, features=[views[name] for name in names])
        for service, names in views_by_service(record).items()
    ]
    kept = {*views, FRESH_VIEW}
    gone = [view for view in store.list_feature_views() if view.name not in kept]
    store.apply([member, item, *views.values(), *services], objects_to_delete=gone, partial=False)


def _view(
    workspace: Workspace, name: str, entity: Entity, columns: Mapping[str, str]
) -> FeatureView:
    from feast import FeatureView, Field
    from feast.types import Float64, String

    types = {"number": Float64, "category": String}
    return FeatureView(
        name=name,
        entities=[entity],
        schema=[
            Field(name=entity.join_key, dtype=String),
            *(Field(name=feature, dtype=types[kind]) for feature, kind in columns.items()),
        ],
        ttl=SNAPSHOT,
        source=source(name, workspace.features.resolve() / name / "*.parquet"),
    )


def source(name: str, files: Path) -> DataSource:
    """What Feast reads a view from: its ``files``, all moments by ``*``, or those of one moment."""
    from feast import FileSource
    from feast.data_format import ParquetFormat

    return FileSource(
        name=name,
        path=str(files),
        file_format=ParquetFormat(),
        timestamp_field="feature_time",
    )
