"""Who a push or a rule would have let in at a moment in the past."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Push
from decisions.eligibility import never
from decisions.members import Members
from decisions.policy import Policy
from decisions.rules import matches, parse
from features.build import build_features
from features.progress import Progress, silent
from features.snapshot import Snapshot
from features.store import apply, export_snapshot
from features.workspace import Workspace


def features_of(workspace: Workspace, as_of: datetime, progress: Progress = silent) -> Snapshot:
    """Every member's features as of a moment, built where they are not.

    Raises:
        FeatureError: nothing was ingested, or nobody was known.
    """
    build_features(workspace, [as_of], progress)
    apply(workspace)
    return export_snapshot(workspace, as_of, progress)


def rule_members(snapshot: Snapshot, rule: str) -> NDArray[np.str_]:
    """Ids of the members whom ``rule`` picked.

    Raises:
        RuleError: it does not parse, or names what is no feature.
    """
    picked = matches(parse(rule), snapshot.values, snapshot.encoding, snapshot.as_of)
    return _ids(snapshot, picked)


def push_members(snapshot: Snapshot, push: Push, policy: Policy) -> NDArray[np.str_]:
    """Ids of the members with consent to a channel of ``push`` whom its rules let in.

    Frequency caps, quiet hours and what its offers ask for are left aside: they change with the
    hour and the offer, the members of an experiment do not.

    Raises:
        RuleError: a rule names what is no feature.
    """
    members = Members.everybody(
        snapshot.member_ids, snapshot.values, snapshot.encoding, snapshot.as_of
    )
    reached = np.zeros(len(members), dtype=bool)
    for channel in push.all_channels:
        reached |= never(channel, members, policy, frozenset()) == 0
    for rule in (push.eligibility, push.applicability, push.suitability):
        if rule:
            reached &= matches(parse(rule), snapshot.values, snapshot.encoding, snapshot.as_of)
    return _ids(snapshot, reached)


def _ids(snapshot: Snapshot, picked: NDArray[np.bool_]) -> NDArray[np.str_]:
    found = [member.decode() for member in snapshot.member_ids[picked].tolist()]
    return np.asarray(found, dtype=np.str_)
