"""What probes and scrapes ask, away from the threads of the calls."""

from __future__ import annotations

from dataclasses import dataclass, field

from anyio import CapacityLimiter

from serving.parts import Parts
from serving.readiness import Readiness
from serving.standing import StandingGauges


@dataclass(frozen=True, slots=True)
class Probes:
    """limiter: threads of their own, so that calls that hang in the log's database keep no probe
    from hearing so."""

    readiness: Readiness
    standing: StandingGauges
    limiter: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(4))

    @classmethod
    def of(cls, parts: Parts) -> Probes:
        return cls(
            Readiness(parts.log, parts.telemetry),
            StandingGauges(parts.log, parts.decider, parts.telemetry),
        )

    def refresh(self) -> None:
        """Bring what is looked up for metrics up to date."""
        self.readiness.failing()
        self.standing.refresh()
