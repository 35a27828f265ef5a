"""Past contacts of members, as frequency caps count them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from decisions.errors import DecisionError

KINDS = ("offer", "channel", "push", "campaign")
COLUMNS = ("member", "at", "service")


@dataclass(frozen=True, slots=True)
class Contact:
    """One message that was sent. ``at``: seconds since 1970, UTC."""

    member_id: str
    at: int
    offer_id: str
    channel: str
    push_id: str
    campaign_id: str = ""
    service: bool = False


@dataclass(frozen=True, eq=False)
class Contacts:
    """c contacts of n members, ordered by member.

    member: (c,) row number of the member, rising. at: (c,) seconds since 1970, UTC.
    offer, channel, push, campaign: (c,) positions in ``names`` of that kind.
    service: (c,) sent as a service message: no cap counts it.
    """

    member: NDArray[np.int64]
    at: NDArray[np.int64]
    offer: NDArray[np.int32]
    channel: NDArray[np.int32]
    push: NDArray[np.int32]
    campaign: NDArray[np.int32]
    service: NDArray[np.bool_]
    names: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        if (np.diff(self.member) < 0).any():
            raise DecisionError("contacts are not ordered by member")

    def __len__(self) -> int:
        return len(self.member)

    @classmethod
    def none(cls) -> Self:
        return cls.of((), ())

    @classmethod
    def of(cls, members: Sequence[str], contacts: Sequence[Contact]) -> Self:
        """The contacts of ``members``; those of others are left out."""
        row = {member: number for number, member in enumerate(members)}
        known = [one for one in contacts if one.member_id in row]
        known.sort(key=lambda one: (row[one.member_id], one.at))
        names: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}

        def codes(kind: str, attribute: str) -> NDArray[np.int32]:
            seen = names[kind]
            found = [seen.setdefault(getattr(one, attribute), len(seen)) for one in known]
            return np.array(found, dtype=np.int32)

        return cls(
            member=np.array([row[one.member_id] for one in known], dtype=np.int64),
            at=np.array([one.at for one in known], dtype=np.int64),
            offer=codes("offer", "offer_id"),
            channel=codes("channel", "channel"),
            push=codes("push", "push_id"),
            campaign=codes("campaign", "campaign_id"),
            service=np.array([one.service for one in known], dtype=bool),
            names={kind: tuple(seen) for kind, seen in names.items()},
        )

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], names: Mapping[str, Sequence[str]]
    ) -> Self:
        """What ``arrays`` and ``names`` gave. Raises ``DecisionError`` when it does not fit."""
        try:
            columns = {name: arrays[name] for name in (*COLUMNS, *KINDS)}
            known = {kind: tuple(names[kind]) for kind in KINDS}
        except KeyError as error:
            raise DecisionError(f"contacts have no {error}") from error
        if len({len(column) for column in columns.values()}) != 1:
            raise DecisionError("the columns of contacts are not of one length")
        return cls(**columns, names=known)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The columns by name, as they are stored."""
        return {name: getattr(self, name) for name in (*COLUMNS, *KINDS)}

    def plus(self, other: Contacts) -> Contacts:
        """Both, of the same members; what both have of a member and push counts once."""
        if not len(other):
            return self
        names = {
            kind: tuple(dict.fromkeys((*self.names[kind], *other.names[kind]))) for kind in KINDS
        }
        mine, theirs = self._renamed(names), other._renamed(names)
        pair = np.concatenate([mine.member, theirs.member]) * max(len(names["push"]), 1)
        pair += np.concatenate([mine.push, theirs.push])
        again = np.isin(pair[len(mine) :], pair[: len(mine)])
        joined = {
            name: np.concatenate([column, theirs.arrays()[name][~again]])
            for name, column in mine.arrays().items()
        }
        order = np.argsort(joined["member"], kind="stable")
        return Contacts(**{name: column[order] for name, column in joined.items()}, names=names)

    def _renamed(self, names: Mapping[str, tuple[str, ...]]) -> Contacts:
        """The same with codes that are positions in ``names``, which hold all of ours."""
        codes = {
            kind: np.array([names[kind].index(one) for one in self.names[kind]], dtype=np.int32)[
                getattr(self, kind)
            ]
            for kind in KINDS
        }
        return replace(self, **codes, names=names)

    def of_members(self, rows: NDArray[np.int64]) -> Contacts:
        """Those of the members in ``rows``, numbered anew in that order; -1 is nobody."""
        if not len(self):
            return self
        first = np.searchsorted(self.member, rows)
        count = np.searchsorted(self.member, rows, side="right") - first
        count[rows < 0] = 0
        member = np.repeat(np.arange(len(rows)), count)
        start = np.cumsum(count) - count
        taken = first[member] + np.arange(len(member)) - start[member]
        columns = {name: column[taken] for name, column in self.arrays().items()}
        return Contacts(**{**columns, "member": member}, names=self.names)

    def block(self, start: int, stop: int) -> Contacts:
        """Those of the members in rows ``start`` to ``stop``, who are numbered anew from 0."""
        first, last = np.searchsorted(self.member, [start, stop])
        part = slice(first, last)
        return Contacts(
            self.member[part] - start,
            self.at[part],
            self.offer[part],
            self.channel[part],
            self.push[part],
            self.campaign[part],
            self.service[part],
            self.names,
        )

    def listed(self, row: int, member_id: str) -> tuple[Contact, ...]:
        """Those of the member in ``row``, one by one, oldest first; ``of`` takes them back."""
        first, last = np.searchsorted(self.member, [row, row + 1]).tolist()
        columns = [getattr(self, kind)[first:last].tolist() for kind in KINDS]
        named = [
            [self.names[kind][code] for code in codes]
            for kind, codes in zip(KINDS, columns, strict=True)
        ]
        at, service = self.at[first:last].tolist(), self.service[first:last].tolist()
        found = [
            Contact(member_id, moment, offer, channel, push, campaign, of_service)
            for moment, offer, channel, push, campaign, of_service in zip(
                at, *named, service, strict=True
            )
        ]
        return tuple(sorted(found, key=lambda one: one.at))

    def are(self, kind: str, name: str) -> NDArray[np.bool_]:
        """(c,) whether a contact is of the offer, channel, push or campaign ``name``."""
        known = self.names.get(kind, ())
        if name not in known:
            return np.zeros(len(self), dtype=bool)
        codes: NDArray[np.int32] = getattr(self, kind)
        return np.asarray(codes == known.index(name))

    def count(self, counted: NDArray[np.bool_], members: int) -> NDArray[np.int64]:
        """(members,) how many of the contacts ``counted``, (c,), each has."""
        return np.bincount(self.member[counted], minlength=members)
