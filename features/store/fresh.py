"""The fresh features in Feast: a push source, its view, and the rows of it in the online store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from features.fresh import SKEW, VALUES_AT, FreshRow, newest_of
from features.fresh_reader import Fresh, believed
from features.store.repo import (
    FRESH_VIEW,
    StoreError,
    answering,
    member_entity,
    opened_for_reading,
    opened_online,
)
from features.workspace import Workspace

if TYPE_CHECKING:
    from feast import FeatureService, FeatureStore

FRESH_SERVICE = "fresh"
PUSH_SOURCE = "fresh"
# The follower's own row: no member has this id, since no id of the contract holds a NUL.
FOLLOWER = "\x00follower"
_TIMES = tuple(VALUES_AT)
_NUMBERS = ("open_cart_items", "open_cart_value", "contacts_today")
_TEXTS = ("last_category", "cared_category")
_REVISION = "revision"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OnlineFresh:
    """The fresh rows of the online store: pushed by one follower, read by anybody.

    A row is pushed whole, in one write. Its moments are microseconds since 1970, and so is its
    ``revision``, which only ever grows and is the row's time in Feast: Redis drops a row that is
    not newer, SQLite takes any.
    """

    def __init__(self, store: FeatureStore, service: FeatureService) -> None:
        self._store = store
        self._service = service

    def push(self, rows: Mapping[str, FreshRow], now: datetime) -> None:
        """Bring rows to the store, keeping what is newer there.

        Comparing and writing is one step only under one writer: whoever pushes holds the lock of
        the workspace's follower.

        Raises:
            StoreError: the store does not answer.
        """
        import pandas as pd

        stored = self._stored(list(rows))
        records = []
        for member, mine in rows.items():
            before, revision = stored.get(member, (FreshRow(), 0))
            row = newest_of(before, mine, not_after=now + SKEW)
            records.append(
                {
                    "member_id": member,
                    **{name: getattr(row, name) for name in (*_NUMBERS, *_TEXTS)},
                    **{name: _micros(getattr(row, name)) for name in _TIMES},
                    _REVISION: max(_micros(now) or 0, revision + 1),
                }
            )
        frame = pd.DataFrame(records)
        frame[list(_TIMES)] = frame[list(_TIMES)].astype("Int64")
        frame[list(_NUMBERS)] = frame[list(_NUMBERS)].astype("float64")
        frame["event_timestamp"] = pd.to_datetime(frame[_REVISION], unit="us", utc=True)
        with answering():
            self._store.push(PUSH_SOURCE, frame)

    def alive(self, now: datetime) -> None:
        """Say that everything known at ``now`` is in the store. Raises as ``push``."""
        self.push({FOLLOWER: FreshRow(last_seen_at=now)}, now)

    def read(self, member_ids: Sequence[str], now: datetime) -> dict[str, Fresh]:
        """As ``FreshReader.read``."""
        stored = self._stored([*member_ids, FOLLOWER])
        follower = stored.get(FOLLOWER)
        followed_at = None if follower is None else follower[0].last_seen_at
        rows = {member: stored.get(member) for member in member_ids}
        return {
            member: believed(None if found is None else found[0], followed_at, now)
            for member, found in rows.items()
        }

    def _stored(self, member_ids: Sequence[str]) -> dict[str, tuple[FreshRow, int]]:
        """The rows in the store and their revisions, without the members that it does not know.

        Redis calls any member present: only one with a revision was ever pushed.
        """
        with answering():
            answer: dict[str, list[Any]] = self._store.get_online_features(
                features=self._service,
                entity_rows=[{"member_id": member} for member in member_ids],
            ).to_dict()
        return {
            member: (_row({name: values[place] for name, values in answer.items()}), revision)
            for place, (member, revision) in enumerate(
                zip(answer["member_id"], answer[_REVISION], strict=True)
            )
            if revision is not None
        }


@contextmanager
def online_fresh(workspace: Workspace) -> Iterator[OnlineFresh]:
    """The fresh rows of the workspace's online store; made where they are not there yet."""
    with opened_online(workspace) as store:
        with answering():
            _register(store, workspace)
        yield OnlineFresh(store, store.get_feature_service(FRESH_SERVICE))


@contextmanager
def fresh_for_reading(workspace: Workspace) -> Iterator[OnlineFresh]:
    """The fresh rows of the workspace's online store as its follower registered them, for reads on
    the path of a request; see ``opened_for_reading``.

    Raises:
        StoreError: no follower has been at work in this workspace yet.
    """
    with opened_for_reading(workspace) as store:
        from feast.errors import FeatureServiceNotFoundException

        try:
            service = store.get_feature_service(FRESH_SERVICE)
        except FeatureServiceNotFoundException as error:
            raise StoreError(f"nothing fresh is in {workspace.root} yet") from error
        yield OnlineFresh(store, service)


def _register(store: FeatureStore, workspace: Workspace) -> None:
    from feast import FeatureService, FeatureView, Field, FileSource, PushSource
    from feast.data_format import ParquetFormat
    from feast.types import Float64, Int64, String

    member = member_entity()
    # Feast wants a batch source behind a push source. Nothing is ever in it: history is built.
    nothing = FileSource(
        name=f"{PUSH_SOURCE}_batch",
        path=str(workspace.feast.resolve() / "fresh" / "*.parquet"),
        file_format=ParquetFormat(),
        timestamp_field="event_timestamp",
    )
    view = FeatureView(
        name=FRESH_VIEW,
        entities=[member],
        schema=[
            Field(name="member_id", dtype=String),
            *(Field(name=name, dtype=Int64) for name in (*_TIMES, _REVISION)),
            *(Field(name=name, dtype=Float64) for name in _NUMBERS),
            *(Field(name=name, dtype=String) for name in _TEXTS),
        ],
        ttl=timedelta(0),  # Feast does not hold it on read: features.fresh_reader tells what is old
        source=PushSource(name=PUSH_SOURCE, batch_source=nothing),
    )
    store.apply([member, view, FeatureService(name=FRESH_SERVICE, features=[view])])


def _row(values: Mapping[str, Any]) -> FreshRow:
    # A view that an older follower registered lacks what came later: nothing is known of it.
    plain = {name: values.get(name) for name in (*_NUMBERS, *_TEXTS)}
    moments: dict[str, Any] = {name: _moment(values.get(name)) for name in _TIMES}
    return FreshRow(**plain, **moments)


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)
