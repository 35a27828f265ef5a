"""Who dropped out where: members and pairs counted stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from decisions.reasons import CODE, KINDS, REASONS

if TYPE_CHECKING:
    from decisions.decide import Decisions
    from decisions.eligibility import Eligibility

SENT = "sent"


@dataclass(frozen=True, slots=True)
class Stage:
    """Members for whom something is left after a stage, and how many pairs."""

    name: str
    members: int
    pairs: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """stages: asked, eligible, applicable, suitable, sent.

    members: by what became of them: ``sent``, else the reason; most frequent first. They add up
        to all that were asked about.
    pairs: dropped pairs of member and option by the reason; with the pairs allowed they add up to
        all pairs.
    """

    stages: tuple[Stage, ...]
    members: Mapping[str, int]
    pairs: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        return {
            "stages": [
                {"stage": one.name, "members": one.members, "pairs": one.pairs}
                for one in self.stages
            ],
            "members": dict(self.members),
            "pairs": dict(self.pairs),
        }


def funnel_of(found: Eligibility, decisions: Decisions) -> Funnel:
    """Count what ``found`` barred and what became of the others."""
    code = found.code
    stages = [Stage("asked", len(code), code.size)]
    left = np.ones(code.shape, dtype=bool)
    for name, reasons in KINDS.items():
        for reason in reasons:
            left &= code != CODE[reason]
        stages.append(Stage(name, int(left.any(axis=1).sum()), int(left.sum())))
    sent = decisions.sent
    stages.append(Stage(SENT, int(sent.sum()), int((decisions.option >= 0).sum())))
    members = {SENT: int(sent.sum()), **_counted(decisions.code[~sent])}
    ordered = sorted(members.items(), key=lambda one: -one[1])
    return Funnel(
        tuple(stages), {name: count for name, count in ordered if count}, _counted(code[code != 0])
    )


def _counted(codes: NDArray[np.uint8]) -> dict[str, int]:
    counts = np.bincount(codes.ravel(), minlength=len(REASONS))
    order = np.argsort(-counts, kind="stable")
    return {REASONS[code]: int(counts[code]) for code in order.tolist() if counts[code]}
