"""What a feature report compares with: given moments, the champion's training window, the past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from features.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Reference:
    """moments: built ones, maybe none. words: what they are."""

    moments: tuple[datetime, ...]
    words: str


def reference_moments(
    workspace: Workspace, moment: datetime, built: Sequence[datetime], given: Sequence[datetime]
) -> Reference:
    """The moments ``given``; else those still built of the champion's training; else all before.

    Raises:
        TrainingError: the training record cannot be read.
    """
    if given:
        return Reference(tuple(given), "moments given")
    from training.training_window import training_window

    window = training_window(workspace)
    if window is not None:
        kept = tuple(one for one in window.moments if one in set(built) - {moment})
        if kept:
            words = f"moments that {window.name} version {window.version} learned from"
            gone = len(window.moments) - len(kept)
            return Reference(kept, f"{words} ({gone} more are built no more)" if gone else words)
    return Reference(tuple(one for one in built if one < moment), "moments built before")
