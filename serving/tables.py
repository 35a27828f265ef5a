"""The tables of the scorer's log."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, LargeBinary, MetaData, Table, text

from serving.columns import NUMBER, TEXT

metadata = MetaData()


def _in_experiments(name: str, *columns: str) -> Index:
    """An index of the decisions made inside experiments; the others cost it nothing."""
    inside = text("experiment IS NOT NULL")
    return Index(name, *columns, sqlite_where=inside, postgresql_where=inside)


# A change here goes into the newest revision under serving/migrations too, where a test compares.
# ``seq`` counts up in the order of commits and is never used twice: exports remember how far they
# came by it. Moments are ISO 8601 in UTC.
decisions = Table(
    "decisions",
    metadata,
    Column("seq", NUMBER, primary_key=True),
    Column("decision_id", TEXT, nullable=False, unique=True),
    Column("push_id", TEXT, nullable=False),
    Column("channel", TEXT, nullable=False),  # of the push, which later releases may not know
    Column("member_id", TEXT, nullable=False),
    Column("offer_id", TEXT),
    Column("probability", Float, nullable=False),
    Column("decided_at", TEXT, nullable=False),
    Column("candidates", TEXT, nullable=False),  # JSON list
    Column("arm", TEXT, nullable=False),
    Column("policy", TEXT, nullable=False),
    Column("release", TEXT, nullable=False),
    Column("context", TEXT),  # JSON object, as the caller gave it
    Column("answer", TEXT, nullable=False),  # JSON, serving.schemas.Decision
    Column("terms", TEXT),  # JSON: prices, left, planned; null where an older scorer decided
    Column("inputs", TEXT),  # JSON: what a replay needs; null where an older scorer decided
    Column("experiment", TEXT),  # whose ``arm`` it is; null outside experiments
    Index("one_answer", "push_id", "member_id", unique=True),
    Index("of_member", "member_id"),
    _in_experiments("of_experiment", "experiment", "member_id"),
    sqlite_autoincrement=True,
)


def _rows(name: str) -> Table:
    """One contract row each. ``digest``: sha256 of ``row``, which is canonical JSON.

    ``member_id``: whom it is about; null of an outcome that names only a decision of another log.
    """
    return Table(
        name,
        metadata,
        Column("seq", NUMBER, primary_key=True),
        Column("event_id", TEXT, nullable=False, unique=True),
        Column("digest", TEXT, nullable=False),
        Column("row", TEXT, nullable=False),
        Column("received_at", TEXT, nullable=False),
        Column("member_id", TEXT),
        Index(f"{name}_of_member", "member_id"),
        sqlite_autoincrement=True,
    )


events = _rows("events")
outcomes = _rows("outcomes")

# What a sample of the decisions knew of their members; see serving.vectors.LoggedVector.
vectors = Table(
    "vectors",
    metadata,
    Column("seq", NUMBER, primary_key=True),
    Column("decision_id", TEXT, nullable=False),
    Column("member_id", TEXT, nullable=False),
    Column("release", TEXT, nullable=False),
    Column("as_of", TEXT, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

# What a push has used of each of its limits; see serving.ledger. Money is in millionths.
limits_used = Table(
    "limits_used",
    metadata,
    Column("push_id", TEXT, primary_key=True),
    Column("name", TEXT, primary_key=True),
    Column("reserved", NUMBER, nullable=False),
    Column("spent", NUMBER, nullable=False),
    Column("planned", NUMBER, nullable=False),
    Column("most", NUMBER),  # of the release that reserved last; null for no limit
)
reservations = Table(
    "reservations",
    metadata,
    Column("decision_id", TEXT, primary_key=True),
    Column("push_id", TEXT, nullable=False),
    Column("takes", TEXT, nullable=False),  # JSON: amounts by the name of the limit
    Column("state", TEXT, nullable=False),  # serving.ledger.State
    Column("expires_at", TEXT, nullable=False),
    Index("what_expires", "push_id", "state", "expires_at"),
)

# Whole audiences that were asked for; see serving.audiences.
audiences = Table(
    "audiences",
    metadata,
    Column("seq", NUMBER, primary_key=True),
    Column("audience_id", TEXT, nullable=False, unique=True),
    Column("digest", TEXT, nullable=False),  # of the release and of what was asked
    Column("release", TEXT, nullable=False),
    Column("asked", TEXT, nullable=False),  # JSON, serving.audiences.Wanted
    Column("state", TEXT, nullable=False),  # serving.audiences.State
    Column("stage", TEXT, nullable=False),
    Column("done", NUMBER, nullable=False),
    Column("total", NUMBER, nullable=False),
    Column("starts", NUMBER, nullable=False),  # of workers that did not finish it
    Column("worker", TEXT),  # who has it
    Column("lease_until", TEXT),  # when it is anybody's again
    Column("failure", TEXT),  # JSON: detail, conflicts
    Column("summary", TEXT),  # JSON, serving.audience_summary.Summary
    Column("created_at", TEXT, nullable=False),
    Column("updated_at", TEXT, nullable=False),
    Index("audiences_by_state", "state", "seq"),
    Index("audiences_by_digest", "digest"),
    sqlite_autoincrement=True,
)

# Evaluations of policies that were asked for; see serving.evaluations.
evaluations = Table(
    "evaluations",
    metadata,
    Column("seq", NUMBER, primary_key=True),
    Column("evaluation_id", TEXT, nullable=False, unique=True),
    Column("digest", TEXT, nullable=False),  # of what was asked
    Column("asked", TEXT, nullable=False),  # JSON, serving.evaluation_schemas.EvaluationAsked
    Column("state", TEXT, nullable=False),  # serving.evaluation_schemas.EvaluationState
    Column("starts", NUMBER, nullable=False),
    Column("failure", TEXT),
    Column("report", TEXT),  # JSON, training.evaluation.off_policy.OffPolicyReport
    Column("created_at", TEXT, nullable=False),
    Column("updated_at", TEXT, nullable=False),
    Index("evaluations_by_state", "state", "seq"),
    sqlite_autoincrement=True,
)

# Every version of the offers and pushes that callers put; see serving.catalogue.
catalogue = Table(
    "catalogue",
    metadata,
    Column("seq", NUMBER, primary_key=True),
    Column("kind", TEXT, nullable=False),  # the contract's table: offers or pushes
    Column("entry_id", TEXT, nullable=False),
    Column("version", NUMBER, nullable=False),
    Column("digest", TEXT, nullable=False),  # sha256 of ``row``, which is canonical JSON
    Column("row", TEXT, nullable=False),
    Column("send_at", TEXT),  # of a push: from then on it is history
    Column("changed_at", TEXT, nullable=False),
    Column("changed_by", TEXT),  # id of the API key
    Column("exported", Boolean, nullable=False),  # the workspace's tables have it
    Index("one_version", "kind", "entry_id", "version", unique=True),
    sqlite_autoincrement=True,
)

# What is compared, and how far it is; see serving.experiments.
experiments = Table(
    "experiments",
    metadata,
    Column("experiment_id", TEXT, primary_key=True),
    Column("version", NUMBER, nullable=False),  # counts its changes
    Column("state", TEXT, nullable=False),  # serving.experiments.State
    Column("definition", TEXT, nullable=False),  # JSON, experiments.declaration
    Column("slots", TEXT, nullable=False),  # JSON: [first, after the last] buckets of its layer
    Column("allocations", TEXT, nullable=False),  # JSON: since when which buckets are whose
    Column("looks", TEXT, nullable=False),  # JSON: moments of the planned looks
    Column("created_at", TEXT, nullable=False),
    Column("started_at", TEXT),
    Column("stopped_at", TEXT),
    Column("decided_at", TEXT),
    Column("decision", TEXT),  # JSON, serving.experiments.Decided
    Index("experiments_by_state", "state"),
)
# Who changed what of an experiment, in the order of the changes.
experiment_audit = Table(
    "experiment_audit",
    metadata,
    Column("seq", NUMBER, primary_key=True),
    Column("experiment_id", TEXT, nullable=False),
    Column("version", NUMBER, nullable=False),  # that the change made
    Column("at", TEXT, nullable=False),
    Column("by", TEXT),  # id of the API key, or who was at the command line
    Column("action", TEXT, nullable=False),
    Column("changed", TEXT, nullable=False),  # JSON: before and after of each field that changed
    Column("why", TEXT, nullable=False),
    Index("audit_of_experiment", "experiment_id", "seq"),
    sqlite_autoincrement=True,
)
# What arms would have decided that did not answer; see shadow experiments in docs/assignment.md.
shadows = Table(
    "shadows",
    metadata,
    Column("seq", NUMBER, primary_key=True),
    Column("decision_id", TEXT, nullable=False),  # of the decision that was answered
    Column("experiment_id", TEXT, nullable=False),
    Column("member_id", TEXT, nullable=False),
    Column("arm", TEXT, nullable=False),
    Column("release", TEXT, nullable=False),
    Column("offer_id", TEXT),
    Column("probability", Float, nullable=False),
    Column("expected_gain", Float),
    Column("answer", TEXT, nullable=False),  # JSON, serving.schemas.Decision
    Index("shadows_of_experiment", "experiment_id", "seq"),
    Index("shadows_of_member", "member_id"),
    sqlite_autoincrement=True,
)

# Who may look at the dashboard, who is looking, and what they changed.
users = Table(
    "users",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("role", TEXT, nullable=False),  # dashboard.web.users.ROLES
    Column("password", TEXT, nullable=False),  # salted and slow to guess: dashboard.web.passwords
    Column("created_at", TEXT, nullable=False),
    Column("disabled_at", TEXT),
)
sessions = Table(
    "sessions",
    metadata,
    Column("token_sha256", TEXT, primary_key=True),
    Column("user_name", TEXT, nullable=False),
    Column("created_at", TEXT, nullable=False),
    Column("seen_at", TEXT, nullable=False),
    Index("sessions_of_user", "user_name"),
)
changes = Table(
    "changes",
    metadata,
    Column("seq", NUMBER, primary_key=True),
    Column("at", TEXT, nullable=False),
    Column("user_name", TEXT, nullable=False),
    Column("role", TEXT, nullable=False),
    Column("action", TEXT, nullable=False),  # route of the page, never with a member's id
    Column("subject", TEXT, nullable=False),  # id of the push, experiment, release; empty for none
    Column("status", NUMBER, nullable=False),  # of the answer: under 400 where it was carried out
    sqlite_autoincrement=True,
)

# Members who must not be contacted, from the moment they said so.
suppressions = Table(
    "suppressions",
    metadata,
    Column("member_id", TEXT, primary_key=True),
    Column("since", TEXT, nullable=False),
    Column("event_id", TEXT, nullable=False),
)
api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", TEXT, primary_key=True),
    Column("environment", TEXT, nullable=False),
    Column("secret_sha256", TEXT, nullable=False),
    Column("scopes", TEXT, nullable=False),  # separated by spaces
    Column("label", TEXT, nullable=False),
    Column("created_at", TEXT, nullable=False),
    Column("expires_at", TEXT),
    Column("revoked_at", TEXT),
    Column("lineage", TEXT),  # id of the first key of its line; null: it is that key
    Column("rate", Float),  # calls a second; null: any number
    Column("burst", NUMBER),
)

# Who asked to be forgotten, told apart only by who holds the key: see features.tombstones.
tombstones = Table(
    "tombstones",
    metadata,
    Column("mark", TEXT, primary_key=True),
    Column("since", TEXT, nullable=False),
    Index("tombstones_by_age", "since"),
)
erasures = Table(
    "erasures",
    metadata,
    Column("erasure_id", TEXT, primary_key=True),
    Column("state", TEXT, nullable=False),  # serving.erasures.State
    Column("members", NUMBER, nullable=False),  # how many
    Column("asked_at", TEXT, nullable=False),
    Column("updated_at", TEXT, nullable=False),
    Column("removed", TEXT),  # JSON: what was removed where
)
# Whom an erasure under way is about; its rows go when it is done.
erasing = Table(
    "erasing",
    metadata,
    Column("erasure_id", TEXT, primary_key=True),
    Column("member_id", TEXT, primary_key=True),
)
exports = Table(
    "exports",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("seq", NUMBER, nullable=False),
)

# Releases that decided here, oldest first by ``seen_at``.
releases_seen = Table(
    "releases_seen",
    metadata,
    Column("release", TEXT, primary_key=True),
    Column("versions", TEXT, nullable=False),  # JSON, serving.schemas.Versions
    Column("seen_at", TEXT, nullable=False),
)

# Answers to calls that carried an Idempotency-Key.
idempotency = Table(
    "idempotency",
    metadata,
    Column("api_key_id", TEXT, primary_key=True),
    Column("key", TEXT, primary_key=True),  # sha256 of the caller's
    Column("route", TEXT, nullable=False),
    Column("digest", TEXT, nullable=False),  # HMAC of the body
    Column("answer", TEXT),  # null: the call has not ended
    Column("created_at", TEXT, nullable=False),
    Index("idempotency_by_age", "created_at"),
)
