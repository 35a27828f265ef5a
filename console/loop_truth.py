"""What a week's arms truly earned, and what others would have earned with the same members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from console.loop_result import OURS, ArmFound, Week
from training.evaluation.yardsticks import KnownWeek, best_choice, what_features_tell

if TYPE_CHECKING:
    from console.loop_arms import Decided
    from experiments.design import Experiment
    from training.market.truth import PushTruth


@dataclass(frozen=True, eq=False)
class Played:
    """A week of which only the yardstick of features is still to be known: it needs all weeks.

    known: by the release of the arm ``OURS``. mine: (n,) members of that arm. most: of them may be
    sent something: their part of the push's size. Other fields as in ``Week``.
    """

    number: int
    push_id: str
    arms: dict[str, ArmFound]
    known: KnownWeek
    mine: NDArray[np.bool_]
    most: int
    release: str
    challenger: str
    verdict: str

    @property
    def oracle(self) -> float:
        """Of the one who knows every effect, per member of the arm."""
        return self._earned(self.known.truth.expected_gain)

    def week(self, told: NDArray[np.float64]) -> Week:
        """``told``: (n, m) the gain of each pair as well as features tell it."""
        return Week(
            self.number, self.push_id, self.arms, self.oracle, self._earned(told), self.release,
            self.challenger, self.verdict,
        )  # fmt: skip

    def _earned(self, gain: NDArray[np.float64]) -> float:
        """What the best choice by ``gain`` truly earns, per member of the arm."""
        truth = self.known.truth
        return truth.gain(best_choice(gain, self.mine & truth.reachable, self.most)) / _count(
            self.mine
        )


def with_yardsticks(played: Sequence[Played], seed: int) -> tuple[Week, ...]:
    """All weeks, with what the best that features tell would have earned."""
    told = what_features_tell([one.known for one in played], seed)
    return tuple(one.week(gain) for one, gain in zip(played, told, strict=True))


def arms_found(experiment: Experiment, decided: Decided, truth: PushTruth) -> dict[str, ArmFound]:
    """What each arm truly earns, per member assigned; nothing of it is estimated yet."""
    found = {}
    for place, arm in enumerate(experiment.arms):
        mine = decided.of(place)
        choice = np.where(mine, decided.choice, -1)
        gain = truth.gain(choice) / _count(mine)
        found[arm.name] = ArmFound(int(mine.sum()), int((choice >= 0).sum()), gain, None, None)
    return found


def of_ours(experiment: Experiment, decided: Decided) -> NDArray[np.bool_]:
    """(n,) members of the arm ``OURS``."""
    return decided.of([arm.name for arm in experiment.arms].index(OURS))


def _count(members: NDArray[np.bool_]) -> int:
    return max(int(members.sum()), 1)
