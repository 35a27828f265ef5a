"""Features of every (member, offer) pair, so that offers share what is learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.scopes import COLUMNS as _PAIR
from models.scopes import Scopes, Turned, shares_of
from models.tastes import Tastes
from models.trees import positions

_BY_CATEGORY = ("interest__", "seen_days__", "bought_days__")
_KINDS = ("percent_off", "amount_off", "points", "gift", "shipping", "content")
OFFER_COLUMNS = (
    *(f"offer_is_{kind}" for kind in _KINDS),
    *(f"offer_{kind}" for kind in ("percent_off", "amount_off", "points")),
    "offer_min_spend", "offer_redemption_cost", "offer_scope_size",
)  # fmt: skip


class OfferTerms(Protocol):
    """What a model reads of an offer."""

    @property
    def offer_id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def value(self) -> float: ...
    @property
    def min_spend(self) -> float: ...
    @property
    def redemption_cost(self) -> float: ...
    @property
    def categories(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, eq=False)
class PairFeatures:
    """Turns member rows and offers into one row per pair.

    member_names: the member features that are read. Those of single categories stand in the table
        only through the offer's scope: what is learned of one place then holds for the others.
    categories: those with interest features, ``interest__<category>`` and so on, by the name that
        they have there; may be empty.
    scopes: what offers call each of ``categories``: a feature's name does not carry every letter.
    similarity: (categories, categories) how alike two categories' members are, zero diagonal.
    tastes: kinds of members by what they turn to, for places that a member never turned to.
    """

    member_names: tuple[str, ...]
    categories: tuple[str, ...]
    scopes: tuple[str, ...]
    similarity: NDArray[np.float32]
    tastes: Tastes

    @classmethod
    def fit(
        cls,
        values: NDArray[np.float32],
        names: tuple[str, ...],
        called: Mapping[str, str] = MappingProxyType({}),
    ) -> PairFeatures:
        """Learn which categories share members, from (members, features) with NaN for missing.

        Similarity is the cosine of the members' shares of interest, as in item-to-item
        collaborative filtering (Sarwar et al., WWW 2001).

        Args:
            called: what offers call a category, by its name in features, where the two differ.
        """
        categories = tuple(
            name.removeprefix("interest__") for name in names if name.startswith("interest__")
        )
        shares = _shares(values, names, categories)
        gram = (shares.T @ shares).astype(np.float64)
        norm = np.sqrt(np.maximum(np.diag(gram), 1e-12))
        similarity = gram / np.outer(norm, norm)
        np.fill_diagonal(similarity, 0.0)
        scopes = tuple(called.get(category, category) for category in categories)
        tastes = Tastes.fit(_touched(values, names, categories))
        return cls(names, categories, scopes, similarity.astype(np.float32), tastes)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What stands in which column of ``table``."""
        return (*self._own, *(_PAIR if self.categories else ()), *OFFER_COLUMNS)

    @property
    def shared(self) -> int:
        """How many columns of ``table``, the first ones, are the same for all offers."""
        return len(self._own)

    @cached_property
    def _own(self) -> tuple[str, ...]:
        return tuple(name for name in self.member_names if not name.startswith(_BY_CATEGORY))

    @cached_property
    def _by_category(self) -> NDArray[np.int64]:
        """(3, categories) where each feature of a category stands, -1 for one that is absent."""
        at = {name: column for column, name in enumerate(self.member_names)}
        return np.array(
            [[at.get(prefix + one, -1) for one in self.categories] for prefix in _BY_CATEGORY]
        )

    def table(
        self, values: NDArray[np.float32], names: tuple[str, ...], offers: Sequence[OfferTerms]
    ) -> NDArray[np.float32]:
        """(members × offers, columns): all offers of the first member, then of the second, …

        Raises:
            ModelError: a member feature is missing from ``names``.
        """
        columns = positions(self.member_names, names)
        own = values if columns is None else values[:, columns]
        n, m = len(values), len(offers)
        pair_width = len(_PAIR) if self.categories else 0
        shown = positions(self._own, self.member_names)
        width = own.shape[1] if shown is None else len(shown)
        table = np.empty((n, m, width + pair_width + len(OFFER_COLUMNS)), dtype=np.float32)
        table[:, :, :width] = (own if shown is None else own[:, shown])[:, None, :]
        known = _known(self, tuple(_Terms.of(offer) for offer in offers))
        if known.scopes is not None:
            told = own[:, self._by_category]
            told[:, self._by_category < 0] = np.nan
            standing = known.scopes.features(Turned.of(told, self.tastes))
            table[:, :, width : width + pair_width] = standing[:, known.scopes.place]
        table[:, :, width + pair_width :] = known.terms
        return table.reshape(n * m, -1)


class _Terms(NamedTuple):
    """What is read of an offer; equal for offers that are told apart by nothing."""

    offer_id: str
    kind: str
    value: float
    min_spend: float
    redemption_cost: float
    categories: tuple[str, ...]

    @classmethod
    def of(cls, offer: OfferTerms) -> Self:
        return cls(
            offer.offer_id, offer.kind, offer.value, offer.min_spend, offer.redemption_cost,
            tuple(offer.categories),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Known:
    """What a table holds whoever the members are. terms: (offers, ``OFFER_COLUMNS``)."""

    terms: NDArray[np.float32]
    scopes: Scopes | None


@lru_cache(maxsize=256)
def _known(pairs: PairFeatures, offers: tuple[_Terms, ...]) -> _Known:
    """A push is asked about again and again with the same offers."""
    terms = np.array([_terms(offer) for offer in offers], dtype=np.float32)
    terms = terms.reshape(len(offers), len(OFFER_COLUMNS))
    if not pairs.categories or not offers:
        return _Known(terms, None)
    # An offer without scope is about everything.
    insides = [
        tuple(not one.categories or scope in one.categories for scope in pairs.scopes)
        for one in offers
    ]
    return _Known(terms, Scopes.of(insides, pairs.similarity, pairs.tastes))


def _columns(
    values: NDArray[np.float32], names: tuple[str, ...], prefix: str, categories: Sequence[str]
) -> NDArray[np.float32]:
    present = [prefix + c for c in categories if prefix + c in names]
    if not present:
        return np.full((len(values), 1), np.nan, dtype=np.float32)
    columns = positions(tuple(present), names)
    return values if columns is None else values[:, columns]


def _shares(
    values: NDArray[np.float32], names: tuple[str, ...], categories: Sequence[str]
) -> NDArray[np.float32]:
    """Each member's interest split over the categories; zeros for a member without any."""
    if not categories:
        return np.zeros((len(values), 0), dtype=np.float32)
    return shares_of(np.nan_to_num(_columns(values, names, "interest__", categories)))


def _touched(
    values: NDArray[np.float32], names: tuple[str, ...], categories: Sequence[str]
) -> NDArray[np.bool_]:
    """(members, categories) whether a member ever turned to a category, as far as features tell."""
    touched = np.zeros((len(values), len(categories)), dtype=bool)
    for column, category in enumerate(categories):
        for prefix in _BY_CATEGORY:
            if prefix + category in names:
                told = values[:, names.index(prefix + category)]
                touched[:, column] |= told > 0 if prefix == "interest__" else ~np.isnan(told)
    return touched


def _terms(offer: _Terms) -> list[float]:
    if offer.kind not in _KINDS:
        raise ModelError(f"offer {offer.offer_id!r} is of kind {offer.kind!r}, unknown here")
    return [
        *(float(offer.kind == kind) for kind in _KINDS),
        *(offer.value if offer.kind == kind else 0.0 for kind in _KINDS[:3]),
        offer.min_spend,
        offer.redemption_cost,
        float(len(offer.categories)),
    ]
