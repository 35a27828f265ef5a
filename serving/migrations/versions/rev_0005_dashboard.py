"""The dashboard: its users, their sessions, and what they changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from serving.columns import NUMBER, TEXT

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("password", TEXT, nullable=False),
        sa.Column("created_at", TEXT, nullable=False),
        sa.Column("disabled_at", TEXT),
    )
    op.create_table(
        "sessions",
        sa.Column("token_sha256", TEXT, primary_key=True),
        sa.Column("user_name", TEXT, nullable=False),
        sa.Column("created_at", TEXT, nullable=False),
        sa.Column("seen_at", TEXT, nullable=False),
    )
    op.create_index("sessions_of_user", "sessions", ["user_name"])
    op.create_table(
        "changes",
        sa.Column("seq", NUMBER, primary_key=True),
        sa.Column("at", TEXT, nullable=False),
        sa.Column("user_name", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("status", NUMBER, nullable=False),
        sqlite_autoincrement=True,
    )
