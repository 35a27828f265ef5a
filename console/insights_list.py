"""What `pushwise insights refresh` makes, in that order.

To add one: a function of workspace, moment and progress that gives plain JSON, and its line here.
What it needs is imported inside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from console.insight_models import models_document
from console.insight_quality import quality_document
from features.insights.insight import Insight
from features.progress import Progress
from features.workspace import Workspace


def _lifecycle(workspace: Workspace, as_of: datetime, progress: Progress) -> Mapping[str, Any]:
    from features.insights.flow import lifecycle_flow

    return lifecycle_flow(workspace, as_of, progress)


def _values(workspace: Workspace, as_of: datetime, progress: Progress) -> Mapping[str, Any]:
    from features.insights.flow import value_tiers

    return value_tiers(workspace, as_of, progress)


def _cohorts(workspace: Workspace, as_of: datetime, progress: Progress) -> Mapping[str, Any]:
    from features.insights.cohorts import new_members

    return new_members(workspace, as_of, progress)


def _pushes(workspace: Workspace, as_of: datetime, progress: Progress) -> Mapping[str, Any]:
    from serving.push_contributions import push_contributions

    return push_contributions(workspace, as_of, progress)


def _demand(workspace: Workspace, as_of: datetime, progress: Progress) -> Mapping[str, Any]:
    from features.demand import DemandQuestion, demand

    return demand(workspace, DemandQuestion(as_of), progress).report.to_json()


INSIGHTS: tuple[Insight, ...] = (
    Insight("lifecycle", _lifecycle),
    Insight("values", _values),
    Insight("cohorts", _cohorts),
    Insight("pushes", _pushes),
    Insight("demand", _demand),
    Insight("quality", quality_document),
    Insight("models", models_document),
)
