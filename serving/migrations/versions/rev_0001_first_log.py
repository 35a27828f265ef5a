"""Format 1: decisions, what was fed back, who must not be contacted, keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from serving.columns import NUMBER, TEXT

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "decisions",
        sa.Column("seq", NUMBER, primary_key=True),
        sa.Column("decision_id", TEXT, nullable=False, unique=True),
        sa.Column("push_id", TEXT, nullable=False),
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("member_id", TEXT, nullable=False),
        sa.Column("offer_id", TEXT),
        sa.Column("probability", sa.Float, nullable=False),
        sa.Column("decided_at", TEXT, nullable=False),
        sa.Column("candidates", TEXT, nullable=False),
        sa.Column("arm", TEXT, nullable=False),
        sa.Column("policy", TEXT, nullable=False),
        sa.Column("release", TEXT, nullable=False),
        sa.Column("context", TEXT),
        sa.Column("answer", TEXT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("one_answer", "decisions", ["push_id", "member_id"], unique=True)
    for name in ("events", "outcomes"):
        op.create_table(
            name,
            sa.Column("seq", NUMBER, primary_key=True),
            sa.Column("event_id", TEXT, nullable=False, unique=True),
            sa.Column("digest", TEXT, nullable=False),
            sa.Column("row", TEXT, nullable=False),
            sa.Column("received_at", TEXT, nullable=False),
            sqlite_autoincrement=True,
        )
    _small_tables()


def _small_tables() -> None:
    op.create_table(
        "suppressions",
        sa.Column("member_id", TEXT, primary_key=True),
        sa.Column("since", TEXT, nullable=False),
        sa.Column("event_id", TEXT, nullable=False),
    )
    op.create_table(
        "api_keys",
        sa.Column("key_id", TEXT, primary_key=True),
        sa.Column("environment", TEXT, nullable=False),
        sa.Column("secret_sha256", TEXT, nullable=False),
        sa.Column("scopes", TEXT, nullable=False),
        sa.Column("label", TEXT, nullable=False),
        sa.Column("created_at", TEXT, nullable=False),
        sa.Column("expires_at", TEXT),
        sa.Column("revoked_at", TEXT),
    )
    op.create_table(
        "exports",
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("seq", NUMBER, nullable=False),
    )
