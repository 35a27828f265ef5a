"""The audience of a plan as a file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from decisions.errors import DecisionError

if TYPE_CHECKING:
    from decisions.decide import Ask
    from decisions.plan import Plan

FORMATS = (".parquet", ".csv")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class AudienceError(DecisionError):
    """An audience that cannot be written where it was asked for."""


def check_target(path: Path) -> None:
    """Refuse a target before any work is done for it. Raises ``AudienceError``."""
    if path.suffix not in FORMATS:
        raise AudienceError(f"--out {path} ends in {path.suffix!r}, wanted {' or '.join(FORMATS)}")
    if not path.absolute().parent.is_dir():
        raise AudienceError(f"--out {path}: the folder {path.parent} does not exist; make it")


def write_audience(path: Path, ask: Ask, planned: Plan) -> None:
    """Write one row per member with an offer, the largest expected gain first.

    In CSV a text that a spreadsheet would run as a formula gets a leading apostrophe.
    """
    columns = _columns(ask, planned)
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table(columns), path)
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow([_safe(value) for value in row])


def _columns(ask: Ask, planned: Plan) -> dict[str, list[Any]]:
    decisions, rows = planned.decisions, planned.ranking
    offers = np.array(ask.push.offer_ids)
    return {
        "rank": list(range(1, len(rows) + 1)),
        "push_id": [ask.push.push_id] * len(rows),
        "member_id": [ask.members.ids[row] for row in rows],
        "offer_id": offers[decisions.offer[rows]].tolist(),
        "probability": decisions.probability[rows].tolist(),
        "explored": decisions.explored[rows].tolist(),
        "p_if_sent": decisions.p_if_sent[rows].tolist(),
        "p_if_not": decisions.p_if_not[rows].tolist(),
        "uplift": decisions.uplift[rows].tolist(),
        "expected_gain": decisions.expected_gain[rows].tolist(),
        "expected_cost": decisions.expected_cost[rows].tolist(),
        "evidence": [decisions.evidence[row] for row in rows],
    }


def _safe(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
