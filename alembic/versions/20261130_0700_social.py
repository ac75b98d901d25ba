"""Who is vouched for: accounts at providers, and people of the operator's own login."""

import sqlalchemy as sa

from alembic import op

revision = "20261130_0700"
down_revision = "20261130_0600"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "social_auths",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column(
            "linked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_social_auths_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_social_auths")),
    )
    op.create_index("uq_social_auths_subject", "social_auths", ["provider", "subject"], unique=True)
    op.create_index("ix_social_auths_user", "social_auths", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_table("social_auths")
