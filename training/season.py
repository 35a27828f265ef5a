"""How the level of an outcome moves from one window to the next at this time of the year."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.calibration import Platt, sigmoid
from models.propensity import Propensity
from training.frames import LabelledRows, Split

# How far, in log odds, a move between two windows differs from that of the year before: on Online
# Retail .15 between windows of 30 days (2011-04 to 2011-09) and .17 of 90 days (before 2011-09).
FROM_YEAR_TO_YEAR = 0.15
_STEPS = 50


def season_shift(model: Propensity, before: LabelledRows, after: LabelledRows) -> float:
    """How much the log odds move from the window ``before`` to the one ``after`` it.

    A move is what has to be added to the promises of a model that knows no season to meet the
    outcomes of one window, less the same of the other: what members had done by then is taken into
    account. It is shrunk as the positive part of James and Stein (1961) does, by what chance and
    the difference between years make of it, so that only clear seasons count.
    """
    (level_before, noise_before), (level_after, noise_after) = (
        _level(model, rows) for rows in (before, after)
    )
    move = level_after - level_before
    noise = FROM_YEAR_TO_YEAR**2 + noise_before + noise_after
    return move * max(0.0, 1 - noise / move**2) if move else 0.0


def season_ahead(model: Propensity, split: Split) -> tuple[float, float]:
    """By ``season_shift`` of a year ago: from the calibration to the test window, and from that to
    the window after it; 0 each where the history does not reach so far.
    """
    if not split.year_ago:
        return 0.0, 0.0
    calibrate, test, ahead = split.year_ago
    return season_shift(model, calibrate, test), season_shift(model, test, ahead)


def shifted(model: Propensity, shift: float) -> Propensity:
    """``model`` with so much added to its log odds."""
    calibration = Platt(model.calibration.slope, model.calibration.intercept + shift)
    return replace(model, calibration=calibration)


def _level(model: Propensity, rows: LabelledRows) -> tuple[float, float]:
    """What to add to the log odds so that promises add up to outcomes, and its variance."""
    promised = model.predict(rows.values, rows.names)
    log_odds = np.log(promised / (1 - promised))
    # Half a member more of either kind keeps the answer finite where all or none did.
    wanted = (rows.happened.sum() + 0.5) / (len(rows.happened) + 1) * len(rows.happened)
    shift = 0.0
    for _ in range(_STEPS):
        chance = sigmoid(log_odds + shift)
        spread = float((chance * (1 - chance)).sum())
        step = float(np.clip((wanted - chance.sum()) / max(spread, 1e-9), -1.0, 1.0))
        shift += step
        if abs(step) < 1e-9:
            break
    return shift, 1 / max(spread, 1e-9)
