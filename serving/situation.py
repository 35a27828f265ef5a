"""What a choice depends on beside the release, the push and the member."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from decisions.contacts import Contacts
from decisions.pacing import Terms
from decisions.variant import AS_IS, Variant

Basis: TypeAlias = Literal["model", "segment_means", "safe_default"]
"""What the estimates come from: the response model, its averages by stage of life, or nothing."""

BASES: tuple[Basis, ...] = ("model", "segment_means", "safe_default")

NOTHING_FRESH: Mapping[str, Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Situation:
    """The moment of a decision.

    terms: prices, and what the push's limits have left. suppressed: who must not be contacted.
    since: what the members were sent after the release was made; row numbers are those of the
        members asked about. None for nothing.
    fresh: by member, encoded features that are newer than those of the release.
    variant: what decides in place of the release's policy.
    """

    terms: Terms
    suppressed: frozenset[str] = frozenset()
    since: Contacts | None = None
    fresh: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: NOTHING_FRESH)
    basis: Basis = "model"
    variant: Variant = AS_IS
