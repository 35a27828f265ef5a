"""The shop that the learning loop runs: a live market, and a workspace that knows what it tells."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features.workspace import Workspace, open_workspace
from training.market import live as market
from training.market import weekly, write
from training.market.clock import shopping_days
from training.market.config import MarketConfig
from training.market.pushes import Round

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from decisions.catalogue import Push
    from training.market.world import Sending


class Shop:
    """Time goes by with ``live_until``; nothing of the market's truth reaches the workspace.

    live: the market now. member_ids: of all members, in the order of the market's arrays.
    """

    def __init__(self, folder: Path, config: MarketConfig, weeks: int) -> None:
        """Open the market of ``config`` for week 0 and ``weeks`` more, and tell its history.

        Raises:
            TrainingError: a market that is too large.
        """
        self._files = folder / "market"
        self.config = config
        self.workspace: Workspace = open_workspace(folder / "workspace")
        self.live = market.open_live(config, (weeks + 1) * weekly.WEEK)
        self.member_ids = self.live.member_ids
        for table, files in market.catalogue(self.live, self._files).items():
            self._take(table, files)
        self._part = 0
        self._tell(config.history_end)

    def announce(self, pushes: Sequence[Push]) -> None:
        """Put pushes into the catalogue."""
        columns = write.catalogue_columns("pushes", pushes)
        number = len(list((self._files / "pushes").glob("*")))
        self._take("pushes", [write.write_table(self._files, "pushes", number, columns)[0]])

    def first_week(self) -> int:
        """Send the pushes of week 0 at random, and live until the next week; how many decisions."""
        pushes = weekly.first_pushes(self.config)
        self.announce(pushes)
        decided = weekly.at_random(self.live, pushes, self.config.seed)
        rounds = self.send(decided, weekly.sent_at(self.config, 1))
        columns = write.decision_columns(0, rounds)
        path, rows = write.write_table(self._files, "decisions", 0, columns)
        self._take("decisions", [path])
        return rows

    def send(
        self, decided: Sequence[tuple[Sending, NDArray[np.int64]]], until: datetime
    ) -> tuple[Round, ...]:
        """Send pushes and live until ``until``, when all of their outcomes are known."""
        self.live, rounds = market.send(self.live, decided)
        self._tell(until)
        self._take("outcomes", [market.write_outcomes(rounds, self._part, self._files)])
        self._part += 1
        return rounds

    def _tell(self, until: datetime) -> None:
        self.live, events = market.tell(self.live, shopping_days(until))
        self._take("events", [market.write_events(self.live, events, self._files)])

    def _take(self, table: str, files: Sequence[Path]) -> None:
        from features.ingest.load import ingest

        ingest(self.workspace, table, list(files))
