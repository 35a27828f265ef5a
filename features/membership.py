"""Who is a member at a moment, and what the programme knows about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import ibis
import ibis.expr.types as ir

from features.contract import Kind
from features.moments import STAMP, days_since, seconds, seen_at
from features.rolled import day_of


def first_known(members: ir.Table, events: ir.Table, decisions: ir.Table) -> ir.Table:
    """The moment from which each member exists: in ``members``, an event or a decision.

    Returns:
        One row per member: ``member_id``, ``since`` (null = always known).
    """
    long_ago = ibis.literal(datetime.fromisoformat("0001-01-01T00:00:00+00:00"))
    enrolled = members.select("member_id", since=members.known_at.fill_null(long_ago).cast(STAMP))
    active = events.select("member_id", since=seen_at(events))
    decided = decisions.select("member_id", since=seen_at(decisions, "decided_at"))
    parts = [
        part.group_by("member_id").agg(since=part.since.min())
        for part in (enrolled, active, decided)
    ]
    everyone = ibis.union(*parts)
    return everyone.group_by("member_id").agg(since=everyone.since.min())


def roster(members: ir.Table, people: ir.Table, decisions: ir.Table, as_of: datetime) -> ir.Table:
    """The members who exist before ``as_of``: one row each, ``member_id`` only.

    Args:
        people: of ``rolled.people``, with the days of ``as_of``.
    """
    moment = ibis.literal(as_of)
    parts = (
        members.filter(members.known_at.isnull() | (members.known_at < moment)),
        people.filter(people.known_day < day_of(as_of)),
        decisions.filter(seen_at(decisions, "decided_at") < moment),
    )
    return ibis.union(*(part.select("member_id") for part in parts), distinct=True)


def membership(
    roster: ir.Table, version: ir.Table, attributes: Mapping[str, Kind], as_of: datetime
) -> ir.Table:
    """What the newest version of each member known at ``as_of`` says.

    Args:
        version: that newest version.
        attributes: the workspace's declared member attributes, name to kind.

    Returns:
        One row per member of ``roster``; all but the id missing for one without a row.
        tenure_days: days since joining; missing when unknown or still to come.
        tier, gender, region, timezone: categories, as given.
        points_balance: points.
        points_expire_days: days until points expire; below 0 = they have expired.
        age: year of ``as_of`` − year of birth, years.
        consent_push, consent_email, consent_sms: 1 yes, 0 no, missing = never said.
        Declared attributes under their own names: numbers as they are, flags 1 or 0, categories as
        text, times as days since then (below 0 = still to come). Free text is no feature.
    """
    joined = roster.left_join(version, "member_id")
    tenure = days_since(seconds(joined.joined_at), as_of)
    return joined.select(
        "member_id",
        tenure_days=(tenure >= 0).ifelse(tenure, None),
        tier=joined.tier,
        points_balance=joined.points_balance,
        points_expire_days=-days_since(seconds(joined.points_expire_at), as_of),
        age=(ibis.literal(as_of.year) - joined.birth_year).cast("float64"),
        gender=joined.gender,
        region=joined.region,
        timezone=joined.timezone,
        **{name: joined[name].cast("int64").cast("float64") for name in _CONSENTS},
        **{
            name: _attribute(joined[name], kind, as_of)
            for name, kind in attributes.items()
            if kind != "text"
        },
    )


_CONSENTS = ("consent_push", "consent_email", "consent_sms")


def _attribute(column: ir.Column, kind: Kind, as_of: datetime) -> ir.Value:
    match kind:
        case "time":
            return days_since(seconds(column), as_of)
        case "flag":
            return column.cast("int64").cast("float64")
        case "category":
            return column
        case _:
            return column.cast("float64")
