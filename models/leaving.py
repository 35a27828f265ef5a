"""Whom a send drives away: the risk of an unsubscription, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.calibration import sigmoid
from models.errors import ModelError
from models.linear import Linear
from models.trees import positions

# The share of sends that make a member unsubscribe, where nothing is known of it.
ASSUMED_RATE = 0.002
YEAR = 365.25  # days
MONTH = 30.0  # days of the feature ``contacts_30d``
_CONTACTS = "contacts_30d"
_YEARLY_DISCOUNT = 0.1
# What a steady flow over a year is worth today, of its sum.
DISCOUNTED = _YEARLY_DISCOUNT / (1 + _YEARLY_DISCOUNT) / float(np.log1p(_YEARLY_DISCOUNT))


@dataclass(frozen=True, eq=False)
class Steps:
    """A rate by how large one feature is.

    column: the feature; not read where there are no edges. edges: (k,) ascending; a value belongs
    above every edge that it reaches. rates: (k + 1,). mean: of those whose value is missing.
    """

    column: str
    edges: tuple[float, ...]
    rates: tuple[float, ...]
    mean: float

    def rate(self, values: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.float64]:
        """(n,) rates."""
        if not self.edges:
            return np.full(len(values), self.mean)
        found = column(self.column, values, names)
        place = np.searchsorted(np.array(self.edges), found, side="right")
        stepped = np.array(self.rates)[np.minimum(place, len(self.edges))]
        return np.where(np.isnan(found), self.mean, stepped)


@dataclass(frozen=True, eq=False)
class Leaving:
    """Probability that a send makes a member unsubscribe within the attribution window.

    sent: the rate of those who are sent something, by recent contacts: in steps, or its log odds.
    unsent: the rate of those who are not.
    evidence: ``measured``, or ``prior`` where no unsubscription is known and a rate is assumed.
    """

    sent: Steps | Linear
    unsent: float
    evidence: str

    @classmethod
    def assumed(cls, rate: float = ASSUMED_RATE) -> Self:
        """The same for everybody.

        Raises:
            ModelError: no probability.
        """
        if not 0 <= rate <= 1:
            raise ModelError(f"the assumed unsubscription rate is {rate}, wanted 0 to 1")
        return cls(Steps("", (), (rate,), rate), 0.0, "prior")

    @property
    def told_by(self) -> str:
        """What tells members' risks apart, in words."""
        if isinstance(self.sent, Linear):
            return ", ".join(self.sent.names)
        return self.sent.column or "nothing: the same for everybody"

    def risk(self, values: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.float64]:
        """(n,) rate with a send above the rate without; never below 0.

        Raises:
            ModelError: a feature that is read is missing.
        """
        if isinstance(self.sent, Linear):
            rate = sigmoid(self.sent.score(values, names))
        else:
            rate = self.sent.rate(values, names)
        return np.maximum(rate - self.unsent, 0.0)


@dataclass(frozen=True, slots=True)
class Reach:
    """What it is worth that a member can be contacted for another year.

    One who unsubscribed buys on, without pushes: lost is only what pushes would have added.

    gain: money that a contact gains at the mean, by each member's best offer; 0 or more.
    margin: mean expected margin of a conversion among the members of whom that is.
    contacts: contacts of a member a day, at the mean.
    trusted: days by which the mean counts, beside the days that the member was watched.
    """

    gain: float
    margin: float
    contacts: float
    trusted: float

    def value(
        self,
        values: NDArray[np.float32],
        names: tuple[str, ...],
        margin: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """(n,) money: gain of a contact × contacts of the year ahead, at today's worth.

        A contact's gain goes with ``margin``, (n,), the member's expected margin of a conversion.
        A member's contacts are those of the last 30 days moved towards the mean, the posterior
        mean of a gamma-Poisson model; of one without that feature, or where there is none, the
        mean.
        """
        daily = np.full(len(values), self.contacts)
        if _CONTACTS in names:
            seen = column(_CONTACTS, values, names)
            own = (self.contacts * self.trusted + seen) / (self.trusted + MONTH)
            daily = np.where(np.isnan(seen), daily, own)
        scale = margin / self.margin if self.margin > 0 else np.ones(len(values))
        return np.asarray(np.maximum(self.gain * scale * daily * YEAR * DISCOUNTED, 0.0))


def column(name: str, values: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.float64]:
    """(n,) the feature ``name`` of ``values``, (n, features ``names``).

    Raises:
        ModelError: it is missing.
    """
    found = positions((name,), names)
    return np.asarray(values[:, 0 if found is None else found[0]], dtype=np.float64)


def leaving_config(leaving: Leaving) -> dict[str, Any]:
    """All of it that is no array, for an artifact."""
    config: dict[str, Any] = {"unsent": leaving.unsent, "evidence": leaving.evidence}
    if isinstance(leaving.sent, Linear):
        return config | {"names": list(leaving.sent.names)}
    steps = leaving.sent
    return config | {
        "steps": [steps.column, list(steps.edges), list(steps.rates), steps.mean],
    }


def read_leaving(config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Leaving:
    """Of ``leaving_config``, and the arrays of its linear model where it has one.

    Raises:
        ArtifactError, KeyError, TypeError, ValueError: parts that do not fit each other.
    """
    sent: Steps | Linear
    if "names" in config:
        sent = Linear.read(arrays, tuple(config["names"]))
    else:
        name, edges, rates, mean = config["steps"]
        if len(rates) != len(edges) + 1:
            raise ValueError(f"{len(rates)} rates between {len(edges)} edges")
        sent = Steps(name, tuple(edges), tuple(rates), mean)
    return Leaving(sent, config["unsent"], config["evidence"])
