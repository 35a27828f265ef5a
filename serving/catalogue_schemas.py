"""What the catalogue's calls take, column by column of the data contract, and what they give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, WithJsonSchema

from features.contract import MONEY_DIGITS, MONEY_SCALE, Column, contract_table
from features.rows import MAX_TEXT
from serving.catalogue_entry import Kind


def request_schema(kind: Kind, example: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema of a row of the contract's table ``kind``; its key is in the path already."""
    table = contract_table(kind)
    return {
        "title": f"{kind.capitalize()}Row",
        "type": "object",
        "additionalProperties": False,
        "required": [name for name in table.required if name != table.key],
        "properties": {column.name: _column_schema(column) for column in table.columns},
        "examples": [example],
    }


def _column_schema(column: Column) -> dict[str, Any]:
    match column.kind:
        case "enum":
            taken: list[dict[str, Any]] = [{"enum": list(column.choices)}]
        case "time":
            taken = [{"type": "string", "format": "date-time"}]
        case "list":
            texts = {"type": "array", "items": {"type": "string", "maxLength": MAX_TEXT}}
            taken = [texts, {"type": "string", "description": "a|b, as in CSV"}]
        case "money" | "number" | "integer" | "share":
            taken = [_number_schema(column), {"type": "string", "description": "a number as text"}]
        case _:
            taken = [{"type": "string", "maxLength": MAX_TEXT}, {"type": "integer"}]
    return {"anyOf": taken if column.required else [*taken, {"type": "null"}]}


def _number_schema(column: Column) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer" if column.kind == "integer" else "number"}
    if column.minimum is not None:
        schema["minimum"] = column.minimum
    if column.kind == "share":
        schema |= {"minimum": 0, "maximum": 1}
    if column.kind == "money":
        schema["exclusiveMaximum"] = 10 ** (MONEY_DIGITS - MONEY_SCALE)
    return schema


OFFER = {
    "kind": "percent_off",
    "value": 10,
    "categories": ["shoes"],
    "contact_cost": 0.01,
    "valid_to": "2026-12-31T23:59:59+01:00",
    "stock": 5000,
    "eligibility": "points_balance >= 500",
}
PUSH = {
    "channel": "push",
    "send_at": "2026-11-27T09:00:00+01:00",
    "offer_ids": ["ten"],
    "objective": "margin",
    "budget": 1000,
    "holdout": 0.1,
    "exploration": 0.05,
}
OfferGiven = Annotated[dict[str, Any], WithJsonSchema(request_schema("offers", OFFER))]
PushGiven = Annotated[dict[str, Any], WithJsonSchema(request_schema("pushes", PUSH))]


class OfferRow(BaseModel):
    """An offer's columns of the data contract (docs/data.md)."""

    offer_id: str
    kind: str
    value: float | None = None
    min_spend: float | None = None
    categories: list[str] | None = None
    item_ids: list[str] | None = None
    redemption_cost: float | None = None
    contact_cost: float | None = None
    channels: list[str] | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    stock: int | None = None
    eligibility: str | None = None


class PushRow(BaseModel):
    """A push's columns of the data contract (docs/data.md)."""

    push_id: str
    campaign_id: str | None = None
    channel: str
    send_at: datetime
    offer_ids: list[str]
    objective: str | None = None
    attribution_days: float | None = None
    budget: float | None = None
    max_audience: int | None = None
    min_audience: int | None = None
    min_return: float | None = None
    holdout: float | None = None
    exploration: float | None = None
    eligibility: str | None = None


class CatalogueVersion(BaseModel):
    """version: counts from 1. changed_by: id of the API key, null where the scorer asks for none.
    in_release: whether ``release``, the one in use, decides by exactly this version."""

    version: int
    changed_at: datetime
    changed_by: str | None
    in_release: bool
    release: str


class CatalogueOffer(CatalogueVersion):
    offer: OfferRow


class CataloguePush(CatalogueVersion):
    push: PushRow


class OfferPage(BaseModel):
    """Newest versions, by id. ``next``: what to give as ``after``; null after the last page."""

    offers: list[CatalogueOffer]
    next: str | None


class PushPage(BaseModel):
    """Newest versions, by id. ``next``: what to give as ``after``; null after the last page."""

    pushes: list[CataloguePush]
    next: str | None
