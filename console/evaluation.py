"""An evaluation of policies that was asked for, carried out over a workspace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.progress import Progress
from features.workspace import Workspace

if TYPE_CHECKING:
    from serving.evaluation_schemas import EvaluationAsked, PolicyAsked
    from serving.release import Release
    from training.evaluation.off_policy import OffPolicyReport, Target
    from training.push_log import PushLog

_IN_SAMPLE = "it may have learned from these decisions: too good, by how much nobody can tell"


def evaluated(
    workspace: Workspace, asked: EvaluationAsked, as_of: datetime, progress: Progress
) -> OffPolicyReport:
    """Every policy of ``asked`` on the decisions known as closed at ``as_of``.

    All policies are evaluated on the same decisions: those that no release among them learned
    from.

    Raises:
        TrainingError: no such decisions, or a release that may have learned from all of them.
        ReleaseError: a release that does not load.
        RuleError, DecisionError, FeatureError: a policy that cannot be asked about the log.
    """
    from training.evaluation.off_policy import off_policy_report
    from training.evaluation.past_decisions import MOST, Period, past_decisions
    from training.push_log import push_log

    log = push_log(workspace, as_of, most=MOST)
    inside = Period(asked.since, asked.until, asked.push_ids).among(log)
    targets = _Targets(workspace, log, inside, in_sample=asked.in_sample)
    wanted = {policy.name: targets.of(policy) for policy in asked.policies}
    past = past_decisions(workspace, log, targets.inside, progress)
    return off_policy_report(
        past,
        wanted,
        asked.objective,
        against=asked.reference,
        notes=targets.notes,
        progress=progress,
    )


@dataclass
class _Targets:
    """Reads the releases, and leaves out the decisions that one of them learned from."""

    workspace: Workspace
    log: PushLog
    inside: NDArray[np.bool_]
    in_sample: bool
    notes: dict[str, str] = field(default_factory=dict)
    _read: dict[str | None, Release] = field(default_factory=dict)

    def of(self, policy: PolicyAsked) -> Target:
        from training.evaluation import target_policies

        plain: Mapping[str, Target] = {
            "nothing": lambda past, _scores: target_policies.nothing(past),
            "random": lambda past, _scores: target_policies.any_offer(past),
            "best_offer": target_policies.best_offer,
        }
        if policy.kind in plain:
            return plain[policy.kind]
        if policy.kind == "release":
            return self._of_release(policy)
        rule, offer_id = policy.rule or "", policy.offer_id or ""
        return lambda past, _scores: target_policies.by_rule(past, rule, offer_id)

    def _of_release(self, policy: PolicyAsked) -> Target:
        from training.evaluation.out_of_sample import unseen
        from training.evaluation.target_policies import Deciding, by_release

        release = self._release(policy.release_id)
        estimator = release.estimator
        if self.in_sample:
            self.notes[policy.name] = _IN_SAMPLE
        else:
            told = release.versions
            found = unseen(self.workspace, self.log, estimator, told.as_of, told.models)
            estimator = found.estimator
            self.inside = self.inside & found.rows
            self.notes[policy.name] = found.how
        deciding = Deciding(estimator, release.policy, release.encoding, release.prices)
        chances = partial(by_release, exploration=policy.exploration, limits=policy.limits)
        return lambda past, _scores: chances(past, deciding)

    def _release(self, release_id: str | None) -> Release:
        from console.plan import published_release
        from models.keys import PUBLIC, trusted_keys
        from serving.release import load_release
        from serving.verify import RELEASE_ID, ReleaseError

        if release_id not in self._read:
            folder = self.workspace.releases / (release_id or "")
            if release_id is None:
                self._read[None] = published_release(self.workspace)
            elif not RELEASE_ID.fullmatch(release_id) or not folder.is_dir():
                raise ReleaseError(
                    f"no release {release_id!r} in {self.workspace.releases}; "
                    "`pushwise release list` shows them"
                )
            else:
                keys = trusted_keys(self.workspace.keys / PUBLIC)
                self._read[release_id] = load_release(folder, keys)
        return self._read[release_id]
