"""A circuit breaker: what has failed several times in a row is left alone for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class Rules:
    """failures: in a row, until it opens. pause: seconds that it stays open at first, doubled with
    every failed try up to ``longest``."""

    failures: int = 3
    pause: float = 1.0
    longest: float = 30.0


@dataclass(frozen=True, slots=True)
class Circuit:
    """Where a breaker stands; moments are seconds of any one clock.

    failures: in a row. pause: of the present opening. again_at: when the next try is let through;
    None: closed. trying: a try was let through since it opened.
    """

    failures: int = 0
    pause: float = 0.0
    again_at: float | None = None
    trying: bool = False

    def state(self, now: float) -> State:
        if self.again_at is None:
            return "closed"
        return "open" if now < self.again_at else "half_open"

    def failed(self, rules: Rules, now: float) -> Circuit:
        failures = self.failures + 1
        if self.again_at is None and failures < rules.failures:
            return replace(self, failures=failures)
        if self.again_at is not None and not self.trying:
            return self  # begun before it opened: no news
        pause = min(rules.longest, 2 * self.pause) if self.pause else rules.pause
        return Circuit(failures, pause, now + pause)

    def tried(self, now: float) -> Circuit:
        """A try is on its way; the next may follow a pause later, if nobody hears of it."""
        if self.again_at is None:
            return self
        return replace(self, again_at=now + self.pause, trying=True)


class Breaker:
    """Decides whether something that may be dead is tried now. Threads may share one.

    Closed, every try is let through. After ``failures`` in a row it opens: none is. A pause later
    it is half open and lets one through: that success closes it, that failure opens it for twice
    as long.
    """

    def __init__(self, rules: Rules = Rules(), clock: Callable[[], float] = time.monotonic) -> None:
        self._rules = rules
        self._clock = clock
        self._lock = threading.Lock()
        self._circuit = Circuit()

    @property
    def state(self) -> State:
        return self._circuit.state(self._clock())

    def allows(self) -> bool:
        """Whether to try now; whoever was allowed tells how it went."""
        with self._lock:
            now = self._clock()
            if self._circuit.state(now) == "open":
                return False
            self._circuit = self._circuit.tried(now)
            return True

    def succeeded(self) -> None:
        with self._lock:
            self._circuit = Circuit()

    def failed(self) -> None:
        with self._lock:
            self._circuit = self._circuit.failed(self._rules, self._clock())
