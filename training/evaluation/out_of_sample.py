"""Which past decisions a release did not learn from: the others make it look too good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from decisions.gain import Estimator
from features.workspace import Workspace
from models.errors import ModelError
from models.response import KIND, ResponseModel
from training.errors import TrainingError
from training.push_log import PushLog
from training.response import MEASURED_ON, ONE_PUSH, left_out
from training.tracking import versions
from training.trained import MEASURED, MEASURED_FROM


@dataclass(frozen=True, eq=False)
class Unseen:
    """rows: (n,) decisions of a log that ``estimator`` knows nothing of. how: in words."""

    estimator: Estimator
    rows: NDArray[np.bool_]
    how: str


def unseen(
    workspace: Workspace,
    log: PushLog,
    estimator: Estimator,
    as_of: datetime,
    models: Mapping[str, str],
) -> Unseen:
    """The decisions that a release of ``as_of`` can be evaluated on.

    Those made since, where there are any. Of a release so new that there are none, its response
    model as it was measured stands in for it: fitted in the same way on the earlier pushes alone,
    before it was fitted again on all. It is evaluated on the later ones.

    Args:
        models: version of each registered model in the release, by name.

    Raises:
        TrainingError: nothing was decided since, and no such model is in the record.
    """
    since = (log.rows["as_of"] >= as_of).to_numpy()
    if since.any():
        return Unseen(estimator, since, f"on decisions made since the release ({as_of:%Y-%m-%d})")
    of_it = [
        one for one in versions(workspace, KIND) if one.tracked.version == models.get(KIND, "")
    ]
    if not of_it or not (of_it[0].artifacts / MEASURED).is_dir():
        raise TrainingError(
            f"no decision that chance had a part in was made since the release ({as_of:%Y-%m-%d}) "
            "and is closed, and it may have learned from the earlier ones; wait for outcomes, or "
            "ask with --in-sample, and take what it shows for too good"
        )
    version = of_it[0]
    try:
        twin = ResponseModel.load(version.artifacts / MEASURED)
    except ModelError as error:
        raise TrainingError(f"response version {version.tracked.version}: {error}") from error
    told = version.tags
    begin = datetime.fromisoformat(told[MEASURED_FROM])
    if told.get(MEASURED_ON) == ONE_PUSH:
        rows = left_out(log)
        how = "by its model as it was measured, on the members left out of one push"
    else:
        begun = log.rows.groupby(log.push)["as_of"].transform("min")
        rows = (begun >= begin).to_numpy()
        how = f"by its model as it was measured, on the pushes since {begin:%Y-%m-%d}"
    return Unseen(twin, rows, how)
