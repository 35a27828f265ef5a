"""The model, else averages, else the push's safe default: who answers when something fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

import structlog

from serving.choice import Choice, Picked
from serving.situation import BASES, Basis, Situation

if TYPE_CHECKING:
    from serving.scorer import Answering

T = TypeVar("T")

FAILED: dict[Basis, str] = {
    "model": "model_failed",
    "segment_means": "averages_failed",
    "safe_default": "default_failed",
}
_AGAIN = 1.0  # seconds until a model that failed is asked again


class Estimating:
    """Chooses by the best basis that works.

    A model that fails is not asked again for a second, so that its failure does not cost every
    call its time. Each release fails for itself.
    """

    def __init__(self) -> None:
        self._failed_until: dict[str, float] = {}
        self._log = structlog.get_logger("pushwise.decisions")

    def choose(
        self, release: Answering, push_id: str, members: Sequence[str], situation: Situation
    ) -> tuple[list[Choice] | None, Situation, tuple[str, ...]]:
        """Choices, the situation that they were made in, and what failed before.

        None where nothing works: then nothing is sent, and nothing is decided.
        """

        def ask(made: Situation) -> list[Choice]:
            return release.choose(push_id, members, made)

        return self._first(release, push_id, situation, ask)

    def chances(
        self,
        release: Answering,
        push_id: str,
        members: Sequence[str],
        situation: Situation,
        picked: Sequence[Picked],
    ) -> list[float] | None:
        """With what probability ``choose`` would have picked what was ``picked``; None where
        nothing works."""

        def ask(made: Situation) -> list[float]:
            return release.chances(push_id, members, made, picked)

        return self._first(release, push_id, situation, ask)[0]

    def _first(
        self,
        release: Answering,
        push_id: str,
        situation: Situation,
        ask: Callable[[Situation], T],
    ) -> tuple[T | None, Situation, tuple[str, ...]]:
        """What ``ask`` says on the best basis that works."""
        failed: list[str] = []
        name = release.versions.release
        for basis in BASES:
            if basis == "model" and monotonic() < self._failed_until.get(name, 0.0):
                failed.append(FAILED[basis])
                continue
            if basis == "safe_default" and not release.pushes[push_id].safe_default:
                continue
            made = replace(situation, basis=basis)
            try:
                return ask(made), made, tuple(failed)
            # Whatever went wrong, the caller is better served by the next basis than by a 500.
            except Exception:
                self._log.exception("estimates failed", basis=basis)
                failed.append(FAILED[basis])
                if basis == "model":
                    self._failed_until[name] = monotonic() + _AGAIN
        return None, situation, tuple(failed)
