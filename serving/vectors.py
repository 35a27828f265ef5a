"""A sample of the feature vectors that decisions were made with, kept to be checked later."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, func, select

from serving.tables import vectors as table

SHARE = 0.01
KEPT = 100_000  # vectors: about 50 MB at 120 features


@dataclass(frozen=True, slots=True)
class LoggedVector:
    """What one decision knew of its member.

    as_of: moment of the release's snapshot, ISO 8601 in UTC.
    vector: the features in the order of the release's encoding, float32, little endian; NaN where
        a feature is missing.
    """

    decision_id: str
    member_id: str
    release: str
    as_of: str
    vector: bytes


def in_sample(decision_id: str, share: float) -> bool:
    """Whether a decision belongs to the sample: by its id alone, so that all scorers agree.

    Args:
        share: of all decisions, 0 to 1.
    """
    drawn = int.from_bytes(hashlib.sha256(decision_id.encode()).digest()[:8], "big")
    return drawn < share * 2**64


def keep(connection: Connection, fresh: Sequence[LoggedVector]) -> None:
    """Write vectors, and drop the oldest beyond the 100,000 newest."""
    if not fresh:
        return
    connection.execute(table.insert(), [asdict(vector) for vector in fresh])
    newest = connection.execute(select(func.max(table.c.seq))).scalar_one()
    connection.execute(delete(table).where(table.c.seq <= newest - KEPT))


def kept(connection: Connection) -> list[LoggedVector]:
    """The sample, oldest first."""
    columns = [column for column in table.c if column.name != "seq"]
    found = connection.execute(select(*columns).order_by(table.c.seq))
    return [LoggedVector(**row._mapping) for row in found]
