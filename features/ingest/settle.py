"""Which rows of a batch are new: against each other and against what the table holds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features.contract import Table
from features.ingest.fast import literal
from features.ingest.seal import identity_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# One line a staged row. place: its position in the staged file.
KEYS = """
CREATE TABLE keys (
    place BIGINT, source INTEGER, line BIGINT,
    key VARCHAR, digest VARCHAR, updated_at TIMESTAMPTZ
)
"""

# seen: the identities that the table holds. repeated: those that the batch alone holds more than
# once, with their first row. ended: rows that are not new; the same content is a duplicate, other
# content a conflict. later: rows that are newer versions, with the moment they became known.
_ENDED = """
CREATE TABLE seen AS
    SELECT identity, any_value(digest) AS digest FROM stored
    WHERE identity IN (SELECT identity FROM identified) GROUP BY identity;
CREATE TABLE repeated AS
    SELECT identity, min(place) AS first FROM identified
    WHERE identity NOT IN (SELECT identity FROM seen)
    GROUP BY identity HAVING count(*) > 1;
CREATE TABLE ended AS
    SELECT place, source, line, identified.digest = seen.digest AS same
    FROM identified JOIN seen USING (identity)
    UNION ALL
    SELECT identified.place, identified.source, identified.line, identified.digest = firsts.digest
    FROM identified JOIN repeated USING (identity) JOIN keys AS firsts ON firsts.place = first
    WHERE identified.place > first;
CREATE TABLE later (place BIGINT, known_at TIMESTAMPTZ);
"""
_LATER = """
INSERT INTO later
    SELECT place, ?::TIMESTAMPTZ + to_microseconds(row_number() OVER (ORDER BY place))
    FROM (
        SELECT place, key, updated_at,
            row_number() OVER (PARTITION BY key ORDER BY place) AS version
        FROM keys WHERE place NOT IN (SELECT place FROM ended)
    )
    WHERE updated_at IS NULL AND (version > 1 OR key IN (SELECT key FROM stored))
"""


def settle(duckdb: DuckDBPyConnection, table: Table, folder: Path) -> None:
    """From ``keys`` and the files in ``folder`` make the tables ``ended`` and ``later``.

    A newer version of an item, an offer or a member that does not say when it was updated becomes
    known now; the first version was always known. Content that an earlier version had is a
    duplicate, so that an old file that is run again does not undo a newer one; a member that goes
    back to it says so by ``updated_at``.
    """
    files = [literal(str(path)) for path in sorted(folder.glob("*.parquet"))]
    if files:
        dated = "updated_at" in table.names
        source = (
            f"SELECT {table.key} AS key, digest, "
            f"{'updated_at' if dated else 'NULL::TIMESTAMPTZ AS updated_at'} "
            f"FROM read_parquet([{', '.join(files)}])"
        )
    else:
        source = "SELECT key, digest, updated_at FROM keys WHERE false"
    identity = f"{identity_sql(table)} AS identity"
    stored = f"SELECT key, digest, {identity} FROM ({source})"
    duckdb.execute(f"CREATE VIEW stored AS {stored}")
    duckdb.execute(f"CREATE VIEW identified AS SELECT *, {identity} FROM keys")
    duckdb.execute(_ENDED)
    if table.versioned:
        duckdb.execute(_LATER, [datetime.now(UTC)])
