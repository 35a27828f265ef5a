"""From where on a monitor warns and alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Thresholds:
    """See ``docs/monitor.md``; ``[monitor]`` in the settings.

    alarm_rate: chance of an alert without a cause, of all subjects of a monitor in one run
        together. recent_days, past_days: what is judged, and what it is held against.
    freshness_days: age of a feed, of the newest features and of the release; freshness: by name.
    psi_warn, psi: population stability index of a feature or an estimate.
    calibration: |observed / expected − 1| of conversions. srm_p: an experiment's alarm.
    unsubscribe_rise: rate over that of before. least_sends: in each period, before a rate is told.
    pace: how far use may be from the plan, in shares of the limit; beyond .17 prices can follow no
        further. volume_factor: how many times more or less than usual. least_volume: usual
        decisions, before anything is told of them.
    silent_hours, silent_sends: so many sends in so many hours are followed by some outcome.
    """

    alarm_rate: float = 0.001
    recent_days: int = 7
    past_days: int = 28
    freshness_days: float = 3.0
    freshness: Mapping[str, float] = field(default_factory=dict)
    psi_warn: float = 0.1
    psi: float = 0.25
    calibration: float = 0.25
    srm_p: float = 0.001
    unsubscribe_rise: float = 1.5
    least_sends: int = 500
    pace: float = 0.17
    volume_factor: float = 2.0
    least_volume: int = 50
    silent_hours: int = 24
    silent_sends: int = 100


BY_DEFAULT = Thresholds()
