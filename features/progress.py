"""How long work tells its caller how far it is, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told after each step of long work; the command line draws bars from it."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` units of ``stage`` are finished; the total may be unknown."""


def silent(stage: str, done: int, total: int | None) -> None:
    """Report to nobody."""
