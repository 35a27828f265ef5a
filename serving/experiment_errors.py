"""What calls about experiments answer when they cannot do what was asked.

Ids of experiments and names of arms are told: they are letters, digits and ``._-``, kept by us.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from serving.errors import ServiceError
from serving.problem import FieldProblem


class UnknownExperiment(ServiceError):
    status, code = 404, "unknown_experiment"
    fix = ("GET /v1/experiments, or `pushwise experiment list`, shows those there are",)

    def __init__(self) -> None:
        super().__init__("there is no experiment with this experiment_id")


class ExperimentExists(ServiceError):
    status, code = 409, "experiment_exists"
    fix = (
        "PUT a draft to change it",
        "declare another under an id of its own: the id decides who is in which arm",
    )

    def __init__(self) -> None:
        super().__init__("this experiment_id is taken by an experiment that is declared otherwise")


class InvalidExperiment(ServiceError):
    status, code = 422, "invalid_experiment"
    fix = ("see docs/experiment-lifecycle.md for what is declared of an experiment",)

    def __init__(self, fault: FieldProblem) -> None:
        super().__init__(f"the field at {fault.pointer or '/'} does not fit: {fault.detail}")
        self.errors = (fault,)


class WrongState(ServiceError):
    status, code = 409, "wrong_state"
    fix = ("an experiment is a draft, then running, then stopped, then decided, and never back",)

    def __init__(self, state: str, wanted: str) -> None:
        super().__init__(f"the experiment is {state}, wanted {wanted}")


class AnotherMode(ServiceError):
    status, code = 409, "another_mode"
    fix = ("`/results` are those of a live experiment, `/shadow` those of a shadow experiment",)

    def __init__(self, mode: str) -> None:
        super().__init__(f"the experiment is a {mode} one")


class DecidedOtherwise(ServiceError):
    status, code = 409, "decided_otherwise"
    fix = ("a decision stands; compare again in a new experiment",)

    def __init__(self, arm: str) -> None:
        super().__init__(f"the experiment was decided for arm {arm}")


class LayerFull(ServiceError):
    status, code = 409, "layer_full"
    fix = ("stop another experiment of the layer, or declare less traffic",)

    def __init__(self, left: float, wanted: float) -> None:
        super().__init__(f"the layer has {left:.2%} of its members left, wanted {wanted:.2%}")


class PushTaken(ServiceError):
    status, code = 409, "push_taken"
    fix = (
        "stop that experiment, or declare both in one layer, which shares members among them",
        "declare push_ids that no running experiment of another layer decides",
    )

    def __init__(self, other: str) -> None:
        super().__init__(
            f"experiment {other} is running in another layer on the same pushes, and a decision "
            "has one experiment"
        )


class ArmRelease(ServiceError):
    status, code = 409, "arm_release"
    fix = ("`pushwise release list` shows the releases; build the one that is missing",)

    def __init__(self, arm: str) -> None:
        super().__init__(f"the release of arm {arm} is not in the workspace as it was signed")


class ArmPush(ServiceError):
    status, code = 409, "arm_push"
    fix = (
        "build a release with the push and name that in the arm: releases never change",
        "leave the push out of push_ids",
    )

    def __init__(self, arm: str) -> None:
        super().__init__(f"the release of arm {arm} does not know one of push_ids")


class ArmRule(ServiceError):
    status, code = 409, "arm_rule"
    fix = ("docs/rules.md shows the language, docs/reference/features.md what a rule may name",)

    def __init__(self, arm: str) -> None:
        super().__init__(f"the rule of arm {arm} cannot be asked of the release in use")


class ArmOffer(ServiceError):
    status, code = 409, "arm_offer"
    fix = ("name one of the offers that every push of the experiment lists in offer_ids",)

    def __init__(self, arm: str) -> None:
        super().__init__(f"the offer of arm {arm} is not among those of the pushes")


class VerdictForbids(ServiceError):
    status, code = 409, "verdict_forbids"
    fix = (
        "decide for an arm that it allows",
        "decide against the verdict with `anyway`, and say why",
    )

    def __init__(self, verdict: str, allowed: str) -> None:
        told = verdict.rstrip(".")
        super().__init__(f"the readout does not allow it: {told}; it allows {allowed}")


class WhyWanted(ServiceError):
    status, code = 422, "why_wanted"
    fix = ("say in `why` what the decision rests on; it stays in the audit trail",)

    def __init__(self) -> None:
        super().__init__("a decision against the readout's verdict needs a reason")


class WrongMoment(ServiceError):
    status, code = 422, "wrong_moment"
    fix = ("name a moment after the start that is past, such as 2026-05-01T00:00:00Z",)

    def __init__(self) -> None:
        super().__init__("as_of has no offset, lies ahead, or is not after the experiment's start")


class NoReadout(ServiceError):
    status, code = 409, "no_readout"
    fix = (
        "a shadow experiment has nothing to read out: its control answers everybody",
        "install the features extra beside the scorer, and serve a workspace",
    )

    def __init__(self) -> None:
        super().__init__("nothing can be read out here of this experiment")


class ReadoutUnderWay(ServiceError):
    status, code = 503, "readout_under_way"
    fix = ("send the call again: the readout goes on meanwhile, and is kept",)
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "2"}

    def __init__(self) -> None:
        super().__init__("the readout is not done yet")


class ReadoutFailed(ServiceError):
    status, code = 500, "readout_failed"
    fix = ("look at the scorer's log, or run `pushwise experiment results` for the reason",)

    def __init__(self) -> None:
        super().__init__("the experiment could not be read out")
