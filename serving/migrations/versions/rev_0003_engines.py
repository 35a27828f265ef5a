"""What campaign engines lean on: replay, calls that are repeated."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from serving.columns import NUMBER, TEXT

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _of_format_2()
    op.add_column("decisions", sa.Column("inputs", TEXT))
    op.create_table(
        "releases_seen",
        sa.Column("release", TEXT, primary_key=True),
        sa.Column("versions", TEXT, nullable=False),
        sa.Column("seen_at", TEXT, nullable=False),
    )
    op.create_table(
        "idempotency",
        sa.Column("api_key_id", TEXT, primary_key=True),
        sa.Column("key", TEXT, primary_key=True),
        sa.Column("route", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("answer", TEXT),
        sa.Column("created_at", TEXT, nullable=False),
    )
    op.create_index("idempotency_by_age", "idempotency", ["created_at"])


def _of_format_2() -> None:
    """What scorers of format 2 came to make without a new format, and so may be there."""
    op.create_index("of_member", "decisions", ["member_id"], if_not_exists=True)
    op.create_table(
        "audiences",
        sa.Column("seq", NUMBER, primary_key=True),
        sa.Column("audience_id", TEXT, nullable=False, unique=True),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("release", TEXT, nullable=False),
        sa.Column("asked", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("stage", TEXT, nullable=False),
        sa.Column("done", NUMBER, nullable=False),
        sa.Column("total", NUMBER, nullable=False),
        sa.Column("starts", NUMBER, nullable=False),
        sa.Column("worker", TEXT),
        sa.Column("lease_until", TEXT),
        sa.Column("failure", TEXT),
        sa.Column("summary", TEXT),
        sa.Column("created_at", TEXT, nullable=False),
        sa.Column("updated_at", TEXT, nullable=False),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
    op.create_index("audiences_by_state", "audiences", ["state", "seq"], if_not_exists=True)
    op.create_index("audiences_by_digest", "audiences", ["digest"], if_not_exists=True)
