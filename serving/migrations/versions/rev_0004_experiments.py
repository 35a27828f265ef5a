"""Experiments: what is compared and who changed it, whose decisions are whose, shadow decisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from serving.columns import NUMBER, TEXT

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("decisions", sa.Column("experiment", TEXT))
    inside = sa.text("experiment IS NOT NULL")
    op.create_index(
        "of_experiment", "decisions", ["experiment", "member_id"],
        sqlite_where=inside, postgresql_where=inside,
    )  # fmt: skip
    _registry()
    _evaluations()
    op.create_table(
        "shadows",
        sa.Column("seq", NUMBER, primary_key=True),
        sa.Column("decision_id", TEXT, nullable=False),
        sa.Column("experiment_id", TEXT, nullable=False),
        sa.Column("member_id", TEXT, nullable=False),
        sa.Column("arm", TEXT, nullable=False),
        sa.Column("release", TEXT, nullable=False),
        sa.Column("offer_id", TEXT),
        sa.Column("probability", sa.Float, nullable=False),
        sa.Column("expected_gain", sa.Float),
        sa.Column("answer", TEXT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("shadows_of_experiment", "shadows", ["experiment_id", "seq"])
    op.create_index("shadows_of_member", "shadows", ["member_id"])


def _registry() -> None:
    op.create_table(
        "experiments",
        sa.Column("experiment_id", TEXT, primary_key=True),
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("definition", TEXT, nullable=False),
        sa.Column("slots", TEXT, nullable=False),
        sa.Column("allocations", TEXT, nullable=False),
        sa.Column("looks", TEXT, nullable=False),
        sa.Column("created_at", TEXT, nullable=False),
        sa.Column("started_at", TEXT),
        sa.Column("stopped_at", TEXT),
        sa.Column("decided_at", TEXT),
        sa.Column("decision", TEXT),
    )
    op.create_index("experiments_by_state", "experiments", ["state"])
    op.create_table(
        "experiment_audit",
        sa.Column("seq", NUMBER, primary_key=True),
        sa.Column("experiment_id", TEXT, nullable=False),
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("at", TEXT, nullable=False),
        sa.Column("by", TEXT),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("changed", TEXT, nullable=False),
        sa.Column("why", TEXT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_of_experiment", "experiment_audit", ["experiment_id", "seq"])


def _evaluations() -> None:
    op.create_table(
        "evaluations",
        sa.Column("seq", NUMBER, primary_key=True),
        sa.Column("evaluation_id", TEXT, nullable=False, unique=True),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("asked", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("starts", NUMBER, nullable=False),
        sa.Column("failure", TEXT),
        sa.Column("report", TEXT),
        sa.Column("created_at", TEXT, nullable=False),
        sa.Column("updated_at", TEXT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("evaluations_by_state", "evaluations", ["state", "seq"])
