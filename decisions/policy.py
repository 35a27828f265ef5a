"""The standing rules of deciding, and the prices a plan leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from decisions.errors import DecisionError


class PolicyError(DecisionError):
    """A policy that cannot be decided with."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for every push.

    salt: makes holdout and exploration draws of this workspace its own; never change it while
        a push runs, or members change sides.
    consent_when_missing: whether a member without a consent value may be contacted.
    contact_caps: most contacts a member may have had, by feature name (``contacts_7d``): at or
        above it the member is left alone.
    """

    salt: str
    consent_when_missing: bool = False
    contact_caps: Mapping[str, float] = field(default_factory=lambda: {"contacts_7d": 3.0})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        try:
            return cls(**content)
        except TypeError as error:
            raise PolicyError(f"policy does not read: {error}") from error


@dataclass(frozen=True, slots=True)
class Prices:
    """Shadow prices of a push's constraints: what one more unit of each would earn.

    budget: λ, gain per unit of money spent. audience: ν, gain per further contact.
    stock: μ, gain per further unit of an offer, by offer id; absent means 0.
    """

    budget: float = 0.0
    audience: float = 0.0
    stock: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, price in {"budget": self.budget, "audience": self.audience, **self.stock}.items():
            if not price >= 0:
                raise PolicyError(f"price of {name} is {price}, wanted 0 or more")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        try:
            return cls(**content)
        except TypeError as error:
            raise PolicyError(f"prices do not read: {error}") from error
