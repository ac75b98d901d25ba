"""How often a run has lost its node, apart from how often it was executed."""

import sqlalchemy as sa

from alembic import op

revision = "20261121_0500"
down_revision = "20261121_0400"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "runs", sa.Column("losses", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )


def downgrade() -> None:
    op.drop_column("runs", "losses")
