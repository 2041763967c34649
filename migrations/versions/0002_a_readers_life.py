"""A reader's life: preferences, suppression, sign-up, erasure; letters in variants.

Revision: 0002, after 0001. Created 2026-11-22.
"""

import hmac
import re
import secrets
from hashlib import sha256

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TEXT = sqlmodel.sql.sqltypes.AutoString
TIME = sqlmodel.sql.sqltypes.UTCDateTime

STATUS_BEFORE = "status IN ('pending', 'active', 'paused', 'unsubscribed', 'suppressed')"
STATUS = "status IN ('pending', 'active', 'paused', 'unsubscribed', 'suppressed', 'erased')"
PAUSED = "status = 'paused' OR paused_until IS NULL"
KIND_BEFORE = "kind IN ('imported', 'added', 'left')"
KIND = "kind IN ('signed_up', 'confirmed', 'imported', 'added', 'moved', 'left', 'reason', 'returned')"
READERS = {"table_kwargs": {"sqlite_autoincrement": True}}
LEDGER = {"table_kwargs": {"sqlite_with_rowid": False}}
"""What SQLite, which makes a table anew to change it, would forget on the way."""


def upgrade() -> None:
    with op.batch_alter_table("subscribers", **READERS) as table:
        table.add_column(sa.Column("paused_until", TIME(), nullable=True))
        table.add_column(sa.Column("muted", TEXT(), nullable=False, server_default="[]"))
    with op.batch_alter_table("subscribers", **READERS) as table:
        table.alter_column("muted", server_default=None)
        table.drop_constraint(op.f("ck_subscribers_status"), type_="check")
        table.create_check_constraint(op.f("ck_subscribers_status"), STATUS)
        table.create_check_constraint(op.f("ck_subscribers_paused"), PAUSED)
    _addresses_as_they_are_compared_now()
    with op.batch_alter_table("consents") as table:
        table.drop_constraint(op.f("ck_consents_kind"), type_="check")
        table.create_check_constraint(op.f("ck_consents_kind"), KIND)
        for name in ("words", "words_version", "network", "user_agent"):
            table.add_column(sa.Column(name, TEXT(), nullable=True))
        table.create_index("ix_consents_at", ["at"], unique=False)

    with op.batch_alter_table("letters") as table:
        table.add_column(sa.Column("left_out", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("letters") as table:
        table.alter_column("left_out", server_default=None)
        table.create_index("ix_letters_created_at", ["created_at"], unique=False)
    op.create_table(
        "letter_variants",
        sa.Column("letter_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        *(
            sa.Column(name, TEXT(), nullable=False)
            for name in ("without", "subject", "preheader", "html", "text", "digest")
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_letter_variants_number")),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"], name=op.f("fk_letter_variants_letter_id_letters")),
        sa.PrimaryKeyConstraint("letter_id", "number", name=op.f("pk_letter_variants")),
    )
    with op.batch_alter_table("deliveries", **LEDGER) as table:
        table.add_column(sa.Column("variant", sa.Integer(), nullable=False, server_default="0"))
        table.drop_index("ix_deliveries_state")
        table.drop_index("ix_deliveries_batch")
    with op.batch_alter_table("deliveries", **LEDGER) as table:
        table.alter_column("variant", server_default=None)
        table.create_index("ix_deliveries_state", ["letter_id", "state", "variant", "subscriber_id"], unique=False)
        table.create_index("ix_deliveries_subscriber", ["subscriber_id"], unique=False)

    op.create_table(
        "address_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("email", TEXT(), nullable=False),
        sa.Column("address_key", TEXT(), nullable=False),
        sa.Column("asked_at", TIME(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_address_changes_subscriber_id_subscribers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_changes")),
        sa.UniqueConstraint("subscriber_id", name=op.f("uq_address_changes_subscriber_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "attempts",
        sa.Column("what", TEXT(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("ends_at", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("what", name=op.f("pk_attempts")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_attempts_ends_at"), "attempts", ["ends_at"], unique=False)
    op.create_table(
        "erasures",
        sa.Column("fingerprint", TEXT(), nullable=False),
        sa.Column("at", TIME(), nullable=False),
        sa.Column("by_files_never", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_erasures")),
    )
    op.create_table(
        "sign_ups",
        sa.Column("id", sa.Integer(), nullable=False),
        *(sa.Column(name, TEXT(), nullable=False) for name in ("email", "address_key", "source")),
        *(sa.Column(name, TEXT(), nullable=False) for name in ("words", "words_version")),
        *(sa.Column(name, TEXT(), nullable=True) for name in ("network", "user_agent")),
        sa.Column("at", TIME(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ups")),
    )
    op.create_index(op.f("ix_sign_ups_address_key"), "sign_ups", ["address_key"], unique=False)
    op.create_table(
        "suppressions",
        sa.Column("id", sa.Integer(), nullable=False),
        *(sa.Column(name, TEXT(), nullable=False) for name in ("fingerprint", "reason", "source")),
        sa.Column("at", TIME(), nullable=False),
        sa.Column("lifted_at", TIME(), nullable=True),
        sa.Column("lifted_because", TEXT(), nullable=True),
        sa.CheckConstraint(
            "reason IN ('hard_bounce', 'complaint', 'manual', 'provider')", name=op.f("ck_suppressions_reason")
        ),
        sa.CheckConstraint("(lifted_at IS NULL) = (lifted_because IS NULL)", name=op.f("ck_suppressions_lifted")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
    )
    op.create_index(op.f("ix_suppressions_fingerprint"), "suppressions", ["fingerprint"], unique=False)
    op.create_index(
        "ix_suppressions_in_force",
        "suppressions",
        ["fingerprint"],
        unique=True,
        sqlite_where=sa.text("lifted_at IS NULL"),
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
    salts = op.create_table(
        "salts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", TEXT(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_salts")),
    )
    key = secrets.token_hex(32)
    op.bulk_insert(salts, [{"id": 1, "key": key}])
    _suppressed_by_fingerprint_too(key.encode())
    _no_address_in_what_a_provider_said()


def downgrade() -> None:
    for table in ("salts", "suppressions", "sign_ups", "erasures", "attempts", "address_changes", "letter_variants"):
        op.drop_table(table)
    with op.batch_alter_table("deliveries", **LEDGER) as table:
        table.drop_index("ix_deliveries_subscriber")
        table.drop_index("ix_deliveries_state")
        table.drop_column("variant")
        table.create_index("ix_deliveries_state", ["letter_id", "state", "subscriber_id"], unique=False)
        table.create_index("ix_deliveries_batch", ["batch"], unique=False)
    with op.batch_alter_table("letters") as table:
        table.drop_index("ix_letters_created_at")
        table.drop_column("left_out")
    # What the older program has no word for cannot stay: steps of other kinds go, the erased count as gone.
    op.execute(f"DELETE FROM consents WHERE NOT ({KIND_BEFORE})")  # noqa: S608  no text from outside
    op.execute("UPDATE subscribers SET status = 'unsubscribed' WHERE status = 'erased'")
    with op.batch_alter_table("consents") as table:
        table.drop_constraint(op.f("ck_consents_kind"), type_="check")
        table.create_check_constraint(op.f("ck_consents_kind"), KIND_BEFORE)
        table.drop_index("ix_consents_at")
        for name in ("words", "words_version", "network", "user_agent"):
            table.drop_column(name)
    with op.batch_alter_table("subscribers", **READERS) as table:
        table.drop_constraint(op.f("ck_subscribers_paused"), type_="check")
        table.drop_constraint(op.f("ck_subscribers_status"), type_="check")
        table.create_check_constraint(op.f("ck_subscribers_status"), STATUS_BEFORE)
        table.drop_column("muted")
        table.drop_column("paused_until")


def _addresses_as_they_are_compared_now():
    """Gmail's addresses are compared without dots now, and none by casefold().

    Where two readers turn out to be one, the first one stays, as unwilling as the least willing of them; the other
    is emptied like somebody who was erased, since letters are counted by the row.
    """
    readers = sa.table(
        "subscribers", *map(sa.column, ("id", "email", "address_key", "status", "since", "paused_until"))
    )
    consents = sa.table("consents", sa.column("subscriber_id"))
    deliveries = sa.table("deliveries", sa.column("subscriber_id"), sa.column("reason"))
    bind = op.get_bind()
    unwilling = ("suppressed", "unsubscribed", "paused", "pending", "active")
    first, status = {}, {}
    # Of who was erased before a downgrade, which had no word for it.
    erased = readers.c.address_key.like("erased:%") & (readers.c.email == "")
    bind.execute(sa.update(readers).where(erased).values(status="erased"))
    for row in bind.execute(sa.select(readers).where(readers.c.email != "").order_by(readers.c.id)).all():
        domain = row.address_key.rpartition("@")[2]
        written = row.email.rpartition("@")[0].lower()
        key = f"{written}@{domain}"
        if domain in ("gmail.com", "googlemail.com"):
            key = f"{written.replace('.', '')}@gmail.com"
        if key not in first:
            first[key] = row
            status[key] = row.status
            if key != row.address_key:
                # Not yet: another row may have this key until it gets its own.
                bind.execute(sa.update(readers).where(readers.c.id == row.id).values(address_key=f"moving:{row.id}"))
            continue
        kept = first[key]
        status[key] = min(status[key], row.status, key=unwilling.index)
        bind.execute(sa.update(readers).where(readers.c.id == kept.id).values(status=status[key]))
        gone = {"email": "", "address_key": f"erased:{row.id}", "status": "erased", "paused_until": None}
        bind.execute(sa.update(readers).where(readers.c.id == row.id).values(gone))
        # What was said is said by the one; what a provider said of the other names nobody.
        bind.execute(sa.update(consents).where(consents.c.subscriber_id == row.id).values(subscriber_id=kept.id))
        bind.execute(sa.update(deliveries).where(deliveries.c.subscriber_id == row.id).values(reason=None))
    for key, row in first.items():
        if key == row.address_key:
            continue  # as nearly all are
        bind.execute(sa.update(readers).where(readers.c.id == row.id).values(address_key=key))


def _suppressed_by_fingerprint_too(key):
    """Who is suppressed stays so by the fingerprint of the address from now on. Nobody wrote down why they are."""
    readers = sa.table("subscribers", *map(sa.column, ("address_key", "status")), sa.column("since", TIME()))
    names = ("fingerprint", "reason", "source")
    suppressions = sa.table("suppressions", *map(sa.column, names), sa.column("at", TIME()))
    bind = op.get_bind()
    values = [
        {
            "fingerprint": hmac.digest(key, row.address_key.encode(), sha256).hex(),
            "reason": "manual",
            "source": "an earlier list",
            "at": row.since,
        }
        for row in bind.execute(sa.select(readers).where(readers.c.status == "suppressed"))
    ]
    if values:
        bind.execute(sa.insert(suppressions), values)


def _no_address_in_what_a_provider_said():
    """Addresses stand in one place only from now on, so that they can be erased there."""
    names = ("letter_id", "subscriber_id", "reason")
    deliveries = sa.table("deliveries", *map(sa.column, names))
    bind = op.get_bind()
    for row in bind.execute(sa.select(deliveries).where(deliveries.c.reason.like("%@%"))).all():
        unnamed = re.sub(r"[^\s<>()\[\]\"',;:]+@[^\s<>()\[\]\"',;:]+", "(the address)", row.reason)
        of_copy = (deliveries.c.letter_id == row.letter_id) & (deliveries.c.subscriber_id == row.subscriber_id)
        bind.execute(sa.update(deliveries).where(of_copy).values(reason=unnamed))
