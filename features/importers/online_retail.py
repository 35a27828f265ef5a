"""UCI Online Retail I and II: two years of a UK gift wholesaler's invoice lines.

Both raw sheets and the joined purchases are taken, as Parquet or CSV with the same columns, in any
order: the sheets overlap from 1 to 9 December 2010, and a line that comes again is a duplicate. A
line is known by its content and, since an invoice may hold the same line twice, by its number among
the equal lines of its file.

Lines end as events, or in the quarantine: ``unknown_customer`` (missing or 0: they must not become
one giant member), ``adjustment`` (bad debt, fees, postage, samples and other lines that sell no
product, and lines without a price). A cancellation (invoice ``C…``, or a negative quantity) is a
refund. Times are local in the UK.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa

from features.contract import Column, ContractError, Table
from features.importers.categories import head_nouns
from features.importers.run import LINE, Import, ImportReport, importing, public
from features.ingest.chunk import CHUNK_ROWS, Rejected
from features.progress import Progress, silent
from features.workspace import Workspace

NAME = "online-retail"
UK = ZoneInfo("Europe/London")


def _shape(name: str, invoice: str, price: str, customer: str) -> Table:
    return Table(
        name,
        invoice,
        (
            Column(invoice, "id", required=True),
            Column("StockCode", "id", required=True),
            Column("Description", "text"),
            Column("Quantity", "integer", required=True),
            Column("InvoiceDate", "time", required=True),
            Column(price, "money", required=True),
            Column(customer, "integer"),
            Column("Country", "category"),
        ),
    )


SHAPES = (
    _shape("Online Retail", "InvoiceNo", "UnitPrice", "CustomerID"),
    _shape("Online Retail II", "Invoice", "Price", "Customer ID"),
)

# Codes that sell no product: postage, carriage, manual entries, discounts, samples, fees.
_NO_PRODUCT = (
    "POST", "DOT", "C2", "C3", "M", "D", "S", "B", "BANK CHARGES", "AMAZONFEE", "CRUK", "GIFT",
)  # fmt: skip

_JUDGED = f"""
CREATE TABLE judged AS SELECT *,
    CASE
        WHEN coalesce(customer, 0) = 0 THEN 'unknown_customer'
        WHEN invoice LIKE 'A%' OR stock IN {_NO_PRODUCT} OR stock LIKE 'ADJUST%'
            OR stock LIKE 'TEST%' OR price <= 0 OR quantity = 0 THEN 'adjustment'
    END AS reason,
    row_number() OVER (
        PARTITION BY source, invoice, stock, quantity, moment, price, customer, country
        ORDER BY line
    ) AS nth
FROM lines
"""
_EVENTS = f"""
SELECT
    md5(concat_ws('|', invoice, stock, quantity, epoch_us(moment), price, customer, country, nth))
        AS event_id,
    customer::VARCHAR AS member_id,
    CASE WHEN invoice LIKE 'C%' OR quantity < 0 THEN 'refund' ELSE 'purchase' END AS type,
    moment AS occurred_at,
    stock AS item_id,
    CASE WHEN invoice LIKE 'C%' THEN -abs(quantity) ELSE quantity END::DOUBLE AS quantity,
    price AS unit_price,
    invoice AS order_id,
    line AS "{LINE}"
FROM judged WHERE source = ? AND reason IS NULL ORDER BY line
"""
_MEMBERS = """
SELECT customer::VARCHAR AS member_id, arg_max(country, (n, country)) AS region
FROM (
    SELECT customer, country, count(*) AS n FROM judged WHERE reason IS NULL GROUP BY ALL
) GROUP BY customer ORDER BY customer
"""
_TITLES = """
SELECT stock AS item_id, arg_max(title, (n, title)) FILTER (title <> '') AS title
FROM (
    SELECT stock, trim(title) AS title, count(*) AS n FROM judged WHERE reason IS NULL GROUP BY ALL
) GROUP BY stock ORDER BY stock
"""
_REJECTED = """
SELECT line, reason, json_object(
    'invoice', invoice, 'stock', stock, 'title', title, 'quantity', quantity,
    'moment', moment::VARCHAR, 'price', price, 'customer', customer, 'country', country
) AS text
FROM judged WHERE source = ? AND reason IS NOT NULL ORDER BY line
"""
_MESSAGES = {
    "unknown_customer": "the line names no customer",
    "adjustment": "the line sells no product, or has no price",
}


def import_online_retail(
    workspace: Workspace, paths: Sequence[Path], progress: Progress = silent
) -> ImportReport:
    """Take sheets of Online Retail as members, items and events.

    A member's region is the country of most of their lines, an item's title its commonest
    description, its category the head noun of the title; when a member joined is not known. Consent
    was never asked, so that a missing one counts as consent; the workspace remembers it.
    """
    with importing(public(workspace), NAME, progress) as run:
        run.duckdb.execute(
            "CREATE TABLE lines (source INTEGER, line BIGINT, invoice VARCHAR, stock VARCHAR, "
            "title VARCHAR, quantity BIGINT, moment TIMESTAMPTZ, price DECIMAL(18, 4), "
            "customer BIGINT, country VARCHAR)"
        )
        sources = [_read(run, path) for path in paths]
        run.duckdb.execute(_JUDGED)
        run.take_derived("members", [run.duckdb.sql(_MEMBERS).to_arrow_table()])
        run.take_derived("items", [_items(run.duckdb.sql(_TITLES).to_arrow_table())])
        for done, source in enumerate(sources, start=1):
            run.take_source(
                source,
                "events",
                run.duckdb.execute(_EVENTS, [source]).to_arrow_reader(CHUNK_ROWS),
            )
            _quarantine(run, source)
            progress("taking lines", done, len(sources))
        return run.finish()


def _read(run: Import, path: Path) -> int:
    """The lines of a file into the table ``lines``; the number of the source."""
    number = run.begin(path)
    try:
        for checked in run.read(number, SHAPES, UK):
            rows = checked.rows.rename_columns(
                ["invoice", "stock", "title", "quantity", "moment", "price", "customer", "country"]
            ).append_column("line", pa.array(checked.lines))
            run.duckdb.register("rows", rows)
            run.duckdb.execute(
                "INSERT INTO lines SELECT ?, line, upper(trim(invoice)), upper(trim(stock)), "
                "title, quantity, moment, price, customer, country FROM rows",
                [number],
            )
            run.duckdb.unregister("rows")
    except ContractError as error:
        run.duckdb.execute("DELETE FROM lines WHERE source = ?", [number])
        run.refuse(number, error)
    return number


def _items(titles: pa.Table) -> pa.Table:
    categories = head_nouns(titles["title"].to_pylist())
    return titles.append_column("category", pa.array(categories, pa.string()))


def _quarantine(run: Import, source: int) -> None:
    rejected = run.duckdb.execute(_REJECTED, [source]).to_arrow_reader(CHUNK_ROWS)
    for part in rejected:
        run.reject(
            source,
            (
                Rejected(row["line"], row["reason"], "", _MESSAGES[row["reason"]], row["text"])
                for row in part.to_pylist()
            ),
        )
