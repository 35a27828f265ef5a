"""How many calls a key may make: a token bucket a key, in the memory of one worker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float  # when it held so many, seconds of the clock


class Rates:
    """The buckets of all keys. A call takes one token, whatever it asks for.

    Args:
        clock: seconds that only ever grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, key_id: str, rate: float, burst: int) -> float:
        """0 where the key may make a call now, which is then counted; else seconds until it may.

        Args:
            rate: tokens that come back in a second. burst: most that a bucket holds.
        """
        with self._lock:
            bucket = self._filled(key_id, rate, burst)
            if bucket.tokens < 1:
                return (1 - bucket.tokens) / rate
            bucket.tokens -= 1
            return 0.0

    def empty(self, key_id: str, rate: float, burst: int) -> bool:
        """Whether a call would have to wait. Nothing is counted."""
        with self._lock:
            return self._filled(key_id, rate, burst).tokens < 1

    def _filled(self, key_id: str, rate: float, burst: int) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.setdefault(key_id, _Bucket(burst, now))
        bucket.tokens = min(burst, bucket.tokens + (now - bucket.at) * rate)
        bucket.at = now
        return bucket
