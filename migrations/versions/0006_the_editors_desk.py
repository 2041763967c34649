"""The editors' desk: accounts, sessions and a log; versions of drafts; figures that are kept; what the clock did.

Revision: 0006, after 0005. Created 2026-11-22.
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TEXT = sqlmodel.sql.sqltypes.AutoString
TIME = sqlmodel.sql.sqltypes.UTCDateTime


def upgrade() -> None:
    op.create_table(
        "editors",
        sa.Column("id", sa.Integer(), nullable=False),
        *(sa.Column(name, TEXT(), nullable=False) for name in ("email", "address_key", "name", "role")),
        *(sa.Column(name, TEXT(), nullable=True) for name in ("password", "totp")),
        sa.Column("totp_used", sa.Integer(), nullable=True),
        sa.Column("invitation", TEXT(), nullable=True),
        sa.Column("invited_until", TIME(), nullable=True),
        sa.Column("created_at", TIME(), nullable=False),
        sa.Column("disabled_at", TIME(), nullable=True),
        sa.CheckConstraint("role IN ('editor', 'publisher')", name=op.f("ck_editors_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_editors")),
        sa.UniqueConstraint("address_key", name=op.f("uq_editors_address_key")),
        sa.UniqueConstraint("invitation", name=op.f("uq_editors_invitation")),
    )
    op.create_table(
        "desk_sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", TEXT(), nullable=False),
        sa.Column("editor_id", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME(), nullable=False),
        sa.Column("seen_at", TIME(), nullable=False),
        sa.Column("network", TEXT(), nullable=True),
        sa.Column("user_agent", TEXT(), nullable=True),
        sa.ForeignKeyConstraint(["editor_id"], ["editors.id"], name=op.f("fk_desk_sessions_editor_id_editors")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_sessions")),
        sa.UniqueConstraint("digest", name=op.f("uq_desk_sessions_digest")),
    )
    op.create_index(op.f("ix_desk_sessions_editor_id"), "desk_sessions", ["editor_id"], unique=False)
    op.create_table(
        "desk_log",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", TIME(), nullable=False),
        sa.Column("editor_id", sa.Integer(), nullable=True),
        sa.Column("act", TEXT(), nullable=False),
        sa.Column("week", TEXT(), nullable=True),
        sa.Column("subscriber_id", sa.Integer(), nullable=True),
        sa.Column("detail", TEXT(), nullable=True),
        sa.ForeignKeyConstraint(["editor_id"], ["editors.id"], name=op.f("fk_desk_log_editor_id_editors")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_log")),
    )
    op.create_index("ix_desk_log_week", "desk_log", ["week", "id"], unique=False)
    op.create_table(
        "issue_versions",
        sa.Column("issue_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("editor_id", sa.Integer(), nullable=True),
        sa.Column("at", TIME(), nullable=False),
        sa.Column("what", TEXT(), nullable=False),
        sa.Column("content", TEXT(), nullable=False),
        sa.Column("undo_to", sa.Integer(), nullable=True),
        sa.Column("redo_to", sa.Integer(), nullable=True),
        sa.Column("copy_of", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["editor_id"], ["editors.id"], name=op.f("fk_issue_versions_editor_id_editors")),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name=op.f("fk_issue_versions_issue_id_issues")),
        sa.PrimaryKeyConstraint("issue_id", "number", name=op.f("pk_issue_versions")),
    )
    op.create_table(
        "postponed",
        sa.Column("comparison_id", sa.Integer(), nullable=False),
        sa.Column("week", TEXT(), nullable=False),
        sa.ForeignKeyConstraint(
            ["comparison_id"], ["comparisons.id"], name=op.f("fk_postponed_comparison_id_comparisons")
        ),
        sa.PrimaryKeyConstraint("comparison_id", name=op.f("pk_postponed")),
    )
    op.create_table(
        "figures",
        sa.Column("name", TEXT(), nullable=False),
        sa.Column("at", TIME(), nullable=False),
        sa.Column("content", TEXT(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_figures")),
    )
    op.create_table(
        "jobs",
        sa.Column("name", TEXT(), nullable=False),
        sa.Column("every", sa.Integer(), nullable=False),
        sa.Column("ran_at", TIME(), nullable=False),
        sa.Column("did", TEXT(), nullable=True),
        sa.Column("did_at", TIME(), nullable=True),
        sa.Column("failed_at", TIME(), nullable=True),
        sa.Column("error", TEXT(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_jobs")),
    )
    op.add_column("issue_comparisons", sa.Column("quoted", TEXT(), nullable=True))
    with op.batch_alter_table("issues") as table:
        table.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("issues") as table:
        table.alter_column("version", server_default=None)
    # The desk shows while somebody waits how many would get an issue, and in which variants.
    op.create_index("ix_subscribers_choices", "subscribers", ["status", "muted", "language"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_subscribers_choices", "subscribers")
    with op.batch_alter_table("issues") as table:
        table.drop_column("version")
    op.drop_column("issue_comparisons", "quoted")
    for table in ("jobs", "figures", "postponed", "issue_versions", "desk_log", "desk_sessions", "editors"):
        op.drop_table(table)
