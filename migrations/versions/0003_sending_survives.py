"""Sending survives anything: claims, letters that can be closed, the pace, and an issue's new states.

Revision: 0003, after 0002. Created 2026-11-22.
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT = sqlmodel.sql.sqltypes.AutoString
TIME = sqlmodel.sql.sqltypes.UTCDateTime

STATE_BEFORE = "state IN ('draft', 'approved', 'held', 'sending', 'sent')"
STATE = "state IN ('draft', 'approved', 'scheduled', 'sending', 'paused', 'held', 'sent', 'cancelled')"
LEDGER = {"table_kwargs": {"sqlite_with_rowid": False}}
"""What SQLite, which makes a table anew to change it, would forget on the way."""

NOBODY = 0
"""The sender of what was claimed by an earlier program: gone, or it would have hindered this migration."""


def upgrade() -> None:
    op.create_table(
        "claims",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("key", TEXT(), nullable=False),
        sa.Column("letter_id", sa.Integer(), nullable=False),
        sa.Column("sender", sa.Integer(), nullable=False),
        sa.Column("claimed_at", TIME(), nullable=False),
        sa.Column("rests_since", TIME(), nullable=False),
        sa.Column("boot", TEXT(), nullable=True),
        sa.Column("uptime", sa.Float(), nullable=True),
        sa.Column("way", TEXT(), nullable=True),
        sa.Column("rests_after", sa.Integer(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.CheckConstraint("(boot IS NULL) = (uptime IS NULL)", name=op.f("ck_claims_uptime")),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"], name=op.f("fk_claims_letter_id_letters")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_claims")),
        sa.UniqueConstraint("key", name=op.f("uq_claims_key")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_claims_letter_id", "claims", ["letter_id", "number"], unique=False)
    op.execute(
        "INSERT INTO claims (key, letter_id, sender, claimed_at, rests_since, rests_after, taken) "  # noqa: S608
        f"SELECT batch, letter_id, {NOBODY}, MIN(claimed_at), MIN(claimed_at), 0, "
        "SUM(CASE WHEN state = 'accepted' THEN 1 ELSE 0 END) "
        "FROM deliveries WHERE batch IS NOT NULL AND claimed_at IS NOT NULL "
        "GROUP BY batch, letter_id ORDER BY MIN(claimed_at), batch"
    )
    with op.batch_alter_table("deliveries", **LEDGER) as table:
        table.drop_column("claimed_at")
    with op.batch_alter_table("letters") as table:
        table.add_column(sa.Column("open", sa.Boolean(), nullable=False, server_default=sa.true()))
    with op.batch_alter_table("letters") as table:
        table.alter_column("open", server_default=None)
    op.execute("UPDATE letters SET open = false WHERE id IN (SELECT letter_id FROM issues WHERE state <> 'sending')")
    with op.batch_alter_table("issues") as table:
        table.add_column(sa.Column("approved_of", TEXT(), nullable=True))
        table.drop_constraint(op.f("ck_issues_state"), type_="check")
        table.create_check_constraint(op.f("ck_issues_state"), STATE)
    op.create_table(
        "pace",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("free_at", TIME(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_pace_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pace")),
    )


def downgrade() -> None:
    op.drop_table("pace")
    # What the older program has no word for. A cancelled issue's rest is not sent; a paused or held one's is, since
    # that program takes any other state with a letter for one that has not begun: it would send it to everybody again.
    op.execute("UPDATE issues SET state = 'approved' WHERE state = 'scheduled'")
    op.execute("UPDATE issues SET state = 'draft' WHERE state = 'cancelled' AND letter_id IS NULL")
    rest = "SELECT letter_id FROM issues WHERE state = 'cancelled'"
    since = "SELECT created_at FROM letters WHERE letters.id = deliveries.letter_id"
    left = f"state = 'left', settled_at = ({since})"
    op.execute(f"UPDATE deliveries SET {left} WHERE state = 'queued' AND letter_id IN ({rest})")  # noqa: S608
    op.execute(
        "UPDATE issues SET state = 'sending', held_because = NULL "
        "WHERE letter_id IS NOT NULL AND state IN ('paused', 'held', 'cancelled')"
    )
    with op.batch_alter_table("issues") as table:
        table.drop_constraint(op.f("ck_issues_state"), type_="check")
        table.create_check_constraint(op.f("ck_issues_state"), STATE_BEFORE)
        table.drop_column("approved_of")
    with op.batch_alter_table("letters") as table:
        table.drop_column("open")
    with op.batch_alter_table("deliveries", **LEDGER) as table:
        table.add_column(sa.Column("claimed_at", TIME(), nullable=True))
    op.execute(
        "UPDATE deliveries SET claimed_at = (SELECT claimed_at FROM claims WHERE claims.key = deliveries.batch) "
        "WHERE batch IS NOT NULL"
    )
    op.drop_index("ix_claims_letter_id", "claims")
    op.drop_table("claims")
