"""What came back: events, votes, keys of programs, and what a letter and an issue say of them.

Revision: 0004, after 0003. Created 2026-11-22.
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXT = sqlmodel.sql.sqltypes.AutoString
TIME = sqlmodel.sql.sqltypes.UTCDateTime

KINDS = (
    "kind IN ('delivered', 'bounced_hard', 'bounced_soft', 'failed', 'complained', 'unsubscribed', 'subscribed', "
    "'opened', 'clicked', 'answered', 'other')"
)
KNOWN = sa.text("fingerprint IS NOT NULL")
PENDING = sa.text("pending")
WHOLE = sa.text("(body IS NOT NULL OR agent IS NOT NULL)")
NOBODYS = sa.text("letter_id IS NOT NULL AND coalesce(subscriber_id, 0) = 0 AND length(key) = 32")
TOUCHES = sa.text("kind IN ('opened', 'clicked') AND letter_id IS NOT NULL AND subscriber_id IS NOT NULL")
REASON_BEFORE = "reason IN ('hard_bounce', 'complaint', 'manual', 'provider')"
REASON = "reason IN ('hard_bounce', 'soft_bounce', 'complaint', 'manual', 'provider')"
TRACKING = "IN ('no', 'totals', 'readers')"


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", TEXT(), nullable=False),
        sa.Column("source", TEXT(), nullable=False),
        sa.Column("record_type", TEXT(), nullable=False),
        sa.Column("kind", TEXT(), nullable=False),
        sa.Column("detail", TEXT(), nullable=True),
        sa.Column("at", TIME(), nullable=False),
        sa.Column("received_at", TIME(), nullable=False),
        sa.Column("letter_id", sa.Integer(), nullable=True),
        sa.Column("subscriber_id", sa.Integer(), nullable=True),
        sa.Column("fingerprint", TEXT(), nullable=True),
        sa.Column("message_id", TEXT(), nullable=True),
        sa.Column("stream", TEXT(), nullable=True),
        sa.Column("link", TEXT(), nullable=True),
        sa.Column("agent", TEXT(), nullable=True),
        sa.Column("machine", TEXT(), nullable=True),
        sa.Column("rules", sa.Integer(), nullable=True),
        sa.Column("pending", sa.Boolean(), nullable=False),
        sa.Column("body", TEXT(), nullable=True),
        sa.CheckConstraint(KINDS, name=op.f("ck_events_kind")),
        sa.CheckConstraint("source IN ('webhook', 'poll', 'door')", name=op.f("ck_events_source")),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"], name=op.f("fk_events_letter_id_letters")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_events_subscriber_id_subscribers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("key", name=op.f("uq_events_key")),
    )
    op.create_index("ix_events_letter", "events", ["letter_id", "kind", "subscriber_id", "machine"], unique=False)
    op.create_index("ix_events_subscriber", "events", ["subscriber_id"], unique=False)
    op.create_index("ix_events_received_at", "events", ["received_at"], unique=False)
    op.create_index(
        "ix_events_fingerprint",
        "events",
        ["fingerprint"],
        unique=False,
        sqlite_where=KNOWN,
        postgresql_where=KNOWN,
    )
    op.create_index("ix_events_pending", "events", ["id"], unique=False, sqlite_where=PENDING, postgresql_where=PENDING)
    op.create_index(
        "ix_events_whole", "events", ["received_at"], unique=False, sqlite_where=WHOLE, postgresql_where=WHOLE
    )
    op.create_index(
        "ix_events_nobodys", "events", ["received_at"], unique=False, sqlite_where=NOBODYS, postgresql_where=NOBODYS
    )
    op.create_index(
        "ix_events_touches",
        "events",
        ["rules", "letter_id", "subscriber_id"],
        unique=False,
        sqlite_where=TOUCHES,
        postgresql_where=TOUCHES,
    )
    op.create_table(
        "polls",
        sa.Column("what", TEXT(), nullable=False),
        sa.Column("until", TIME(), nullable=False),
        sa.Column("letter", sa.Integer(), nullable=False),
        sa.Column("reader", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("what", name=op.f("pk_polls")),
    )
    op.create_table(
        "votes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("comparison_id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=True),
        sa.Column("choice", TEXT(), nullable=False),
        sa.Column("voted_at", TIME(), nullable=False),
        sa.Column("changed_at", TIME(), nullable=False),
        sa.CheckConstraint("choice IN ('left', 'right', 'both', 'neither')", name=op.f("ck_votes_choice")),
        sa.ForeignKeyConstraint(["comparison_id"], ["comparisons.id"], name=op.f("fk_votes_comparison_id_comparisons")),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscribers.id"], name=op.f("fk_votes_subscriber_id_subscribers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_votes")),
        sa.UniqueConstraint("comparison_id", "subscriber_id", name=op.f("uq_votes_comparison_id_subscriber_id")),
    )
    op.create_index("ix_votes_subscriber_id", "votes", ["subscriber_id"], unique=False)
    op.create_index("ix_votes_tally", "votes", ["comparison_id", "choice"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", TEXT(), nullable=False),
        sa.Column("digest", TEXT(), nullable=False),
        sa.Column("created_at", TIME(), nullable=False),
        sa.Column("used_at", TIME(), nullable=True),
        sa.Column("revoked_at", TIME(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_keys_digest")),
        sa.UniqueConstraint("name", name=op.f("uq_api_keys_name")),
    )
    with op.batch_alter_table("letters") as table:
        for what in ("opens", "clicks"):
            table.add_column(sa.Column(what, TEXT(), nullable=False, server_default="no"))
            table.create_check_constraint(op.f(f"ck_letters_{what}"), f"{what} {TRACKING}")
    with op.batch_alter_table("letters") as table:
        for what in ("opens", "clicks"):
            table.alter_column(what, server_default=None)
    with op.batch_alter_table("issues") as table:
        table.add_column(sa.Column("last_vote", TEXT(), nullable=True))
    with op.batch_alter_table("suppressions") as table:
        table.drop_constraint(op.f("ck_suppressions_reason"), type_="check")
        table.create_check_constraint(op.f("ck_suppressions_reason"), REASON)


def downgrade() -> None:
    # The older program has no word for it; that the provider's mail keeps coming back is the nearest to it.
    op.execute("UPDATE suppressions SET reason = 'provider' WHERE reason = 'soft_bounce'")
    with op.batch_alter_table("suppressions") as table:
        table.drop_constraint(op.f("ck_suppressions_reason"), type_="check")
        table.create_check_constraint(op.f("ck_suppressions_reason"), REASON_BEFORE)
    with op.batch_alter_table("issues") as table:
        table.drop_column("last_vote")
    with op.batch_alter_table("letters") as table:
        for what in ("opens", "clicks"):
            table.drop_constraint(op.f(f"ck_letters_{what}"), type_="check")
            table.drop_column(what)
    op.drop_table("api_keys")
    op.drop_table("votes")
    op.drop_table("polls")
    op.drop_table("events")
