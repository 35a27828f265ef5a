"""From which moments the model that decides learned: what later features are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from features.workspace import Workspace
from training.tracking import champion, champion_facts
from training.trained import FEATURE_MOMENTS

# The model that decides first: its features should look as they did when it learned from them.
_DECIDING = ("response", "propensity")


@dataclass(frozen=True, slots=True)
class TrainingWindow:
    """What the champion ``name`` learned from: features as of these moments, oldest first."""

    name: str
    version: str
    moments: tuple[datetime, ...]


def training_window(workspace: Workspace) -> TrainingWindow | None:
    """That of the model that decides: the response model's, else the propensity's.

    None where no model was trained, or only by a version that did not note its moments.

    Raises:
        TrainingError: the record cannot be read.
    """
    for name in _DECIDING:
        found = champion(workspace, name)
        noted = champion_facts(workspace, name).get(FEATURE_MOMENTS)
        if found is not None and noted:
            moments = tuple(sorted(datetime.fromisoformat(word) for word in noted.split()))
            return TrainingWindow(name, found[0].version, moments)
    return None
