"""The member views of ``benchmarks.shop`` as DuckDB SQL written by hand, ``features.sql``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import duckdb

from features.tables import CLICK_TYPES
from features.vocabulary import Vocabulary
from features.workspace import Workspace

VIEWS = ("purchases", "price", "clickstream", "affinity", "membership", "lifecycle")
WINDOWS = (7, 30, 90, 365)


def build(workspace: Workspace, as_of: datetime, vocabulary: Vocabulary, out: Path) -> None:
    """Write every view of members as of ``as_of`` to ``out``, a Parquet file each."""
    script = (Path(__file__).parent / "features.sql").read_text(encoding="utf-8")
    out.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(
            "SET TimeZone = 'UTC'; SET preserve_insertion_order = false; "
            "SET enable_progress_bar = false; "
            f"SET memory_limit = '{workspace.engine.memory_limit}'; "
            f"SET temp_directory = '{workspace.root / 'spill'}'"
        )
        for statement in script.format(**_words(workspace, as_of, vocabulary, out)).split(";\n"):
            if re.sub(r"--.*", "", statement).strip():
                connection.execute(statement)


def _words(
    workspace: Workspace, as_of: datetime, vocabulary: Vocabulary, out: Path
) -> dict[str, object]:
    """What the script names in braces."""
    now = int(as_of.timestamp())
    moment = f"'{as_of.isoformat()}'::TIMESTAMPTZ"
    tables = {name: f"'{workspace.tables / name}/*.parquet'" for name in ("events", "items")}
    ranks = {name: rank for rank, name in enumerate(sorted(vocabulary.categories))}
    places = ", ".join(
        f"('{name}', {place}, {ranks[name]})" for place, name in enumerate(vocabulary.categories)
    )
    sums = ("bought", "gross", "discounted", "discount", "refunded")
    nets = [f"net_{days}" for days in WINDOWS]
    return {
        **tables,
        "members": f"'{workspace.tables / 'members'}/*.parquet'",
        "clicks": str(CLICK_TYPES),
        "as_of": moment,
        "now": now,
        "today": now // 86_400,
        "day": "(epoch_us(occurred_at) // 86400000000)",
        "year": as_of.year,
        "stamp": f"{moment} AS feature_time, now() AS created",
        "out": out,
        "vocabulary": f"(SELECT * FROM (VALUES {places}) AS v (c, place, rank))",
        "wide": _wide(vocabulary.features),
        "net_windows": ", ".join(
            f"sum(CASE WHEN day >= {now // 86_400 - days} THEN net END) AS net_{days}"
            for days in WINDOWS
        ),
        "order_windows": ", ".join(
            f"sum((day >= {now // 86_400 - days})::INT) AS orders_{days}" for days in WINDOWS
        ),
        "order_sums": _summed((*sums, *nets)),
        "sums": _summed((*sums, *nets, *(f"orders_{days}" for days in WINDOWS))),
        "window_columns": ", ".join(
            f"coalesce(orders_{days}, 0)::DOUBLE AS orders_{days}d, "
            f"coalesce(net_{days}, 0)::DOUBLE AS spend_{days}d"
            for days in WINDOWS
        ),
        "quintile_r": _quintile("last_second"),
        "quintile_f": _quintile("orders_365"),
        "quintile_m": _quintile("coalesce(net_365, 0)"),
    }


def _summed(names: Sequence[str]) -> str:
    return ", ".join(f"sum({name}) AS {name}" for name in names)


def _wide(names: Sequence[str]) -> str:
    best = ", ".join(
        f'coalesce(max(CASE WHEN place = {place} THEN interest END), 0) AS "interest__{name}"'
        for place, name in enumerate(names)
    )
    last = ", ".join(
        f'max(CASE WHEN place = {place} THEN {days} END) AS "{days}__{name}"'
        for days in ("seen_days", "bought_days")
        for place, name in enumerate(names)
    )
    return f"{best}, {last}"


def _quintile(value: str) -> str:
    """1 to 5 by the middle place of equal values."""
    window = f"OVER (PARTITION BY orders_life > 0 ORDER BY {value})"
    below = f"(rank() {window} - 1) / count(*) OVER (PARTITION BY orders_life > 0)"
    return f"least(floor(({below} + cume_dist() {window}) / 2 * 5), 4) + 1"
