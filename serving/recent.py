"""The newest answer to a slow question, never waited for longer than one can."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """An answer, and how many seconds ago it was asked for."""

    answer: T
    age: float


class Recent(Generic[T]):
    """Asks at most once ``every`` seconds, one thread at a time, however many want to know.

    A question that hangs keeps one thread and nobody else: callers get the answer before it.

    Args:
        ask: may take as long as it likes; raises nothing.
        every: seconds for which an answer is given again without asking.
        patience: seconds for which a caller waits for an answer that is being made.
    """

    def __init__(self, ask: Callable[[], T], every: float = 1.0, patience: float = 0.5) -> None:
        self._ask = ask
        self._every = every
        self._patience = patience
        self._lock = threading.Lock()
        self._asking: threading.Event | None = None  # set once the question under way is answered
        self._found: tuple[T, float] | None = None  # with the moment of asking

    def newest(self) -> Known[T] | None:
        """None where nothing was ever answered."""
        with self._lock:
            due = self._found is None or monotonic() - self._found[1] >= self._every
            if due and self._asking is None:
                self._asking = threading.Event()
                threading.Thread(target=self._run, args=(self._asking,), daemon=True).start()
            asking = self._asking if due else None
        if asking is not None:
            asking.wait(self._patience)
        with self._lock:
            if self._found is None:
                return None
            answer, at = self._found
        return Known(answer, monotonic() - at)

    def _run(self, asking: threading.Event) -> None:
        at = monotonic()
        try:
            answer = self._ask()
            with self._lock:
                self._found = (answer, at)
        finally:
            with self._lock:
                self._asking = None
            asking.set()
