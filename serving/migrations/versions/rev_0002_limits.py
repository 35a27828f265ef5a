"""Format 2: what pushes use of their limits, and the terms of each decision.

A push from before keeps its decisions, whose cost nobody wrote down: they count as asked, and not
against the limits.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from serving.columns import NUMBER, TEXT

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "vectors",
        sa.Column("seq", NUMBER, primary_key=True),
        sa.Column("decision_id", TEXT, nullable=False),
        sa.Column("member_id", TEXT, nullable=False),
        sa.Column("release", TEXT, nullable=False),
        sa.Column("as_of", TEXT, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
        if_not_exists=True,  # scorers of format 1 came to make it, without a new format
    )
    op.create_table(
        "limits_used",
        sa.Column("push_id", TEXT, primary_key=True),
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("reserved", NUMBER, nullable=False),
        sa.Column("spent", NUMBER, nullable=False),
        sa.Column("planned", NUMBER, nullable=False),
        sa.Column("most", NUMBER),
    )
    op.create_table(
        "reservations",
        sa.Column("decision_id", TEXT, primary_key=True),
        sa.Column("push_id", TEXT, nullable=False),
        sa.Column("takes", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("expires_at", TEXT, nullable=False),
    )
    op.create_index("what_expires", "reservations", ["push_id", "state", "expires_at"])
    op.add_column("decisions", sa.Column("terms", TEXT))
    op.execute(
        "INSERT INTO limits_used (push_id, name, reserved, spent, planned) "
        "SELECT push_id, 'asked', 0, count(*), 0 FROM decisions GROUP BY push_id"
    )
