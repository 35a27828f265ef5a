"""Personas: members described by hand, with the decision that is expected for each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from decisions.errors import DecisionError
from decisions.rule_text import nearest
from decisions.rules import FeatureNames

_DAY = 86_400
_KEYS = (
    "name", "push", "member", "like", "features", "contacts",
    "send", "offer", "offers", "not_offer", "reason", "min_gain",
)  # fmt: skip
_KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "features": ((dict,), "a table"),
    "contacts": ((list,), "a list of days before the send, such as [1, 3.5]"),
    "send": ((bool,), "true or false"),
    "offers": ((list,), "a list of offers"),
    "min_gain": ((int, float), "a number"),
}
Value = float | str | date


class PersonaError(DecisionError):
    """A persona that does not make sense, or that the release cannot answer for."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to be decided; None and empty ask for nothing.

    offers: any of these is sent. not_offer: is not sent. reason: why nothing is sent.
    min_gain: something is sent, and is expected to gain at least this, in the push's objective.
    """

    send: bool | None = None
    offers: tuple[str, ...] = ()
    not_offer: str | None = None
    reason: str | None = None
    min_gain: float | None = None


@dataclass(frozen=True, slots=True)
class Persona:
    """One question with its answer.

    member: who of the release is asked about; None for a member made up.
    like: whose features the made-up member has; None for nobody's, so that all are missing.
    features: of the made-up member, over those; NaN is missing.
    contacts: what the made-up member was sent before, in days before the send.
    """

    name: str
    push: str
    member: str | None
    like: str | None
    features: Mapping[str, Value]
    contacts: tuple[float, ...]
    expected: Expected

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Raises ``PersonaError`` on a key that there is not, or a value that it cannot have."""
        name = content.get("name")
        if not isinstance(name, str) or not name.strip():
            raise PersonaError(
                f"a persona has no name; it holds: {', '.join(content) or 'nothing'}"
            )
        try:
            return cls(name, *_described(content), _expected(content))
        except PersonaError as error:
            raise PersonaError(f"persona {name!r} {error}") from error


@dataclass(frozen=True, slots=True)
class Found:
    """What was decided. reason: why nothing is sent. gain: of the offer sent, else NaN."""

    offer_id: str | None
    reason: str
    gain: float

    def __str__(self) -> str:
        if self.offer_id is None:
            return f"no send ({self.reason})"
        return f"{self.offer_id}, expected gain {self.gain:,.2f}"


def personas_from(content: Mapping[str, Any]) -> tuple[Persona, ...]:
    """The personas of a file.

    Raises:
        PersonaError: it holds none, another table, two of one name, or one that does not read.
    """
    for key in content:
        if key != "personas":
            raise PersonaError(
                f"there is no table {key!r}; each persona is a table under [[personas]]"
            )
    described = content.get("personas")
    if not isinstance(described, list) or not all(isinstance(one, dict) for one in described):
        raise PersonaError("there is no persona; each is a table under [[personas]]")
    personas = tuple(Persona.from_json(one) for one in described)
    names = [persona.name for persona in personas]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise PersonaError(f"two personas are called {name!r}")
    return personas


def described_row(
    features: Mapping[str, Value],
    like: NDArray[np.float32],
    encoding: FeatureNames,
    as_of: datetime,
) -> NDArray[np.float32]:
    """``like``, shape (features,), with ``features`` in place.

    A date becomes the days since or until it, as of ``as_of``; a flag 1 or 0.

    Raises:
        PersonaError: a feature or a category's value that does not exist, or of another type.
    """
    row = like.copy()
    for name, value in features.items():
        if name not in encoding.names:
            raise PersonaError(f"has no feature {name!r}{nearest(name, encoding.names)}")
        row[encoding.names.index(name)] = _number(name, value, encoding, as_of)
    return row


def _number(name: str, value: Value, encoding: FeatureNames, as_of: datetime) -> float:
    if isinstance(value, float) and math.isnan(value):
        return value
    values = encoding.categories.get(name)
    if values is not None:
        if not isinstance(value, str):
            raise PersonaError(
                f"has {name} = {value}, wanted text, such as {', '.join(values[:3])}"
            )
        if value not in values:
            raise PersonaError(f"has {name} = {value!r}, which it never is{nearest(value, values)}")
        return encoding.code(name, value)
    if isinstance(value, date):
        if name not in (*encoding.since, *encoding.until):
            raise PersonaError(
                f"has {name} = {value}, which does not count days since or until a moment"
            )
        ago = (as_of - _instant(value)).total_seconds() / _DAY
        return ago if name in encoding.since else -ago
    if not isinstance(value, int | float):
        raise PersonaError(f"has {name} = {value!r}, wanted a number")
    return float(value)


def _instant(value: date) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def shortfalls(expected: Expected, found: Found) -> tuple[str, ...]:
    """What was expected and is not so, in words; empty where all is as expected."""
    sent, said = found.offer_id is not None, []
    if expected.send is not None and expected.send != sent:
        said.append("a send" if expected.send else "no send")
    if expected.offers and found.offer_id not in expected.offers:
        said.append(f"offer {' or '.join(expected.offers)}")
    if expected.not_offer is not None and found.offer_id == expected.not_offer:
        said.append(f"not offer {expected.not_offer}")
    if expected.reason is not None and (sent or found.reason != expected.reason):
        said.append(f"no send because of {expected.reason}")
    if expected.min_gain is not None and not (sent and found.gain >= expected.min_gain):
        said.append(f"a gain of at least {expected.min_gain:,.2f}")
    return tuple(said)


def check_offers(persona: Persona, offer_ids: Sequence[str]) -> None:
    """Raises ``PersonaError`` when an offer that is expected, or not, cannot come up at all."""
    expected = persona.expected
    barred = () if expected.not_offer is None else (expected.not_offer,)
    for offer_id in (*expected.offers, *barred):
        if offer_id not in offer_ids:
            raise PersonaError(
                f"persona {persona.name!r} speaks of offer {offer_id!r}, which push "
                f"{persona.push!r} does not carry{nearest(offer_id, offer_ids)}"
            )


def _described(
    content: Mapping[str, Any],
) -> tuple[str, str | None, str | None, Mapping[str, Value], tuple[float, ...]]:
    for key, value in content.items():
        if key not in _KEYS:
            raise PersonaError(f"has no key {key!r}{nearest(key, _KEYS)}")
        kinds, wanted = _KINDS.get(key, ((str,), "text"))
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds != (bool,)):
            raise PersonaError(f"has {key} = {value!r}, wanted {wanted}")
    if "push" not in content:
        raise PersonaError("names no push")
    if ("member" in content) == ("features" in content or "like" in content):
        raise PersonaError("needs either member, or features (with like, or without)")
    features = content.get("features", {})
    for name, value in features.items():
        if not isinstance(value, int | float | str | date):
            raise PersonaError(f"has {name} = {value!r}, wanted a number, text or a date")
    contacts = content.get("contacts", [])
    if not all(isinstance(days, int | float) and days >= 0 for days in contacts):
        raise PersonaError(f"has contacts = {contacts!r}, wanted days before the send")
    if contacts and "member" in content:
        raise PersonaError("has contacts, but a member of the release has their own")
    past = tuple(float(days) for days in contacts)
    return content["push"], content.get("member"), content.get("like"), features, past


def _expected(content: Mapping[str, Any]) -> Expected:
    offers = content.get("offers", [])
    if not all(isinstance(offer, str) for offer in offers) or ("offers" in content and not offers):
        raise PersonaError(f"has offers = {offers!r}, wanted a list of offers")
    if "offer" in content:
        if offers:
            raise PersonaError("has offer and offers; wanted one of them")
        offers = [content["offer"]]
    least = content.get("min_gain")
    expected = Expected(
        content.get("send"),
        tuple(offers),
        content.get("not_offer"),
        content.get("reason"),
        None if least is None else float(least),
    )
    if expected == Expected():
        raise PersonaError(
            "expects nothing: give send, offer, offers, not_offer, reason or min_gain"
        )
    sends = expected.send or offers or least is not None
    if sends and (expected.send is False or expected.reason is not None):
        raise PersonaError("expects a send and none: reason is why nothing is sent")
    return expected
