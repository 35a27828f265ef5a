"""Who buys in the next 30 and 90 days, on Online Retail: the race of models, beside BG/NBD and RFM.

Both raw sheets through the whole path: import, features, training. 30 days as of 2011-10-31, so
that the test window begins 2011-10-01; 90 days as of 2011-12-08, so that it begins 2011-09-09. The
references rank the same members in the same run: purchases expected by BG/NBD, fitted on all that
was known where the test window begins, and the rank sum of recency, frequency and spend.
``quick`` leaves the 90 days out; on fewer customers an AUC says little.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.figure import Figure, data_folder
from features.importers.online_retail import import_online_retail
from features.progress import silent
from features.tables import opened
from features.workspace import Workspace
from training.bgnbd import fit_bgnbd
from training.buyers import buyers
from training.frames import Split
from training.outcomes import BUY, Period
from training.propensity import train_propensity

SHEETS = ("raw_2009_2010.parquet", "raw_2010_2011.parquet")


@dataclass(frozen=True, slots=True)
class Case:
    """One horizon, and what is wanted of it."""

    horizon_days: int
    as_of: datetime
    auc: float
    calibration_error: float


CASES = (
    Case(30, datetime(2011, 10, 31, tzinfo=UTC), 0.78, 0.03),
    Case(90, datetime(2011, 12, 8, tzinfo=UTC), 0.805, 0.055),
)


def figures(quick: bool) -> Iterator[Figure]:
    """Import, train and measure in a folder that is gone afterwards."""
    source = data_folder() / "online_retail"
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace(Path(scratch))
        import_online_retail(workspace, [source / name for name in SHEETS])
        for case in CASES[:1] if quick else CASES:
            yield from _case(workspace, case)


def _case(workspace: Workspace, case: Case) -> Iterator[Figure]:
    days = f"{case.horizon_days}d"
    # Never the champion: another horizon is another question.
    trained = train_propensity(workspace, case.as_of, case.horizon_days, promote=False)
    found = {comparison.metric: comparison for comparison in trained.comparisons}
    auc, error = found["auc"], found["calibration_error"]
    split = BUY.rows(workspace, Period(case.as_of, case.horizon_days), silent)
    references = {"bg_nbd": _bg_nbd(workspace, split, case), "rfm": auc.baselines["rfm"]}
    for name, reference in references.items():
        goal = f"at least {case.auc} and above {name}"
        holds = auc.ours >= case.auc and auc.ours > reference
        title = f"propensity_auc_{days}_beside_{name}"
        yield Figure(title, auc.ours, reference, "AUC", auc.ours / reference, goal, holds)
    reference = error.baselines["rfm"]  # calibrated in the same way, on the same window
    yield Figure(
        f"propensity_ece_{days}_beside_rfm",
        error.ours,
        reference,
        "probability",
        error.ours / reference,
        f"at most {case.calibration_error}",
        error.ours <= case.calibration_error,
    )


def _bg_nbd(workspace: Workspace, split: Split, case: Case) -> float:
    """AUC of the purchases that BG/NBD expects; who never bought stands last."""
    with opened(workspace) as tables:
        known = buyers(tables, split.measured_from, workspace.conventions.default_margin_rate)
    seen = known.histories
    history = (seen.frequency, seen.recency, seen.age)
    expected = fit_bgnbd(*history).expected_purchases(case.horizon_days, *history)
    of = dict(zip(known.member_ids.tolist(), expected.tolist(), strict=True))
    scores = np.array([of.get(member, -1.0) for member in split.test.member_ids.tolist()])
    return float(roc_auc_score(split.test.happened, scores))
