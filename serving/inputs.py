"""What a decision was made from beside its release and its terms, so that it can be made again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from decisions.contacts import Contact
from decisions.variant import AS_IS, Variant
from serving.scorer_error import ScorerError
from serving.situation import BASES, Basis

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class InputsError(ScorerError):
    """What is stored does not read as the inputs of a decision."""


@dataclass(frozen=True, slots=True)
class BranchInputs:
    """experiment_id, arm: where the member was. share: chance of being there. others: chance of
    the same choice in the other arms, each times the chance of being in it. variant: what decided.
    """

    experiment_id: str
    arm: str
    share: float
    others: float
    variant: Variant = AS_IS

    def probability(self, chance: float) -> float:
        """Of a choice with probability ``chance`` in this arm, before anybody is in an arm."""
        # Shares such as .2 + .4 + .15 + .1 + .15 add up to a little more than 1.
        return min(self.share * chance + self.others, 1.0)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Of one member's decision.

    at: the moment of deciding, ISO 8601 in UTC. suppressed: whether the member was not to be
    contacted then. since: what the member was sent after the release was made, oldest first.
    fresh: features whose values were newer than the release's, by name; NaN is missing.
    degraded: what could not be had. estimator: what estimated.
    branch: of the experiment it was made in; None outside one.
    """

    at: str
    suppressed: bool = False
    since: tuple[Contact, ...] = ()
    fresh: Mapping[str, float] = field(default_factory=dict)
    degraded: tuple[str, ...] = ()
    estimator: Basis = "model"
    branch: BranchInputs | None = None

    def to_json(self) -> str:
        """JSON text that ``from_json`` reads back to the same, floats to the last bit.

        The member's id is left out: the decision beside it says whose they are.
        """
        content = {
            "at": self.at,
            "suppressed": self.suppressed,
            "since": [_without_member(one) for one in self.since],
            "fresh": {name: _written(value) for name, value in self.fresh.items()},
            "degraded": list(self.degraded),
            "estimator": self.estimator,
            **({} if self.branch is None else {"branch": asdict(self.branch)}),
        }
        return json.dumps(content, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str, member_id: str) -> Self:
        """The inputs of ``member_id``'s decision.

        Raises:
            InputsError: ``text`` is not what ``to_json`` writes.
        """
        try:
            content = json.loads(text)
            if content["estimator"] not in BASES:
                raise ValueError("an estimator that is not known")
            return cls(
                at=content["at"],
                suppressed=content["suppressed"],
                since=tuple(Contact(member_id, **one) for one in content["since"]),
                fresh={name: _read(value) for name, value in content["fresh"].items()},
                degraded=tuple(content["degraded"]),
                estimator=content["estimator"],
                branch=_branch(content["branch"]) if "branch" in content else None,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputsError(f"stored inputs of a decision do not read: {error!r}") from error


def degraded_of(text: str) -> tuple[str, ...]:
    """What could not be had when the decision with these inputs was made."""
    return tuple(json.loads(text)["degraded"])


def _branch(content: Mapping[str, Any]) -> BranchInputs:
    return BranchInputs(**{**content, "variant": Variant(**content["variant"])})


def _without_member(contact: Contact) -> dict[str, Any]:
    content = asdict(contact)
    del content["member_id"]
    return content


def _written(value: float) -> float | str:
    # float(): a float32 would be written by its own shorter digits, or not at all.
    return float(value) if math.isfinite(value) else str(float(value))


def _read(value: float | str) -> float:
    return _NOT_FINITE[value] if isinstance(value, str) else float(value)
