"""The standing rules of deciding, and the prices a plan leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self
from zoneinfo import ZoneInfo

from decisions.caps import Cap
from decisions.errors import DecisionError


class PolicyError(DecisionError):
    """A policy that cannot be decided with."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for every push.

    salt: makes holdout and exploration draws of this workspace its own; never change it while
        a push runs, or members change sides.
    consent_when_missing: whether a member without a consent value may be contacted.
    caps: most contacts a member may have had; at or above one the member is left alone.
    quiet_hours: from which hour to which (24-hour clock, the member's own time) nothing is sent;
        ``(22, 8)`` is the night. None: no hour is quiet.
    timezone: of members who name none.
    global_holdout: share of all members who are kept out of every push.
    random_hours: share of members whose hour of sending is drawn among the open ones, so that what
        the hour changes can be measured.
    duplicate_hours: a service message is a duplicate when the same offer went out to the member
        so many hours before.
    channel_costs: what a message by a channel costs, on top of the offer's contact cost.
    """

    salt: str
    consent_when_missing: bool = False
    caps: tuple[Cap, ...] = (Cap("all", 3, days=7),)
    quiet_hours: tuple[int, int] | None = None
    timezone: str = "UTC"
    global_holdout: float = 0.0
    random_hours: float = 0.1
    duplicate_hours: float = 24.0
    channel_costs: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("global_holdout", "random_hours"):
            if not 0 <= getattr(self, name) <= 1:
                raise PolicyError(f"{name} is {getattr(self, name)}, wanted 0 to 1")
        if self.quiet_hours is not None and not all(0 <= hour < 24 for hour in self.quiet_hours):
            raise PolicyError(f"quiet_hours are {self.quiet_hours}, wanted two hours from 0 to 23")
        for channel, cost in self.channel_costs.items():
            if not cost >= 0:
                raise PolicyError(f"channel_costs of {channel!r} is {cost}, wanted 0 or more")
        try:
            ZoneInfo(self.timezone)
        except (ValueError, OSError, KeyError) as error:
            raise PolicyError(
                f"timezone is {self.timezone!r}, wanted a name such as Asia/Taipei"
            ) from error

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        try:
            parts = dict(content)
            if "caps" in parts:
                parts["caps"] = tuple(Cap(**cap) for cap in parts["caps"])
            if parts.get("quiet_hours") is not None:
                first, last = parts["quiet_hours"]
                parts["quiet_hours"] = (first, last)
            return cls(**parts)
        except (TypeError, ValueError) as error:
            raise PolicyError(f"policy does not read: {error}") from error


@dataclass(frozen=True, slots=True)
class Prices:
    """Shadow prices of a push's constraints: what one more unit of each would earn.

    budget: λ, gain per unit of money spent. min_return: ρ, gain per unit by which the required
    gain is lowered. audience: ν, gain per further contact; below 0 where a floor holds.
    offers, channels: gain per further contact with one of them, by name; absent means 0.
    segments: gain per further member of those whom a rule picks, by the rule.
    exploration: share of choices that are drawn, where the plan had to take less than the push
        names. scale: standard deviation of the gains, the unit of the draws; 0: draws are uniform.
    """

    budget: float = 0.0
    audience: float = 0.0
    min_return: float = 0.0
    offers: Mapping[str, float] = field(default_factory=dict)
    channels: Mapping[str, float] = field(default_factory=dict)
    segments: Mapping[str, float] = field(default_factory=dict)
    exploration: float | None = None
    scale: float = 0.0

    def __post_init__(self) -> None:
        for name in ("budget", "min_return", "scale"):
            if not getattr(self, name) >= 0:
                raise PolicyError(f"price of {name} is {getattr(self, name)}, wanted 0 or more")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        try:
            return cls(**content)
        except TypeError as error:
            raise PolicyError(f"prices do not read: {error}") from error
