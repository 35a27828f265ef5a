"""What a synthetic market is made from, and where it lies once made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from training.errors import TrainingError

FEWEST, MOST = 100, 1_000_000
MOST_GAPS = 14  # one a destination


@dataclass(frozen=True, slots=True)
class MarketConfig:
    """The same config gives the same bytes.

    members: from 100 to 1,000,000; figures settle from about 1,000 on.
    history_end: the last moment of the history and the send time of the push to be planned.
    effects_off: nobody buys more or less because of a push. Coupons are still used on purchases
        made anyway, so every coupon costs and earns nothing.
    gaps: so many needs that the shop stopped serving, each wanted more and more by one segment of
        members, and as many that grow and are served; see ``gaps.py``. 0 changes nothing.
    """

    members: int = 20_000
    seed: int = 0
    history_end: datetime = datetime(2026, 5, 18, 2, tzinfo=UTC)
    effects_off: bool = False
    gaps: int = 0

    def __post_init__(self) -> None:
        if not FEWEST <= self.members <= MOST:
            raise TrainingError(
                f"a market of {self.members} members is out of reach; take {FEWEST:,} to {MOST:,}"
            )
        if self.history_end.tzinfo is None:
            raise TrainingError("history_end has no offset; add one")
        if not 0 <= self.gaps <= MOST_GAPS:
            raise TrainingError(f"gaps is {self.gaps}, wanted 0 to {MOST_GAPS}")
        if self.seed < 0:
            raise TrainingError(f"seed is {self.seed}, wanted 0 or more")


@dataclass(frozen=True, slots=True)
class Market:
    """A market on disk: contract tables to ingest and, apart, the truth.

    tables: contract table to its files, ``<folder>/<table>/<part>.parquet``.
    rows: contract table to its number of rows.
    push_id: the push that is still to be planned; it is sent at ``config.history_end``.
    """

    folder: Path
    config: MarketConfig
    tables: Mapping[str, tuple[Path, ...]]
    rows: Mapping[str, int]
    push_id: str
