"""Words of one's own: the language in which somebody reads us, and what an editor writes above an issue.

Revision: 0005, after 0004. Created 2026-11-22.
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TEXT = sqlmodel.sql.sqltypes.AutoString

NEW = {"subscribers": "language", "sign_ups": "language", "letter_variants": "language", "issues": "note"}


def upgrade() -> None:
    for table, column in NEW.items():
        op.add_column(table, sa.Column(column, TEXT(), nullable=True))


def downgrade() -> None:
    for table, column in NEW.items():
        op.drop_column(table, column)
