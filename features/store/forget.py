"""Members leave the online store: Feast has no call that deletes one entity.

Its rows lie under the serialised entity key: in SQLite in a table a view, in Redis as the key of a
hash, with the project behind it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from itertools import islice

from features.sqlite_scrub import deleting, scrub
from features.store.repo import PROJECT, StoreError
from features.workspace import Workspace

_AT_ONCE = 1_000


def forget_online(workspace: Workspace, members: Collection[str]) -> int:
    """Delete every row of the members from the online store; how many there were.

    Raises:
        StoreError: the store does not answer.
    """
    keys = [_entity_key(member) for member in sorted(members)]
    if workspace.redis_url is not None:
        return _from_redis(workspace.redis_url, [key + PROJECT.encode() for key in keys])
    path = workspace.feast / "online.db"
    if not path.exists():
        return 0
    try:
        with deleting(path) as opened:
            removed = sum(_from_table(opened, table, keys) for table in _tables(opened))
        scrub(path, [member.encode() for member in members])
    except sqlite3.Error as error:
        raise StoreError(f"the online store does not answer: {error}") from error
    return removed


def _entity_key(member: str) -> bytes:
    from feast.infra.key_encoding_utils import serialize_entity_key
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    key = EntityKey(join_keys=["member_id"], entity_values=[Value(string_val=member)])
    serialised: bytes = serialize_entity_key(key, entity_key_serialization_version=3)
    return serialised


def _tables(opened: sqlite3.Connection) -> list[str]:
    """One a view; of views that Feast no longer knows, too."""
    asked = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND EXISTS "
        "(SELECT 1 FROM pragma_table_info(sqlite_master.name) AS c WHERE c.name = 'entity_key')"
    )
    return [str(row[0]) for row in opened.execute(asked)]


def _from_table(opened: sqlite3.Connection, table: str, keys: Collection[bytes]) -> int:
    statement = f"DELETE FROM {_quoted(table)} WHERE entity_key = ?"  # noqa: S608 - a name it told
    return int(opened.executemany(statement, [(key,) for key in keys]).rowcount)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _from_redis(url: str, keys: Collection[bytes]) -> int:
    from redis import Redis
    from redis.exceptions import RedisError

    left, removed = iter(keys), 0
    try:
        with Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            while part := list(islice(left, _AT_ONCE)):
                removed += int(client.delete(*part))
    except RedisError as error:
        raise StoreError(f"the online store does not answer: {error}") from error
    return removed
