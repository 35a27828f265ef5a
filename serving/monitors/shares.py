"""Sample ratio mismatch of the experiments that run: are members in the arms as was set?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from experiments.sequential_srm import sequential_srm
from serving.monitors.result import Result, State
from serving.monitors.thresholds import Thresholds

NAME = "sample_ratio"
_STRAYS = (5, 0.001)  # members, share: in arms without a share, who came while it was told to all


@dataclass(frozen=True, slots=True)
class Split:
    """Members of one experiment. epochs: since each change of the shares, the members who came
    then by arm, and the shares that were set."""

    experiment_id: str
    epochs: Sequence[tuple[Mapping[str, int], Mapping[str, float]]]


def sample_ratio(splits: Iterable[Split], limits: Thresholds, as_of: datetime) -> list[Result]:
    """By a p-value that holds whenever it is looked at: of each experiment, over its whole life
    and however often it is asked, a false alarm has at most the chance ``srm_p``."""
    return [_judged(split, limits, as_of) for split in splits]


def _judged(split: Split, limits: Thresholds, as_of: datetime) -> Result:
    name, members = split.experiment_id, sum(sum(counts.values()) for counts, _ in split.epochs)
    if not members:
        return Result(NAME, name, "cannot_say", "no member is in it yet", as_of)
    strays = sum(
        count for counts, shares in split.epochs
        for arm, count in counts.items() if not shares.get(arm)
    )  # fmt: skip
    if strays > max(_STRAYS[0], _STRAYS[1] * members):
        words = f"{strays:,} of {members:,} members are in arms that have no share"
        return Result(NAME, name, "alert", words, as_of, 0.0, limits.srm_p)
    p = _chance(split)
    if p is None:
        return Result(NAME, name, "cannot_say", "one arm has all shares", as_of)
    told = ", ".join(f"{arm} {found:,} of {wanted:,.0f}" for arm, found, wanted in _arms(split))
    words = f"p {p:.2g} at any time, alarm under {limits.srm_p:g}: {told} expected"
    state: State = "alert" if p < limits.srm_p else "ok"
    return Result(NAME, name, state, words, as_of, p, limits.srm_p)


def _chance(split: Split) -> float | None:
    """Bonferroni over epochs: each p holds at any time."""
    found = []
    for counts, shares in split.epochs:
        set_ = {arm: share for arm, share in shares.items() if share > 0}
        here = {arm: counts.get(arm, 0) for arm in set_}
        if len(set_) > 1 and any(here.values()):
            found.append(sequential_srm(here, set_).p)
    return min(1.0, len(found) * min(found)) if found else None


def _arms(split: Split) -> list[tuple[str, int, float]]:
    arms = dict.fromkeys(arm for _, shares in split.epochs for arm in shares)
    return [
        (
            arm,
            sum(counts.get(arm, 0) for counts, _ in split.epochs),
            sum(shares.get(arm, 0.0) * sum(counts.values()) for counts, shares in split.epochs),
        )
        for arm in arms
    ]
