from __future__ import annotations

from datetime import UTC, datetime, timedelta

from features.workspace import Workspace
from tests.training.notes import Note, account
from training.trained import FEATURE_MOMENTS, Account, in_words, record
from training.training_window import TrainingWindow, training_window


def test_the_training_window_is_that_of_the_champion_that_decides(recorded: Workspace) -> None:
    assert training_window(recorded) is None
    record(recorded, "propensity", Note("an older version noted none"), account(0.8, 0.7))
    assert training_window(recorded) is None
    first = datetime(2026, 5, 1, 13, 30, 0, 250_000, tzinfo=UTC)
    moments = (first, first + timedelta(days=30))

    def noted(*seen: datetime, ours: float = 0.8) -> Account:
        return account(ours, 0.7, champion=ours, facts={FEATURE_MOMENTS: in_words(seen)})

    record(recorded, "propensity", Note("p"), noted(*reversed(moments)))
    assert training_window(recorded) == TrainingWindow("propensity", "2", moments)
    record(recorded, "propensity", Note("no champion"), noted(first, ours=0.1))
    assert training_window(recorded) == TrainingWindow("propensity", "2", moments)
    record(recorded, "response", Note("r"), noted(first))
    assert training_window(recorded) == TrainingWindow("response", "1", (first,))
