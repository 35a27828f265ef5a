"""Single columns out of the contract rows that the log holds as JSON, whatever its engine."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, cast, func
from sqlalchemy.dialects import postgresql


def field_of(connection: Connection, row: ColumnElement[str], name: str) -> ColumnElement[str]:
    """The value ``name`` of the JSON object in ``row``, as text; null where it has none."""
    if connection.dialect.name == "postgresql":
        text: ColumnElement[str] = cast(row, postgresql.JSON)[name].astext
        return text
    return func.json_extract(row, f"$.{name}")
