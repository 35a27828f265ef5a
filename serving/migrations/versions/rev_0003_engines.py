"""What campaign engines lean on: replay, repeated calls, keys that rotate, erasure, catalogue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

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
    _keys_and_erasures()
    _catalogue()
    for table in ("events", "outcomes"):
        op.add_column(table, sa.Column("member_id", TEXT))
        _tell_members(table)
        op.create_index(f"{table}_of_member", table, ["member_id"])


def _tell_members(name: str) -> None:
    """Whom the rows are about: as they say, else as the decision that they name."""
    kept = sa.table(name, sa.column("row", TEXT), sa.column("member_id", TEXT))
    made = sa.table("decisions", sa.column("decision_id", TEXT), sa.column("member_id", TEXT))

    def told(field: str) -> sa.ColumnElement[str]:
        if op.get_bind().dialect.name == "postgresql":
            text: sa.ColumnElement[str] = sa.cast(kept.c.row, postgresql.JSON)[field].astext
            return text
        return sa.func.json_extract(kept.c.row, f"$.{field}")

    op.execute(kept.update().values(member_id=told("member_id")))
    whose = sa.select(made.c.member_id).where(made.c.decision_id == told("decision_id"))
    op.execute(
        kept.update().where(kept.c.member_id.is_(None)).values(member_id=whose.scalar_subquery())
    )


def _keys_and_erasures() -> None:
    op.add_column("api_keys", sa.Column("lineage", TEXT))
    op.add_column("api_keys", sa.Column("rate", sa.Float))
    op.add_column("api_keys", sa.Column("burst", NUMBER))
    op.create_table(
        "tombstones",
        sa.Column("mark", TEXT, primary_key=True),
        sa.Column("since", TEXT, nullable=False),
    )
    op.create_index("tombstones_by_age", "tombstones", ["since"])
    op.create_table(
        "erasures",
        sa.Column("erasure_id", TEXT, primary_key=True),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("members", NUMBER, nullable=False),
        sa.Column("asked_at", TEXT, nullable=False),
        sa.Column("updated_at", TEXT, nullable=False),
        sa.Column("removed", TEXT),
    )
    op.create_table(
        "erasing",
        sa.Column("erasure_id", TEXT, primary_key=True),
        sa.Column("member_id", TEXT, primary_key=True),
    )


def _catalogue() -> None:
    op.create_table(
        "catalogue",
        sa.Column("seq", NUMBER, primary_key=True),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("entry_id", TEXT, nullable=False),
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("row", TEXT, nullable=False),
        sa.Column("send_at", TEXT),
        sa.Column("changed_at", TEXT, nullable=False),
        sa.Column("changed_by", TEXT),
        sa.Column("exported", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("one_version", "catalogue", ["kind", "entry_id", "version"], unique=True)


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
