"""The audience of a plan as a file: CSV, NDJSON or Parquet, one row a contact."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from decisions.errors import DecisionError
from decisions.exploration import NO_SEND

if TYPE_CHECKING:
    from decisions.decide import Ask
    from decisions.plan import Plan

FORMATS = ("parquet", "csv", "ndjson")
COLUMNS = (
    "rank", "push_id", "member_id", "offer_id", "channel", "send_after", "reason", "probability",
    "explored", "p_if_sent", "p_if_not", "uplift", "expected_gain", "expected_cost", "evidence",
)  # fmt: skip
_IDS = ("push_id", "member_id", "offer_id", "channel")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
_ROWS = 50_000  # written at a time: bounds the memory


class AudienceError(DecisionError):
    """An audience that cannot be written where it was asked for."""


def check_target(path: Path) -> None:
    """Refuse a target before any work is done for it. Raises ``AudienceError``."""
    if path.suffix.removeprefix(".") not in FORMATS:
        wanted = ", ".join(f".{name}" for name in FORMATS)
        raise AudienceError(f"--out {path} ends in {path.suffix!r}, wanted one of {wanted}")
    if not path.absolute().parent.is_dir():
        raise AudienceError(f"--out {path}: the folder {path.parent} does not exist; make it")


def write_audience(path: Path, ask: Ask, planned: Plan) -> None:
    """Write one row per contact, the member with the largest expected gain first.

    In CSV a text that a spreadsheet would run as a formula gets a leading apostrophe.

    Raises:
        AudienceError: Parquet, where pyarrow is not installed.
    """
    writers = {"parquet": _parquet, "csv": _csv, "ndjson": _ndjson}
    writers[path.suffix.removeprefix(".")](path, _blocks(ask, planned))


def _csv(path: Path, blocks: Iterator[dict[str, list[Any]]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for block in blocks:
            block["send_after"] = [moment.isoformat() for moment in block["send_after"]]
            safe = [_safe(name, column) for name, column in block.items()]
            writer.writerows(zip(*safe, strict=True))


def _ndjson(path: Path, blocks: Iterator[dict[str, list[Any]]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for block in blocks:
            block["send_after"] = [moment.isoformat() for moment in block["send_after"]]
            for row in zip(*block.values(), strict=True):
                named = dict(zip(block, row, strict=True))
                file.write(json.dumps(named, ensure_ascii=False) + "\n")


def _parquet(path: Path, blocks: Iterator[dict[str, list[Any]]]) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise AudienceError(
            "Parquet needs pyarrow: install pushwise[features], or take CSV or NDJSON"
        ) from error
    text, number = pa.string(), pa.float64()
    kinds = dict.fromkeys((*_IDS, "reason", "evidence"), text)
    kinds |= {"rank": pa.int64(), "send_after": pa.timestamp("s", "UTC"), "explored": pa.bool_()}
    schema = pa.schema([(name, kinds.get(name, number)) for name in COLUMNS])
    with pq.ParquetWriter(path, schema) as writer:
        for block in blocks:
            writer.write_table(pa.table(block, schema=schema))


def _blocks(ask: Ask, planned: Plan) -> Iterator[dict[str, list[Any]]]:
    for start in range(0, len(planned.ranking), _ROWS):
        yield columns(ask, planned, start, start + _ROWS)


def columns(ask: Ask, planned: Plan, start: int, stop: int) -> dict[str, list[Any]]:
    """The contacts of the members ranked ``start`` to ``stop``, by column, in ``COLUMNS``' order.

    A member with more than one contact has a row for each, with the gain and cost of all of them
    in the first; the estimates are of the first. reason: ``chosen``, or ``explored`` where it was
    drawn at random.
    """
    decisions = planned.decisions
    ranked = planned.ranking[start:stop]
    place, slot = np.nonzero(decisions.option[ranked] != NO_SEND)
    rows = ranked[place]
    option = decisions.option[rows, slot]
    first = slot == 0
    drawn = decisions.explored[rows]
    offers = [one.offer.offer_id for one in decisions.options]
    channels = [one.channel for one in decisions.options]

    def once(values: NDArray[np.float64]) -> list[Any]:
        """Numbers of the member: in the first row alone, so that a column adds up."""
        numbers: list[Any] = np.where(first, values[rows], 0.0).tolist()
        return numbers

    return {
        "rank": (start + place + 1).tolist(),
        "push_id": [ask.push.push_id] * len(rows),
        "member_id": ask.members.named(rows),
        "offer_id": [offers[at] for at in option.tolist()],
        "channel": [channels[at] for at in option.tolist()],
        "send_after": [datetime.fromtimestamp(at, UTC) for at in decisions.send_at[rows].tolist()],
        "reason": ["explored" if one else "chosen" for one in drawn.tolist()],
        "probability": decisions.probability[rows].tolist(),
        "explored": drawn.tolist(),
        "p_if_sent": decisions.p_if_sent[rows].tolist(),
        "p_if_not": decisions.p_if_not[rows].tolist(),
        "uplift": decisions.uplift[rows].tolist(),
        "expected_gain": once(decisions.expected_gain),
        "expected_cost": once(decisions.expected_cost),
        "evidence": [decisions.grades[at] for at in option.tolist()],
    }


def _safe(name: str, column: list[Any]) -> list[Any]:
    if name not in _IDS:
        return column
    return [f"'{value}" if value.startswith(FORMULA) else value for value in column]
