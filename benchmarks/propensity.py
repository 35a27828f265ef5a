"""``python -m benchmarks.propensity [--quick]``: who buys in the next 30 days, on Online Retail.

Both raw sheets through the whole path: import, features, training as of 2011-10-31, so that the
test window begins 2011-10-01. The reference is the rank sum of recency, frequency and spend, on the
same members in the same run. All of it takes less than a minute, so ``--quick`` leaves nothing out:
on fewer customers the AUC says little.
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figure import Figure, data_folder
from features.importers.online_retail import import_online_retail
from features.workspace import Workspace
from training.propensity import train_propensity
from training.trained import Comparison

AS_OF = datetime(2011, 10, 31, tzinfo=UTC)
SHEETS = ("raw_2009_2010.parquet", "raw_2010_2011.parquet")
AUC_GOAL = 0.765


def figures() -> list[Figure]:
    """Import, train and measure in a folder that is gone afterwards."""
    source = data_folder() / "online_retail"
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace(Path(scratch))
        import_online_retail(workspace, [source / name for name in SHEETS])
        trained = train_propensity(workspace, AS_OF)
    found = {comparison.metric: comparison for comparison in trained.comparisons}
    return [_auc(found["auc"]), _calibration_error(found["calibration_error"])]


def _auc(auc: Comparison) -> Figure:
    reference = auc.baselines["rfm"]
    holds = auc.ours >= AUC_GOAL and auc.ours > reference
    goal = f"at least {AUC_GOAL} and above the RFM rank"
    ratio = auc.ours / reference
    return Figure("propensity_auc_30d", auc.ours, reference, "AUC", ratio, goal, holds)


def _calibration_error(error: Comparison) -> Figure:
    reference = error.baselines["rfm"]  # calibrated in the same way, on the same window
    ratio = error.ours / reference
    goal = "at most 0.03"
    holds = error.ours <= 0.03
    return Figure("propensity_ece_30d", error.ours, reference, "probability", ratio, goal, holds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the same: all takes under a minute")
    parser.parse_args()
    for figure in figures():
        print(figure.line())


if __name__ == "__main__":
    main()
