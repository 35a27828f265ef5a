"""What was known of members when past pushes were decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.feature_moments import feature_moments
from features.progress import Progress, silent
from features.workspace import Workspace
from training.frames import SERVICE
from training.push_log import PushLog

if TYPE_CHECKING:
    import pandas as pd


def decided_frame(workspace: Workspace, log: PushLog, progress: Progress = silent) -> pd.DataFrame:
    """The features of every decision of ``log``, in its order, as known at or before it.

    They are built where they are not there yet (``features.feature_moments``).

    Raises:
        FeatureError: features cannot be built.
    """
    from features.build import build_features
    from features.store import apply, training_frame

    build_features(workspace, feature_moments(log.rows["as_of"]), progress)
    apply(workspace)
    return training_frame(workspace, SERVICE, log.rows[["row_id", "member_id", "as_of"]])
