"""A week's experiment read out, and decided: the challenger goes on unless it is shown to harm."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from console.loop_arms import BY
from console.loop_result import OURS, ArmFound
from experiments.contrast import Estimate
from experiments.findings import Readout, Verdict

if TYPE_CHECKING:
    from features.workspace import Workspace

CHALLENGER, HOLDOUT = "challenger", "holdout"
# Verdicts on a challenger that stop it. One that cannot be told apart from the champion goes on: it
# has learned from a week more, and a week of one shop seldom tells two releases apart.
_STOPS = ("harm", "keep", "cannot_say")
_WHY = "it has learned from one week more and is not shown to be worse"


@dataclass(frozen=True, slots=True)
class Outcome:
    """promoted: whether the challenger goes on. told: why, or why not, in a few words."""

    readout: Readout
    promoted: bool
    told: str


def read_week(workspace: Workspace, experiment_id: str, as_of: datetime) -> Outcome:
    """Stop the experiment at the end of its window, read it out, and decide for an arm.

    Raises:
        ExperimentError: its figures cannot be made.
    """
    from models.keys import PUBLIC, trusted_keys
    from serving.experiment_audit import Change
    from serving.experiments import Book
    from serving.lifecycle import Promotion, Reading, promote
    from serving.log import Log
    from serving.publishing import Publishing
    from serving.readouts import read_results

    with closing(Log.of(workspace)) as log:
        book, change = Book(log), Change(as_of, BY)
        found = read_results(workspace, book.find(experiment_id), as_of).readout
        verdict = _of_challenger(found)
        promoted = verdict is not None and verdict.kind not in _STOPS
        book.stop(experiment_id, change)
        goes_on = CHALLENGER if promoted else OURS
        better = frozenset({CHALLENGER}) if verdict and verdict.kind == "promote" else frozenset()
        told = {} if verdict is None else {"kind": verdict.kind, "reason": verdict.reason}
        reading = Reading("" if verdict is None else verdict.sentence, better, told)
        promote(
            book,
            Promotion(experiment_id, goes_on, anyway=promoted),
            replace(change, why=_WHY if promoted else ""),
            lambda _: reading,
            Publishing(workspace.releases, trusted_keys(workspace.keys / PUBLIC)),
        )
    return Outcome(found, promoted, _told(verdict, promoted))


def with_estimates(arms: dict[str, ArmFound], readout: Readout) -> dict[str, ArmFound]:
    """``arms`` with what the readout says of each against the holdout."""
    found = dict(arms)
    for contrast in readout.contrasts:
        gain = contrast.incremental.gain
        if contrast.control == HOLDOUT and isinstance(gain, Estimate):
            interval = (gain.low, gain.high)
            found[contrast.arm] = replace(
                found[contrast.arm], estimate=gain.value, interval=interval
            )
    return found


def _of_challenger(readout: Readout) -> Verdict | None:
    return next((one.verdict for one in readout.contrasts if one.arm == CHALLENGER), None)


def _told(verdict: Verdict | None, promoted: bool) -> str:
    if verdict is None:
        return "none yet"
    return f"{'promoted' if promoted else 'left'}: {verdict.reason.replace('_', ' ')}"
