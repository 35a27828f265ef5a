"""``column IN (many values)`` that is compiled once, however many values there are.

SQLAlchemy's own ``in_`` writes a statement anew for each number of values, which takes longer than
the database needs for the answer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Dialect, String, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeDecorator


class _JsonTexts(TypeDecorator[Sequence[str]]):
    """Texts as one JSON list."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> str:
        return json.dumps(list(value or ()))


def among(dialect: str, column: Column[Any], name: str) -> ColumnElement[bool]:
    """Whether ``column`` is one of the texts that are given as the parameter ``name``.

    Keep the statement that it stands in: making one costs more than running it.
    """
    if dialect == "postgresql":
        return column == any_(bindparam(name, type_=ARRAY(String)))
    listed = func.json_each(bindparam(name, type_=_JsonTexts)).table_valued("value")
    return column.in_(select(listed.c.value))
