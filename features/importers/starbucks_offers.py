"""Starbucks Rewards offers: 17,000 members, ten offers, six waves in 30 days.

The data are simulated by their publisher. In each wave every member got one of the ten offers with
probability 0.075 each, or none with probability 0.25, at random: so every member has a decision in
every wave, and its probability is the true one.

Hours count from the start of the test. The data do not date it; it is set to ``ORIGIN``, the day
after the last member joined.

A completed offer is a redemption and a conversion at the hour of completion; its ``value`` is the
offer's least spend (``difficulty``), the smallest purchase that completes it: the purchase itself
is not in the data. The reward is given after the purchase and no purchase's margin shows it, so it
is the offer's ``redemption_cost`` beside its ``value``. Informational offers cannot be completed.

The totals of the 30 days in ``members.parquet`` (spend, transactions, rewards, offers received) are
outcomes of what is to be decided. They are not taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from features.contract import Column, Table
from features.importers.run import LINE, Import, ImportReport, importing, public
from features.ingest.chunk import CHUNK_ROWS, Rejected
from features.progress import Progress, silent
from features.workspace import Workspace

NAME = "starbucks-offers"
ORIGIN = datetime(2018, 7, 27, tzinfo=UTC)
SENT = 0.075
NOT_SENT = 0.25
ATTRIBUTION_DAYS = 10  # the longest time that an offer may take to complete
UNKNOWN_AGE = 118
TOTALS = ("transaction_amount", "transaction_cnt", "total_reward_amount", "num_offer_received")

MEMBERS = Table(
    "members.parquet",
    "id",
    (
        Column("id", "id", required=True),
        Column("gender", "category"),
        Column("age", "integer", required=True),
        Column("became_member_on", "integer", required=True),
        Column("income", "number"),
        *(Column(name, "number") for name in TOTALS),
    ),
)
RECEIVED = Table(
    "offers_received.parquet",
    "customer_id",
    (
        Column("customer_id", "id", required=True),
        Column("offer_received_time", "integer", required=True, minimum=0),
        Column("offer_id", "id", required=True),
        Column("offer_type_v2", "text"),
        Column("reward", "number"),
        Column("difficulty", "number"),
        Column("duration", "number"),
        Column("offer_completed", "number", required=True),
        Column("offer_completed_time", "number"),
    ),
)
PORTFOLIO = Table(
    "portfolio.json",
    "id",
    (
        Column("id", "id", required=True),
        Column("offer_type", "enum", required=True, choices=("bogo", "discount", "informational")),
        Column("reward", "money", required=True, minimum=0),
        Column("difficulty", "money", required=True, minimum=0),
        Column("duration", "number", required=True, minimum=0),
        Column("channels", "list", required=True),
    ),
)
_OFFERS = """
SELECT offer AS offer_id, if(kind = 'informational', 'content', 'amount_off') AS kind,
    reward AS value, least_spend AS min_spend, reward AS redemption_cost, channels, line AS "{line}"
FROM offers ORDER BY line
"""
_MEMBERS = """
SELECT member AS member_id, timezone('UTC', joined) AS joined_at,
    if(age = {unknown_age}, NULL, {year} - age) AS birth_year, gender, income, line AS "{line}"
FROM members WHERE joined IS NOT NULL ORDER BY line
"""
# A row of offers_received fits if its member and offer are known, the member got nothing else in
# that wave, and a completion lies within the offer's time.
_JUDGED = """
CREATE TABLE judged AS SELECT received.*, least_spend,
    'wave-' || lpad(hours::VARCHAR, 3, '0') AS push, push || ':' || member AS decision,
    CASE
        WHEN member NOT IN (SELECT member FROM members WHERE joined IS NOT NULL)
            THEN 'unknown_member'
        WHEN least_spend IS NULL THEN 'unknown_offer'
        WHEN row_number() OVER (PARTITION BY member, hours ORDER BY received.line) > 1
            THEN 'second_offer'
        WHEN hours > 24 * 3650 THEN 'bad_time'
        WHEN completed AND (
            kind = 'informational' OR NOT coalesce(done BETWEEN hours AND hours + days * 24, false)
        ) THEN 'bad_completion'
    END AS reason
FROM received LEFT JOIN offers USING (offer)
"""
_MESSAGES = {
    "unknown_member": "the member is not in members.parquet",
    "unknown_offer": "the offer is not in portfolio.json",
    "bad_time": "offer_received_time is more than ten years after the start, in hours",
    "second_offer": "the member got another offer in the same wave",
    "bad_completion": "the completion is not within the offer's duration",
}
_REJECTED = """
SELECT line, reason, json_object('customer_id', member, 'offer_received_time', hours,
    'offer_id', offer, 'offer_completed', completed, 'offer_completed_time', done) AS text
FROM judged WHERE reason IS NOT NULL ORDER BY line
"""
_WAVES = """
CREATE TABLE waves AS SELECT push, any_value(hours) AS hours,
    ?::TIMESTAMPTZ + to_hours(any_value(hours)) AS send_at,
    (SELECT list(offer ORDER BY line) FROM offers) AS candidates
FROM judged WHERE reason IS NULL GROUP BY push
"""
_PUSHES = """
SELECT push AS push_id, 'starbucks-offers' AS campaign_id, 'email' AS channel, send_at,
    candidates AS offer_ids, 'conversions' AS objective, {days}::DOUBLE AS attribution_days,
    {not_sent}::DOUBLE AS holdout, 1.0::DOUBLE AS exploration
FROM waves ORDER BY hours
"""
_SENT = """
SELECT decision AS decision_id, push AS push_id, member AS member_id, offer AS offer_id,
    {sent}::DOUBLE AS probability, send_at AS decided_at, candidates, 'random' AS policy,
    line AS "{line}"
FROM judged JOIN waves USING (push) WHERE reason IS NULL ORDER BY line
"""
_UNSENT = """
SELECT push || ':' || member AS decision_id, push AS push_id, member AS member_id,
    {not_sent}::DOUBLE AS probability, send_at AS decided_at, candidates, 'random' AS policy
FROM waves CROSS JOIN members WHERE joined IS NOT NULL
    AND NOT EXISTS (FROM judged WHERE judged.push = waves.push AND judged.member = members.member)
ORDER BY waves.hours, members.line
"""
_OUTCOMES = """
SELECT decision || ':' || type AS event_id, decision AS decision_id, member AS member_id,
    push AS push_id, type, ?::TIMESTAMPTZ + to_hours(done) AS occurred_at,
    if(type = 'converted', least_spend, NULL) AS value
FROM judged CROSS JOIN (VALUES ('redeemed'), ('converted')) AS types (type)
WHERE reason IS NULL AND completed ORDER BY line, type
"""
_CONSTANTS = {
    "line": LINE,
    "unknown_age": UNKNOWN_AGE,
    "year": ORIGIN.year,
    "sent": SENT,
    "not_sent": NOT_SENT,
    "days": ATTRIBUTION_DAYS,
}


def import_starbucks_offers(
    workspace: Workspace, folder: Path, progress: Progress = silent
) -> ImportReport:
    """Take the folder's three files as members, offers, pushes, decisions and outcomes.

    ``income`` becomes a declared attribute of members, and a missing consent counts as consent: the
    workspace remembers both. The waves went out over several channels at once; as a push has one,
    it is e-mail, the only one that carried all ten offers.

    A row of ``offers_received`` whose member or offer is unknown, that gives a member a second
    offer in one wave, or whose completion is too late, is quarantined; its member has no decision
    in that wave, sent or not.

    Raises:
        ContractError: one of the files is missing, unreadable, or has other columns; then nothing
            was taken.
    """
    opened = public(workspace, {"income": "number"})
    with importing(opened, NAME, progress) as run:
        offers = _read(run, folder, PORTFOLIO, "offers", _RAW_OFFERS)
        members = _read(run, folder, MEMBERS, "members", _RAW_MEMBERS)
        received = _read(run, folder, RECEIVED, "received", _RAW_RECEIVED)
        run.duckdb.execute(_JUDGED)
        run.duckdb.execute(_WAVES, [ORIGIN])
        _quarantine(run, members, received)
        run.take_source(offers, "offers", _rows(run, _OFFERS))
        run.take_source(members, "members", _rows(run, _MEMBERS))
        run.take_derived("pushes", _rows(run, _PUSHES))
        run.take_source(received, "decisions", _rows(run, _SENT))
        run.take_derived("decisions", _rows(run, _UNSENT))
        run.take_derived("outcomes", _rows(run, _OUTCOMES, [ORIGIN]))
        return run.finish()


_RAW_OFFERS = """
SELECT line, id AS offer, offer_type AS kind, reward, difficulty AS least_spend, duration AS days,
    list_transform(channels, lambda channel: if(channel = 'mobile', 'push', channel)) AS channels
FROM rows
"""
_RAW_MEMBERS = """
SELECT line, id AS member, gender, age, income,
    try_strptime(became_member_on::VARCHAR, '%Y%m%d') AS joined
FROM rows
"""
_RAW_RECEIVED = """
SELECT line, customer_id AS member, offer_received_time AS hours, offer_id AS offer,
    offer_completed = 1 AS completed, try_cast(offer_completed_time AS BIGINT) AS done
FROM rows
"""


def _read(run: Import, folder: Path, shape: Table, name: str, select: str) -> int:
    """A file of the folder into the table ``name``; the number of the source."""
    number = run.begin(folder / shape.name)
    parts = [
        checked.rows.append_column("line", pa.array(checked.lines))
        for checked in run.read(number, [shape])
    ]
    run.duckdb.register("rows", pa.concat_tables(parts))
    run.duckdb.execute(f"CREATE TABLE {name} AS {select}")
    run.duckdb.unregister("rows")
    return number


def _rows(run: Import, statement: str, values: Sequence[object] = ()) -> pa.RecordBatchReader:
    return run.duckdb.execute(statement.format(**_CONSTANTS), list(values)).to_arrow_reader(
        CHUNK_ROWS
    )


def _quarantine(run: Import, members: int, received: int) -> None:
    undated = run.duckdb.execute(
        "SELECT line, json_object('id', member) AS text FROM members WHERE joined IS NULL"
    ).fetchall()
    message = "became_member_on is not a day, such as 20170212"
    run.reject(
        members,
        (Rejected(line, "bad_time", "became_member_on", message, text) for line, text in undated),
    )
    rejected = run.duckdb.execute(_REJECTED).fetchall()
    run.reject(
        received,
        (Rejected(line, reason, "", _MESSAGES[reason], text) for line, reason, text in rejected),
    )
