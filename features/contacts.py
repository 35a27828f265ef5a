"""Contact features: how often a member was reached, and what they did with it."""

from __future__ import annotations

from datetime import datetime

import ibis
import ibis.expr.types as ir

from features.moments import days_since, known, only, seconds, seen_at, within

REACTIONS = ("opened", "clicked", "redeemed", "converted")


def sent_decisions(decisions: ir.Table) -> ir.Table:
    """The decisions that chose an offer, each a contact; as of no moment yet."""
    sent = decisions.filter(decisions.offer_id.notnull())
    return sent.select(
        "decision_id",
        "member_id",
        "push_id",
        "offer_id",
        "decided_at",
        seen_at=seen_at(sent, "decided_at"),
    )


def attributed_outcomes(outcomes: ir.Table, decisions: ir.Table) -> ir.Table:
    """One row per outcome and decision that it speaks of; as of no moment yet.

    An outcome names its decision, else member and push: then it speaks of every decision of that
    member in that push. An unsubscription that names its member counts without any decision too:
    a push that was decided elsewhere must not hide it. Nothing is heard of a decision before the
    decision itself is known.
    """
    named = outcomes.filter(outcomes.decision_id.notnull())
    of = decisions.select(
        of_decision="decision_id",
        of_member="member_id",
        of_push="push_id",
        of_seen_at=seen_at(decisions, "decided_at"),
    )
    by_id = named.join(of, named.decision_id == of.of_decision)
    loose = outcomes.filter(outcomes.decision_id.isnull())
    by_pair = loose.join(of, (loose.member_id == of.of_member) & (loose.push_id == of.of_push))
    gone = outcomes.filter(outcomes.member_id.notnull() & (outcomes["type"] == "unsubscribed"))
    gone = gone.mutate(
        of_decision=ibis.null("string"), of_member=gone.member_id, of_seen_at=seen_at(gone)
    )
    return ibis.union(
        *(
            part.select(
                decision_id=part.of_decision,
                member_id=part.of_member,
                outcome=part["type"],
                seen_at=ibis.greatest(seen_at(part), part.of_seen_at),
            )
            for part in (by_id, by_pair, gone)
        )
    )


def reached(sent: ir.Table, outcomes: ir.Table, as_of: datetime) -> ir.Table:
    """The contacts of life known at ``as_of``, each with what is known to have become of it.

    Args:
        sent: of ``sent_decisions``.
        outcomes: of ``attributed_outcomes``.

    Returns:
        One row per decision of ``sent`` of which no outcome ``failed`` is known: its columns, and
        whether an outcome of that type is known, never null: ``opened``, ``clicked``,
        ``redeemed``, ``converted``.
    """
    heard = known(outcomes, as_of)
    reaction = heard.group_by("decision_id").agg(
        **{name: (heard.outcome == name).any() for name in ("failed", *REACTIONS)}
    )
    told = known(sent, as_of).left_join(reaction, "decision_id").drop("decision_id_right")
    told = told.filter(~told.failed.fill_null(False)).drop("failed")
    return told.mutate(**{name: told[name].fill_null(False) for name in REACTIONS})


def contacts(roster: ir.Table, sent: ir.Table, outcomes: ir.Table, as_of: datetime) -> ir.Table:
    """How often each member of ``roster`` was contacted, as known at ``as_of``.

    A contact is a decision that chose an offer, at its ``decided_at``, unless an outcome ``failed``
    of it is known. A contact is ignored while no outcome opened, clicked, redeemed or converted of
    it is known.

    Args:
        sent: of ``sent_decisions``.
        outcomes: of ``attributed_outcomes``.

    Returns:
        One row per member.
        contacts_1d, contacts_7d, contacts_30d: contacts in the window; 0 = none.
        opens_30d, clicks_30d: contacts of the last 30 days known to be opened (clicked).
        ignored_in_row: contacts since the last one that was not ignored, life.
        last_contact_days: days since the last contact; missing = never contacted.
        unsubscribed: 1 where an outcome ``unsubscribed`` is known, else 0.
    """
    contacted = reached(sent, outcomes, as_of)
    answered = contacted.opened | contacted.clicked | contacted.redeemed | contacted.converted
    last_answer = only(contacted.decided_at, answered).max().over(group_by=contacted.member_id)
    contacted = contacted.mutate(last_answer=last_answer)
    month = within(contacted.decided_at, as_of, 30)
    counts = contacted.group_by("member_id").agg(
        contacts_1d=within(contacted.decided_at, as_of, 1).sum(),
        contacts_7d=within(contacted.decided_at, as_of, 7).sum(),
        contacts_30d=month.sum(),
        opens_30d=(month & contacted.opened).sum(),
        clicks_30d=(month & contacted.clicked).sum(),
        ignored_in_row=(
            contacted.last_answer.isnull() | (contacted.decided_at > contacted.last_answer)
        ).sum(),
        last_contact=contacted.decided_at.max(),
    )
    heard = known(outcomes, as_of)
    gone = heard.group_by(gone_id=heard.member_id).agg(gone=(heard.outcome == "unsubscribed").any())
    joined = roster.left_join(counts, "member_id").drop("member_id_right")
    joined = joined.left_join(gone, joined.member_id == gone.gone_id)
    return joined.select(
        "member_id",
        **{name: joined[name].fill_null(0).cast("float64") for name in COUNTS},
        last_contact_days=days_since(seconds(joined.last_contact), as_of),
        unsubscribed=joined.gone.fill_null(False).cast("int64").cast("float64"),
    )


COUNTS = (
    "contacts_1d", "contacts_7d", "contacts_30d", "opens_30d", "clicks_30d", "ignored_in_row",
)  # fmt: skip
