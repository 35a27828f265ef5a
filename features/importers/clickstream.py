"""Clickstreams: the REES46 multi-category store and RetailRocket. One source row is one event.

A row has no id of its own: it is known by its content, so that a click that was logged twice in the
same second is one event. Both are streamed, also a file larger than memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from features.contract import Column, ContractError, Table
from features.importers.run import LINE, Import, ImportReport, Prepare, importing, public
from features.progress import Progress, silent
from features.workspace import Workspace

REES46 = Table(
    "rees46",
    "product_id",
    (
        Column("event_time", "time", required=True),
        Column(
            "event_type",
            "enum",
            required=True,
            choices=("view", "cart", "remove_from_cart", "purchase"),
        ),
        Column("product_id", "id", required=True),
        Column("category_id", "id"),
        Column("category_code", "text"),
        Column("brand", "category"),
        Column("price", "money", minimum=0),
        Column("user_id", "id", required=True),
        Column("user_session", "id"),
    ),
)
RETAILROCKET = Table(
    "retailrocket",
    "itemid",
    (
        Column("timestamp", "integer", required=True, minimum=0),
        Column("visitorid", "id", required=True),
        Column("event", "enum", required=True, choices=("view", "addtocart", "transaction")),
        Column("itemid", "id", required=True),
        Column("transactionid", "id"),
    ),
)
_REES46_EVENTS = f"""
SELECT
    md5(concat_ws('|', epoch_us(event_time), event_type, product_id, user_id,
        coalesce(user_session, ''), price)) AS event_id,
    user_id AS member_id,
    if(event_type = 'cart', 'add_to_cart', event_type) AS type,
    event_time AS occurred_at,
    product_id AS item_id,
    if(event_type = 'purchase', 1.0, NULL)::DOUBLE AS quantity,
    if(event_type = 'view' OR price = 0, NULL, price) AS unit_price,
    if(event_type = 'purchase', user_session, NULL) AS order_id,
    user_session AS session_id,
    line AS "{LINE}"
FROM rows
"""
_REES46_SEEN = """
INSERT INTO seen SELECT ?, product_id, max(event_time),
    arg_max(category_code, event_time), arg_max(brand, event_time),
    arg_max(price, event_time) FILTER (price > 0)
FROM rows GROUP BY product_id
"""
_REES46_ITEMS = """
SELECT item AS item_id, split_part(arg_max(code, at_time), '.', 1) AS category,
    arg_max(code, at_time) AS subcategory, arg_max(brand, at_time) AS brand,
    arg_max(price, at_time) AS price
FROM seen GROUP BY item ORDER BY item
"""
_RETAILROCKET_EVENTS = f"""
SELECT
    md5(concat_ws('|', timestamp, visitorid, event, itemid, coalesce(transactionid, '')))
        AS event_id,
    visitorid AS member_id,
    CASE event WHEN 'addtocart' THEN 'add_to_cart' WHEN 'transaction' THEN 'purchase'
        ELSE event END AS type,
    timezone('UTC', TRY(epoch_ms(timestamp))) AS occurred_at,
    itemid AS item_id,
    if(event = 'transaction', 1.0, NULL)::DOUBLE AS quantity,
    transactionid AS order_id,
    line AS "{LINE}"
FROM rows
"""


@dataclass(frozen=True, slots=True)
class _Log:
    """How one data set becomes events. SQL reads ``rows``: a part of a file, typed.

    seen: notes the items of the part in the table ``seen``; items: the items of all parts. Empty
    where the data set tells nothing of its items.
    """

    name: str
    shape: Table
    events: str
    prepare: Prepare | None = None
    seen: str = ""
    items: str = ""


def import_rees46(
    workspace: Workspace, paths: Sequence[Path], progress: Progress = silent
) -> ImportReport:
    """Take monthly files of the REES46 store as events and items.

    A purchase is of one piece at ``price``; purchases of a session are one order. An item's
    category is the first part of its ``category_code``, its subcategory the whole; price, brand and
    code are the latest seen. Consent was never asked, so that a missing one counts as consent.
    """
    log = _Log("rees46", REES46, _REES46_EVENTS, _iso_times, _REES46_SEEN, _REES46_ITEMS)
    return _import(workspace, paths, log, progress)


def import_retailrocket(
    workspace: Workspace, paths: Sequence[Path], progress: Progress = silent
) -> ImportReport:
    """Take RetailRocket's ``events.csv`` as events; a transaction is a purchase of one piece.

    There are no prices, and the properties of items are hashed: no items are taken. Consent was
    never asked, so that a missing one counts as consent.
    """
    return _import(
        workspace, paths, _Log("retailrocket", RETAILROCKET, _RETAILROCKET_EVENTS), progress
    )


def _import(
    workspace: Workspace, paths: Sequence[Path], log: _Log, progress: Progress
) -> ImportReport:
    with importing(public(workspace), log.name, progress) as run:
        run.duckdb.execute(
            "CREATE TABLE seen (source INTEGER, item VARCHAR, at_time TIMESTAMPTZ, code VARCHAR, "
            "brand VARCHAR, price DECIMAL(18, 4))"
        )
        for path in paths:
            number = run.begin(path)
            try:
                run.take_source(number, "events", _events(run, number, log))
            except ContractError as error:
                run.duckdb.execute("DELETE FROM seen WHERE source = ?", [number])
                run.refuse(number, error)
        if log.items:
            run.take_derived("items", [run.duckdb.sql(log.items).to_arrow_table()])
        return run.finish()


def _events(run: Import, number: int, log: _Log) -> Iterator[pa.Table]:
    for checked in run.read(number, [log.shape], prepare=log.prepare):
        run.duckdb.register("rows", checked.rows.append_column("line", pa.array(checked.lines)))
        if log.seen:
            run.duckdb.execute(log.seen, [number])
        events = run.duckdb.sql(log.events).to_arrow_table()
        run.duckdb.unregister("rows")
        yield events


def _iso_times(raw: pa.RecordBatch) -> pa.RecordBatch:
    """``2019-10-01 00:00:00 UTC`` as ``2019-10-01 00:00:00Z``."""
    place = raw.schema.get_field_index("event_time")
    if not pa.types.is_string(raw.schema.field(place).type):
        return raw
    mended = pc.replace_substring_regex(raw.column(place), pattern=" UTC$", replacement="Z")
    return raw.set_column(place, "event_time", mended)
