"""One push decided otherwise: by chance, by a hand-written rule, or not at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from decisions.catalogue import Push
from decisions.errors import DecisionError
from decisions.policy import Prices

Kind = Literal["policy", "random", "rule", "holdout"]


@dataclass(frozen=True, slots=True)
class Variant:
    """What decides in place of the policy.

    kind: ``policy``: the policy itself. ``random``: everybody who may get something gets one of
        the options or none, each as likely. ``rule``: everybody whom ``rule`` picks gets
        ``offer_id``, whatever it gains. ``holdout``: nobody gets anything.

    Whatever decides, nobody gets what eligibility, caps and limits do not allow.
    """

    kind: Kind = "policy"
    rule: str = ""
    offer_id: str = ""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise DecisionError(
                f"variant is {self.kind!r}, wanted one of {', '.join(get_args(Kind))}"
            )
        if (self.kind == "rule") != bool(self.rule and self.offer_id):
            raise DecisionError(f"variant {self.kind!r} and its rule and offer do not go together")

    def fits(self, push: Push) -> bool:
        """Whether it can decide ``push``: a rule needs its offer among the push's."""
        return self.kind != "rule" or self.offer_id in push.offer_ids

    def of_push(self, push: Push) -> Push:
        """``push`` with its eligibility, holdout and exploration as this wants them."""
        if self.kind == "policy":
            return push
        if self.kind == "holdout":
            return replace(push, holdout=1.0, exploration=0.0)
        if self.kind == "random":
            return replace(push, exploration=1.0, exploration_floor=1.0, exploration_budget=None)
        rule = f"({push.eligibility}) and ({self.rule})" if push.eligibility else self.rule
        return replace(push, eligibility=rule, exploration=0.0)

    def prices(self, planned: Prices) -> Prices:
        """What limits cost: to a policy what its plan found, to the others nothing."""
        return planned if self.kind == "policy" else Prices()


AS_IS = Variant()
