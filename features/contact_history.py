"""Single contacts of the last weeks, for frequency caps."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import ibis

from features.contacts import attributed_outcomes, reached, sent_decisions
from features.tables import Tables

if TYPE_CHECKING:
    import ibis.expr.types as ir


def recent_contacts(tables: Tables, as_of: datetime, window: timedelta) -> ir.Table:
    """The contacts of the ``window`` before ``as_of``, as known then.

    Returns:
        One row per contact (see ``features.contacts.reached``), ordered by member and time:
        ``member_id``, ``at`` (seconds since 1970, UTC), ``offer_id``, ``channel``, ``push_id``,
        ``campaign_id``; the last is empty where the push names none, both of the middle where the
        push is not known.
    """
    outcomes = attributed_outcomes(tables.outcomes, tables.decisions)
    sent = reached(sent_decisions(tables.decisions), outcomes, as_of)
    lately = sent.filter(sent.decided_at >= ibis.literal(as_of - window))
    pushes = tables.pushes.select(of_push="push_id", channel="channel", campaign_id="campaign_id")
    joined = lately.left_join(pushes, lately.push_id == pushes.of_push)
    return joined.select(
        "member_id",
        at=joined.decided_at.epoch_seconds().cast("int64"),
        offer_id="offer_id",
        channel=joined.channel.fill_null(""),
        push_id="push_id",
        campaign_id=joined.campaign_id.fill_null(""),
    ).order_by("member_id", "at", "push_id")
