"""One experiment as a caller declares it: what does not fit is pointed at, and never repeated."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from decisions.catalogue import Offer
from decisions.rules import RuleError
from experiments.assignment import Allocation
from experiments.design import Arm, Experiment
from experiments.errors import ExperimentError
from serving.experiment_errors import InvalidExperiment
from serving.experiment_schemas import ExperimentGiven, experiment_of
from serving.problem import FieldProblem


class Known(Protocol):
    """What is asked of the release in use."""

    @property
    def offers(self) -> Mapping[str, Offer]: ...
    def check_rule(self, rule: str) -> None: ...


def read_experiment(given: ExperimentGiven, known: Known, put: Collection[str]) -> Experiment:
    """What ``given`` declares.

    Args:
        known: its features may stand in rules, its offers in arms. put: further offers.

    Raises:
        InvalidExperiment: with a pointer at what does not fit.
    """
    for place, arm in enumerate(given.arms):
        try:
            Arm(**arm.model_dump())
        except ExperimentError as error:
            wanted = {"release": "a release", "rule": "a rule and an offer"}.get(
                arm.kind, "no release, rule or offer"
            )
            raise _wrong(f"/arms/{place}", "other_fields", f"its kind wants {wanted}") from error
    _check_whole(given)
    try:
        declared = experiment_of(given)
        Allocation.of({arm.name: arm.share for arm in declared.arms})
    except ExperimentError as error:
        detail = "a share that is not 0 is 0.0001 or more"
        raise _wrong("/arms", "shares", detail) from error
    for place, rule_arm in enumerate(declared.arms):
        _check_rule(f"/arms/{place}", rule_arm, known, put)
    return declared


def _check_whole(given: ExperimentGiven) -> None:
    names = [arm.name for arm in given.arms]
    if len(set(names)) < len(names):
        raise _wrong("/arms", "same_names", "every arm has a name of its own")
    if given.control not in names:
        raise _wrong("/control", "unknown_arm", "wanted the name of an arm")
    total = sum(arm.share for arm in given.arms)
    if abs(total - 1) > 1e-9:
        raise _wrong("/arms", "shares", f"the shares add up to {total:g}, wanted 1")
    if given.mode == "shadow" and any(arm.kind == "holdout" for arm in given.arms):
        detail = "the control answers everybody in a shadow experiment, so it has no holdout"
        raise _wrong("/mode", "shadow_holdout", detail)


def _check_rule(where: str, arm: Arm, known: Known, put: Collection[str]) -> None:
    if not arm.rule:
        return
    try:
        known.check_rule(arm.rule)
    except RuleError as error:
        detail = "the rule does not parse, or names what the release in use does not know"
        raise _wrong(f"{where}/rule", "invalid_rule", detail) from error
    if arm.offer not in known.offers and arm.offer not in put:
        raise _wrong(f"{where}/offer", "unknown_offer", "wanted an offer of the catalogue")


def _wrong(pointer: str, code: str, detail: str) -> InvalidExperiment:
    return InvalidExperiment(FieldProblem(pointer=pointer, code=code, detail=detail))
