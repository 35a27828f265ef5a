"""Which items an answer names beside its offer: the member's best within the offer's scope."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from decisions.catalogue import Offer
from models.listing import Recommender
from models.recommender import load_recommender


@dataclass(frozen=True, eq=False)
class Shelf:
    """A recommender, and what is in the scope of each offer.

    scopes: items by offer id, best sellers first; an offer without a scope is left out.
    """

    recommender: Recommender
    scopes: Mapping[str, tuple[str, ...]]

    def best(self, members: Sequence[str], offer_id: str, most: int) -> list[tuple[str, ...]]:
        """Up to ``most`` items for each member, best first.

        A member that the recommender does not know gets the most popular ones.
        """
        if offer_id not in self.scopes:
            return [found.items for found in self.recommender.recommend(members, most)]
        items = self.scopes[offer_id]
        if not items:
            return [() for _ in members]
        scores = self.recommender.item_scores(members, items)
        unknown = np.isnan(scores).all(axis=1)
        scores[unknown] = -np.arange(len(items), dtype=np.float32)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :most]
        return [tuple(items[column] for column in row) for row in order]


def load_shelf(folder: Path, offers: Mapping[str, Offer]) -> Shelf | None:
    """The shelf of a release folder; None where it has no recommender.

    ``items.json`` (item id to category) says which items a scope by category holds; without it
    such a scope is empty.
    """
    if not (folder / "recommender").is_dir():
        return None
    recommender = load_recommender(folder / "recommender")
    path = folder / "items.json"
    categories = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    order = np.argsort(-recommender.popularity, kind="stable")
    ranked = [item.decode() for item in recommender.item_ids[order].tolist()]

    def scope(offer: Offer) -> tuple[str, ...]:
        listed, wanted = frozenset(offer.item_ids), frozenset(offer.categories)
        return tuple(i for i in ranked if i in listed or categories.get(i) in wanted)

    scopes = {o.offer_id: scope(o) for o in offers.values() if o.item_ids or o.categories}
    return Shelf(recommender, scopes)
