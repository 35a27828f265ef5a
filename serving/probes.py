"""What probes and scrapes ask, away from the threads of the calls."""

from __future__ import annotations

from dataclasses import dataclass, field

from anyio import CapacityLimiter

from serving.fresh_source import FreshSource
from serving.monitors.gauges import MonitorGauges
from serving.parts import Parts
from serving.readiness import Readiness
from serving.standing import StandingGauges
from serving.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class StoreGauges:
    """Brings the state of the online store into the metrics; asks the store nothing."""

    fresh: FreshSource
    telemetry: Telemetry

    def refresh(self) -> None:
        state = self.fresh.state()
        if state is None:
            return
        self.telemetry.breaker("online_store", state.breaker)
        if state.behind is not None:
            self.telemetry.fresh_behind(state.behind)


@dataclass(frozen=True, slots=True)
class Probes:
    """limiter: threads of their own, so that calls that hang in the log's database keep no probe
    from hearing so."""

    readiness: Readiness
    standing: StandingGauges
    store: StoreGauges
    monitors: MonitorGauges
    limiter: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(4))

    @classmethod
    def of(cls, parts: Parts) -> Probes:
        return cls(
            Readiness(parts.log, parts.telemetry),
            StandingGauges(parts.log, parts.decider, parts.telemetry),
            StoreGauges(parts.fresh, parts.telemetry),
            MonitorGauges(parts.workspace, parts.telemetry),
        )

    def refresh(self) -> None:
        """Bring what is looked up for metrics up to date."""
        self.readiness.failing()
        self.standing.refresh()
        self.store.refresh()
        self.monitors.refresh()
