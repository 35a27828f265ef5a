"""Offers and pushes of a workspace, as a moment knew them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from decisions.catalogue import Offer, Push
from features.moments import newest
from features.tables import Tables

if TYPE_CHECKING:
    import ibis.expr.types as ir

_STORED_ONLY = ("known_at", "digest")


def offers_as_of(tables: Tables, as_of: datetime) -> dict[str, Offer]:
    """The newest version of every offer known at ``as_of``, by id and in its order.

    An offer that names items and no categories gets the categories of its items: members'
    interest is known by category.
    """
    category = categories(tables, as_of)
    offers: dict[str, Offer] = {}
    for record in _records(newest(tables.offers, "offer_id", as_of).order_by("offer_id")):
        offers[record["offer_id"]] = with_categories(Offer.from_json(record), category)
    return offers


def with_categories(offer: Offer, category: Mapping[str, str]) -> Offer:
    """An offer that names items and no categories, with the categories of its items."""
    if offer.categories or not offer.item_ids:
        return offer
    found = {category[item] for item in offer.item_ids if category.get(item)}
    return replace(offer, categories=tuple(sorted(found)))


def pushes_from(tables: Tables, as_of: datetime) -> list[Push]:
    """The pushes to be sent at ``as_of`` or later, soonest first."""
    planned = tables.pushes.filter(tables.pushes.send_at >= as_of)
    return [
        Push.from_json(record)
        for record in sorted(_records(planned), key=lambda r: (r["send_at"], r["push_id"]))
    ]


def pushes_named(tables: Tables, push_ids: Sequence[str]) -> dict[str, Push]:
    """The pushes of these ids, past ones too, by id; one that is not in the table is left out."""
    named = tables.pushes.filter(tables.pushes.push_id.isin(list(push_ids)))
    return {record["push_id"]: Push.from_json(record) for record in _records(named)}


def categories(tables: Tables, as_of: datetime) -> dict[str, str]:
    """Item id to category, for the items that have one, by their newest version at ``as_of``.

    In order of id, so that the same data give the same file.
    """
    items = newest(tables.items, "item_id", as_of).select("item_id", "category")
    found = items.filter(items.category.notnull()).order_by("item_id").to_pyarrow().to_pylist()
    return {row["item_id"]: row["category"] for row in found}


def _records(table: ir.Table) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = table.drop(*_STORED_ONLY).to_pyarrow().to_pylist()
    return records
