"""CUPED: what members did before explains a part of what they do, and is taken off.

Assignment is random, so the arms' covariates differ by chance alone; taking off their part of the
metric removes noise and no effect. One set of slopes for both arms, from all their members.

Source: Deng, Xu, Kohavi and Walker, WSDM 2013.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from experiments.cells import COVARIATES
from experiments.contrast import Lift, Side, Untold, lift
from experiments.design import Analysis
from experiments.moments import Moments

_TIES = 1e-10  # relative: covariates that tell the same beyond this are one


def slopes(metric: str, covariates: Sequence[str], arm: Side, control: Side) -> dict[str, float]:
    """Of ``metric`` on the covariates, by least squares over the members of both arms.

    A covariate that does not vary has the slope 0; of several that tell the same, each gets a part.
    """
    parts = [moments for side in (arm, control) for _, moments in side.strata]
    joint = Moments.total(parts[0].names, parts)
    rows = [joint.names.index(name) for name in covariates]
    spread = joint.comoment[np.ix_(rows, rows)]
    with_metric = joint.comoment[rows, joint.names.index(metric)]
    scale = np.sqrt(np.diag(spread))
    varies = scale > 0
    found = np.zeros(len(rows))
    scaled = spread[np.ix_(varies, varies)] / np.outer(scale[varies], scale[varies])
    found[varies] = (
        np.linalg.pinv(scaled, rcond=_TIES, hermitian=True) @ (with_metric[varies] / scale[varies])
    ) / scale[varies]
    return dict(zip(covariates, found.tolist(), strict=True))


def adjusted_lift(metric: str, arm: Side, control: Side, analysis: Analysis) -> Lift | Untold:
    """The lift of ``metric``, adjusted where it was declared that there are covariates, and where
    they vary; with the declared metric's name where that is judged."""
    found: dict[str, float] = {}
    if analysis.before_days and metric in COVARIATES:
        found = slopes(metric, COVARIATES[metric], arm, control)
    used = found if any(found.values()) else None
    told = lift(metric, arm, control, analysis.alpha, used)
    return _named(told, analysis.metric) if metric == "judged" else told


def _named(found: Lift | Untold, metric: str) -> Lift | Untold:
    if isinstance(found, Untold):
        return replace(found, told=found.told.replace("judged", metric))
    relative = found.relative
    if isinstance(relative, Untold):
        relative = replace(relative, told=relative.told.replace("judged", metric))
    return replace(found, metric=metric, relative=relative)


def explained(plain: Lift | Untold, adjusted: Lift | Untold) -> float:
    """Share of the difference's variance that the covariates took away, at most 1."""
    if isinstance(plain, Untold) or isinstance(adjusted, Untold):
        return 0.0
    return 1 - (adjusted.error / plain.error) ** 2
