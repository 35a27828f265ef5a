"""A push of twenty offers for very many members, with everything that a real one has.

The response model is fitted on a synthetic market, so its trees are as large as real ones. Its
members' rows are drawn again, each number moved a little, until there are as many as asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.market_effects import fitted, market
from decisions.catalogue import Offer, Push, PushLimits
from decisions.contacts import KINDS, Contacts
from decisions.decide import Ask
from decisions.members import Members
from decisions.policy import Policy, Prices
from decisions.send_time import ActiveHours
from features.snapshot import Snapshot
from training.market.config import MarketConfig
from training.market.world import make_world

OFFERS = 20
_SOURCE, _MODEL = "source", "response"
_NOISE = 0.05  # standard deviation by which numbers are moved, relative
_BLOCK = 50_000  # members at a time
_PER_MEMBER = 0.05  # budget, in money: about one contact in ten, as the demo's
_PLACES = ("hualien", "okinawa", "kyoto", "bali")


@dataclass(frozen=True, slots=True)
class Case:
    """A folder with a fitted model and the members of its market."""

    folder: Path

    @property
    def model(self) -> Path:
        return self.folder / _MODEL

    @classmethod
    def made(cls, folder: Path, members: int) -> Case:
        """Fit the model on a market of ``members``, and keep their features."""
        with market(MarketConfig(members)) as prepared:
            fitted(prepared.known, seed=0).model.save(folder / _MODEL)
            asked = prepared.ask.members
            ids = np.array([member.encode() for member in asked.ids], dtype=np.bytes_)
            Snapshot(asked.as_of, asked.encoding, ids, asked.values).save(folder / _SOURCE)  # type: ignore[arg-type]  # features.encoding.Encoding, behind a protocol
        return cls(folder)

    def grown(self, members: int) -> Path:
        """The folder of a snapshot of so many members like those of the market."""
        source, folder = Snapshot.load(self.folder / _SOURCE), self.folder / f"members-{members}"
        rng = np.random.default_rng(members)
        numbers = np.array(
            [
                name not in source.encoding.categories and not name.startswith("consent_")
                for name in source.encoding.names
            ]
        )
        values = np.empty((members, len(numbers)), dtype=np.float32)
        for start in range(0, members, _BLOCK):
            part = values[start : start + _BLOCK]
            part[:] = source.values[rng.integers(0, len(source.member_ids), len(part))]
            moved = rng.standard_normal((len(part), int(numbers.sum())), dtype=np.float32)
            part[:, numbers] *= 1 + np.float32(_NOISE) * moved
        ids = np.char.mod(b"member-%08d", np.arange(members))
        Snapshot(source.as_of, source.encoding, ids, values).save(folder)
        return folder


def ask_about(snapshot: Snapshot) -> Ask:
    """The question about all members of ``snapshot``."""
    members = Members.everybody(
        snapshot.member_ids, snapshot.values, snapshot.encoding, snapshot.as_of
    )
    push, offers = push_of(snapshot)
    policy = Policy("benchmark", quiet_hours=(22, 8), timezone="Asia/Taipei", global_holdout=0.02)
    hours = ActiveHours.of(members)
    contacts = _contacts(len(members), push, offers)
    return Ask(push, offers, members, policy, Prices(), frozenset(), contacts, hours)


def push_of(snapshot: Snapshot) -> tuple[Push, tuple[Offer, ...]]:
    known = make_world(MarketConfig()).offers
    offers = [offer for place in _PLACES for offer in known if offer.categories == (place,)]
    del offers[OFFERS:]
    offers[1] = replace(offers[1], eligibility='lifecycle != "new"', stock=200_000)
    members, names = len(snapshot.member_ids), tuple(offer.offer_id for offer in offers)
    push = Push(
        "summer", "push", snapshot.as_of + timedelta(hours=20), names,
        send_within_hours=12,
        budget=_PER_MEMBER * members,
        max_audience=members // 10,
        holdout=0.1,
        exploration=0.05,
        exploration_budget=0.2 * _PER_MEMBER * members,
        eligibility="tenure_days >= 30",
        limits=PushLimits(offer_caps={names[0]: members // 100, names[7]: members // 50}),
    )  # fmt: skip
    return push, tuple(offers)


def _contacts(members: int, push: Push, offers: tuple[Offer, ...]) -> Contacts:
    """Half a contact a member in the last week: some are at the cap of three."""
    rng = np.random.default_rng(0)
    count = members // 2
    zeros: NDArray[np.int32] = np.zeros(count, dtype=np.int32)
    week = round(timedelta(days=7).total_seconds())
    columns = {
        "member": np.sort(rng.integers(0, members, count)),
        "at": int(push.send_at.timestamp()) - rng.integers(0, week, count),
        "service": np.zeros(count, dtype=bool),
        **dict.fromkeys(KINDS, zeros),
    }
    names = ("offer", offers[0].offer_id), ("channel", push.channel), ("push", "before")
    return Contacts.from_arrays(
        columns, {"campaign": ("",), **{kind: (name,) for kind, name in names}}
    )
