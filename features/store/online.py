"""Features in the online store: brought there from a build, read back one by one."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from features.moments import moment as in_utc
from features.store.repo import (
    StoreError,
    built,
    join_key,
    not_built,
    opened,
    opened_online,
    register,
    service_features,
    views_by_service,
)
from features.workspace import Workspace

if TYPE_CHECKING:
    from feast import FeatureStore

_JUST_BEFORE = timedelta(microseconds=1)  # Feast wants a span; a moment's rows lie at its end


def materialize(workspace: Workspace, as_of: datetime) -> None:
    """Bring the online store to the features built at ``as_of``.

    Raises:
        StoreError: features were not built at exactly this moment, or newer ones are online: an
            SQLite store would take the older in their place, and Redis silently would not.
    """
    as_of = in_utc(as_of)
    record = built(workspace)
    if as_of not in record.moments:
        raise StoreError(not_built(as_of))
    with opened(workspace) as store:
        register(store, workspace, record)
        newest = _newest_online(store, list(record.columns))
        if newest is not None and as_of < newest:
            raise StoreError(
                f"the online store holds the features of {newest.isoformat()}, newer than those "
                f"of {as_of.isoformat()}; build and materialize a moment after that"
            )
        with redirect_stdout(io.StringIO()):  # Feast prints as it goes; stdout is for results
            store.materialize(as_of - _JUST_BEFORE, as_of, feature_views=list(record.columns))


def _newest_online(store: FeatureStore, views: Sequence[str]) -> datetime | None:
    """The newest moment that was brought online of any of the views; Feast keeps a record."""
    ends = [
        end for view in views for _, end in store.get_feature_view(view).materialization_intervals
    ]
    return max(ends, default=None)


def online_row(workspace: Workspace, service: str, member_id: str) -> dict[str, float | str | None]:
    """The materialised features of one member (or item) by name; all missing for an unknown one.

    Missing is NaN for a number, None for a category, as in ``training_frame``.

    Raises:
        StoreError: an unknown service, or nothing was built.
    """
    record = built(workspace)
    names = service_features(record, service)
    views = views_by_service(record)[service]
    kinds = {name: kind for view in views for name, kind in record.columns[view].items()}
    with opened_online(workspace) as store:
        answer = store.get_online_features(
            features=store.get_feature_service(service),
            entity_rows=[{join_key(service): member_id}],
        ).to_dict()
    row: dict[str, float | str | None] = {}
    for name in names:
        value = answer[name][0]
        row[name] = float("nan") if value is None and kinds[name] == "number" else value
    return row
