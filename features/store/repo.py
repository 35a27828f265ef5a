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
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features.encode import KEYS, MEMBER
from features.errors import FeatureError
from features.record import BuildRecord
from features.store.offline_engine import (
    SPARK_STORE,
    lifetime,
    offline_engine,
    offline_store,
    source,
)
from features.store.redis_url import connection_string
from features.workspace import Workspace

if TYPE_CHECKING:
    from feast import Entity, FeatureStore, FeatureView

PROJECT = "pushwise"
MEMBER_SERVICE = "member"
ITEM_SERVICE = "item"
OFFER_SERVICE = "offer"
FRESH_VIEW = "fresh"  # of no build: features.store.fresh
_PROMETHEUS = "PROMETHEUS_MULTIPROC_DIR"
# Feast's modules import one another in circles: two threads that begin at once would both fail.
_IMPORTING = threading.Lock()


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
    """The column that names what a service describes, also named so in ``encode.KEYS``."""
    return f"{service}_id"


def views_by_service(record: BuildRecord) -> dict[str, list[str]]:
    """Service name to the views it reads; only services that read any."""
    services: dict[str, list[str]] = {}
    for service in (MEMBER_SERVICE, ITEM_SERVICE, OFFER_SERVICE):
        views = [view for view in record.columns if KEYS.get(view, MEMBER) == join_key(service)]
        if views:
            services[service] = views
    return services


def service_features(record: BuildRecord, service: str) -> list[str]:
    services = views_by_service(record)
    if service not in services:
        raise StoreError(f"no feature service {service!r}; there are: {', '.join(services)}")
    return [name for view in services[service] for name in record.columns[view]]


@contextmanager
def opened(workspace: Workspace) -> Iterator[FeatureStore]:
    """Feast over the workspace, its offline store on the workspace's engine.

    Raises:
        EngineError: the engine does not start.
    """
    with offline_engine(workspace), warnings.catch_warnings():
        offline = offline_store(workspace)
        _import_quietly(offline["type"])
        yield _open(workspace, offline)


@contextmanager
def opened_online(workspace: Workspace) -> Iterator[FeatureStore]:
    """Feast over the workspace for its online store alone; no engine is started."""
    with warnings.catch_warnings():
        _import_quietly("duckdb")
        yield _open(workspace, {"type": "duckdb"})


@contextmanager
def opened_for_reading(workspace: Workspace) -> Iterator[FeatureStore]:
    """Feast over the workspace's online store, for reads on the path of a request.

    The registry is read now and never again, nothing is written to either, and a Redis that does
    not answer is given up after a second, at the first try.

    Raises:
        StoreError: the workspace has no store yet, or its registry does not open.
    """
    if not _registry(workspace).is_file():
        raise StoreError(f"no feature store is in {workspace.root} yet")
    with warnings.catch_warnings():
        _import_quietly("duckdb")
        with _registered():
            store = _open(workspace, {"type": "duckdb"}, reading=True)
            store.list_feature_services()
        yield store


@contextmanager
def answering() -> Iterator[None]:
    """Tells the errors of a store that cannot be reached."""
    from redis.exceptions import RedisError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (sqlite3.Error, SQLAlchemyError, RedisError, OSError) as error:
        raise StoreError(f"the online store does not answer: {error}") from error


@contextmanager
def _registered() -> Iterator[None]:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(f"the feature registry does not open: {error}") from error


def _registry(workspace: Workspace) -> Path:
    return workspace.feast / "registry.db"


def _import_quietly(offline: str) -> None:
    """Import what Feast would import later; its modules change settings of the whole process.

    They turn warnings on, and make every Prometheus metric one of several processes.
    """
    several = os.environ.get(_PROMETHEUS)
    with _IMPORTING, _typeguard_off():
        import feast.infra.offline_stores.duckdb
        import feast.infra.online_stores.sqlite
        import feast.infra.registry.sql  # noqa: F401 imported for its effect

        if offline == SPARK_STORE:
            import features.store.spark_offline  # noqa: F401 imported for its effect
    if several is None:
        os.environ.pop(_PROMETHEUS, None)

    # ibis 12 calls it, DuckDB 1.5 renamed it; goes with ibis 13.
    warnings.filterwarnings("ignore", r"fetch_arrow_table\(\)", DeprecationWarning)
    # Said whenever Feast meets Spark. That it gives what DuckDB gives, our tests show.
    warnings.filterwarnings("ignore", "The spark (offline store|data source)", RuntimeWarning)


@contextmanager
def _typeguard_off() -> Iterator[None]:
    """Classes imported meanwhile do not check the types of their arguments.

    Feast has each of its classes parsed and compiled anew for that, which is four fifths of the
    time that its import takes. Of our calls to it mypy checks the types.
    """
    import typeguard

    checked = typeguard.typechecked
    setattr(typeguard, "typechecked", _as_it_is)  # noqa: B010 mypy knows no assignment to it
    try:
        yield
    finally:
        setattr(typeguard, "typechecked", checked)  # noqa: B010 as above


def _as_it_is(target: type) -> type:
    return target


def _open(
    workspace: Workspace, offline: Mapping[str, str], *, reading: bool = False
) -> FeatureStore:
    from feast import FeatureStore, RepoConfig

    workspace.feast.mkdir(parents=True, exist_ok=True)
    folder = workspace.feast.resolve()
    config = RepoConfig(
        project=PROJECT,
        provider="local",
        registry={
            "registry_type": "sql",
            "path": f"sqlite:///{_registry(workspace).resolve()}",
            "cache_ttl_seconds": 0 if reading else 60,  # 0: for ever
            "serve_features_while_materializing": True,
        },
        offline_store=dict(offline),
        online_store=_online_store(workspace, folder, reading),
        materialization_config={"pull_latest_features": True, "online_write_batch_size": 10_000},
        entity_key_serialization_version=3,
        repo_path=folder,
    )
    return FeatureStore(config=config)


def _online_store(workspace: Workspace, folder: Path, reading: bool) -> dict[str, str]:
    if workspace.redis_url is not None:
        to = connection_string(workspace.redis_url, impatient=reading)
        return {"type": "redis", "connection_string": to}
    path = folder / "online.db"
    if reading:
        return {"type": "sqlite", "path": str(path)}
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

    others = [
        Entity(name=service, join_keys=[join_key(service)], value_type=ValueType.STRING)
        for service in (ITEM_SERVICE, OFFER_SERVICE)
    ]
    entities = {entity.join_key: entity for entity in (member_entity(), *others)}
    views = {
        name: _view(workspace, name, entities[KEYS.get(name, MEMBER)], columns)
        for name, columns in record.columns.items()
    }
    services = [
        FeatureService(name=service, features=[views[name] for name in names])
        for service, names in views_by_service(record).items()
    ]
    kept = {*views, FRESH_VIEW}
    gone = [view for view in store.list_feature_views() if view.name not in kept]
    known = [*entities.values(), *views.values(), *services]
    store.apply(known, objects_to_delete=gone, partial=False)


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
        ttl=lifetime(workspace),
        source=source(workspace, name, workspace.features.resolve() / name / "*.parquet"),
    )
