"""Contract tables as Parquet files, one file per block of members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute, parquet

from decisions.catalogue import Offer, Push
from features.contract import EVENT_TYPES, TABLES
from features.ingest.schema import checked_schema
from features.rows import parse_row
from training.market.clock import microseconds
from training.market.events import QUERIES, Events
from training.market.members import DEVICES, GENDERS, REGIONS, TIERS, TIMEZONES, Members
from training.market.pushes import Happened, Round
from training.market.world import DESTINATIONS, ITEMS_EACH, World, item_id, trip_kind, trip_name

Columns = Mapping[str, pa.Array]


def write_table(folder: Path, name: str, part: int, columns: Columns) -> tuple[Path, int]:
    """Write one part of the contract table ``name``; columns left out are empty.

    Returns:
        The file and its number of rows.
    """
    schema = checked_schema(TABLES[name])
    rows = len(next(iter(columns.values())))
    arrays = [columns.get(field.name, pa.nulls(rows, field.type)) for field in schema]
    path = folder / name / f"{part:04d}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(arrays, schema=schema), path, compression="zstd")
    return path, rows


def member_ids(first: int, rows: NDArray[np.int64]) -> pa.Array:
    return _numbered("m", first + rows, 7)


def member_columns(world: World, members: Members) -> Columns:
    """``updated_at`` is when the shop's record was made: on joining, or when the history began."""
    everyone = np.arange(len(members))
    consent = [pa.array(c == 1, mask=c < 0) for c in members.consents.T]
    return {
        "member_id": member_ids(members.first, everyone),
        "joined_at": _times(microseconds(members.joined)),
        "birth_year": pa.array(members.birth_year, mask=members.birth_year == 0),
        "gender": _named(members.gender, GENDERS),
        "region": _named(members.region, REGIONS),
        "timezone": _named(members.region, TIMEZONES),
        "tier": _named(members.tier, TIERS),
        "points_balance": pa.array(members.points.astype(np.float64)),
        "points_expire_at": _times(
            microseconds(np.full(len(members), np.ceil(world.end) + 90.0)), members.points == 0
        ),
        "consent_push": consent[0],
        "consent_email": consent[1],
        "consent_sms": consent[2],
        "updated_at": _times(microseconds(np.maximum(members.joined, world.start))),
    }


def event_columns(world: World, first: int, part: int, events: Events) -> Columns:
    rows = np.arange(len(events.at))
    priced, settled = events.unit_cents > 0, events.margin != 0
    items = [item_id(*trip) for trip in np.ndindex(len(DESTINATIONS), ITEMS_EACH)]
    item = np.where(events.item >= 0, events.place * ITEMS_EACH + events.item, -1)
    queries = [f"{place} {word}" for place in DESTINATIONS for word in QUERIES]
    query = np.where(events.query >= 0, events.place * len(QUERIES) + events.query, -1)
    block = f"{part:03d}"
    return {
        "event_id": _numbered(f"e{block}", rows, 7),
        "member_id": member_ids(first, events.member),
        "type": _named(events.type, EVENT_TYPES),
        "occurred_at": _times(events.at),
        "item_id": _named(item, items),
        "category": _named(events.place, DESTINATIONS),
        "query": _named(query, queries),
        "quantity": pa.array(events.quantity.astype(np.float64), mask=~priced),
        "unit_price": _money(events.unit_cents, ~priced),
        "discount": _money(events.discount, events.discount < 0),
        "margin": _money(events.margin, ~settled),
        "order_id": order_ids(part, events.purchase),
        "session_id": _numbered(f"s{block}", events.visit, 7),
        "device": _named(events.device, DEVICES),
    }


def order_ids(part: int, purchases: NDArray[np.int64]) -> pa.Array:
    """Null where it is no purchase, -1."""
    return _numbered(f"o{part:03d}", purchases, 6)


def decision_columns(first: int, rounds: Sequence[Round]) -> Columns:
    parts = [_decisions(first, each) for each in rounds]
    return {name: pa.concat_arrays([part[name] for part in parts]) for name in parts[0]}


def _decisions(first: int, done: Round) -> dict[str, pa.Array]:
    asked = np.flatnonzero(done.choice >= -1)
    choice, sending = done.choice[asked], done.sending
    offer_ids = sending.push.offer_ids
    each = (1 - sending.no_send) / len(offer_ids)
    sent_at = int(microseconds(np.array([sending.day]))[0])
    ends = np.arange(len(asked) + 1, dtype=np.int32) * len(offer_ids)
    return {
        "decision_id": _decision_ids(first, asked, sending.push),
        "push_id": _constant(sending.push.push_id, len(asked)),
        "member_id": member_ids(first, asked),
        "offer_id": _named(choice, offer_ids),
        "probability": pa.array(np.where(choice < 0, sending.no_send, each)),
        "decided_at": _times(np.full(len(asked), sent_at)),
        "candidates": pa.ListArray.from_arrays(
            pa.array(ends), _named(np.tile(np.arange(len(offer_ids)), len(asked)), offer_ids)
        ),
        "arm": _constant("random", len(asked)),
        "policy": _constant("randomised", len(asked)),
    }


def outcome_columns(first: int, part: int, rounds: Sequence[Round]) -> Columns:
    parts = [_outcomes(first, each, happened) for each in rounds for happened in each.outcomes]
    columns = {name: pa.concat_arrays([p[name] for p in parts]) for name in parts[0]}
    rows = np.arange(len(columns["type"]))
    return {"event_id": _numbered(f"r{part:03d}", rows, 7), **columns}


def _outcomes(first: int, done: Round, happened: Happened) -> dict[str, pa.Array]:
    rows, push = len(happened.member), done.sending.push
    return {
        "decision_id": _decision_ids(first, happened.member, push),
        "member_id": member_ids(first, happened.member),
        "push_id": _constant(push.push_id, rows),
        "type": _constant(happened.type, rows),
        "occurred_at": _times(microseconds(happened.day)),
        "value": _maybe_money(happened.value, rows),
        "margin": _maybe_money(happened.margin, rows),
    }


def item_columns(world: World) -> Columns:
    place = np.repeat(np.arange(len(DESTINATIONS)), ITEMS_EACH)
    pairs = [(p, i) for p in range(len(DESTINATIONS)) for i in range(ITEMS_EACH)]
    none = np.zeros(len(pairs), dtype=np.bool_)
    closed = world.closed.items.ravel()
    ended = {"delisted_at": _times(closed_at(world, len(pairs)), ~closed)} if closed.any() else {}
    return {
        **ended,
        "item_id": pa.array([item_id(p, i) for p, i in pairs]),
        "category": _named(place, DESTINATIONS),
        "subcategory": pa.array([trip_kind(i) for _, i in pairs]),
        "title": pa.array([trip_name(p, i) for p, i in pairs]),
        "price": _money(world.items.cents.ravel(), none),
        "margin_rate": pa.array(world.items.margin_rate.ravel()),
    }


def closed_at(world: World, count: int) -> NDArray[np.int64]:
    return microseconds(np.full(count, world.closed.since))


def catalogue_columns(name: str, records: Sequence[Offer] | Sequence[Push]) -> Columns:
    """Offers or pushes as columns of the contract table ``name``; what it does not hold is left."""
    table, schema = TABLES[name], checked_schema(TABLES[name])
    rows = []
    for record in records:
        content = {column: getattr(record, column) for column in table.names}
        listed = {k: list(v) if isinstance(v, tuple) else v for k, v in content.items()}
        rows.append(parse_row(table, {k: v for k, v in listed.items() if v not in ([], "")}))
    return {field.name: pa.array([row[field.name] for row in rows], field.type) for field in schema}


def _decision_ids(first: int, rows: NDArray[np.int64], push: Push) -> pa.Array:
    return compute.binary_join_element_wise(
        pa.scalar(push.push_id), member_ids(first, rows), pa.scalar("/")
    )


def _numbered(prefix: str, numbers: NDArray[np.int64], width: int) -> pa.Array:
    """``prefix`` and the zero-padded number; null where it is below 0."""
    digits = compute.cast(pa.array(numbers, mask=numbers < 0), pa.string())
    padded = compute.utf8_lpad(digits, width=width, padding="0")
    return compute.binary_join_element_wise(pa.scalar(prefix), padded, pa.scalar(""))


def _named(codes: NDArray[np.int64], names: Sequence[str]) -> pa.Array:
    """Name of each code; null where it is below 0."""
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.array(list(names), pa.string()).take(indices)


def _times(at: NDArray[np.int64], mask: NDArray[np.bool_] | None = None) -> pa.Array:
    return pa.array(at, mask=mask).cast(pa.timestamp("us", tz="UTC"))


def _money(cents: NDArray[np.int64], mask: NDArray[np.bool_]) -> pa.Array:
    """Cents as the contract's decimals. A decimal is a little-endian integer of 16 bytes."""
    words = np.empty((len(cents), 2), dtype=np.int64)
    words[:, 0] = cents * 100
    words[:, 1] = words[:, 0] >> 63
    valid = pa.array(~mask).buffers()[1]
    return pa.Array.from_buffers(pa.decimal128(18, 4), len(cents), [valid, pa.py_buffer(words)])


def _maybe_money(cents: NDArray[np.int64] | None, rows: int) -> pa.Array:
    if cents is None:
        return pa.nulls(rows, pa.decimal128(18, 4))
    return _money(cents, np.zeros(rows, dtype=np.bool_))


def _constant(value: str, rows: int) -> Any:
    return pa.repeat(pa.scalar(value), rows)
