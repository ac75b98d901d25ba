"""Accounts: e-mail addresses, profiles, passwords, sign-ins, links of mails, an audit log."""

import sqlalchemy as sa

from alembic import op

revision = "20261130_0600"
down_revision = "20261121_0500"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("email", sa.Text(), nullable=True))
    op.add_column(
        "users", sa.Column("email_verified_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("users", sa.Column("type", sa.Text(), server_default="person", nullable=False))
    op.create_check_constraint(op.f("ck_users_type"), "users", "type IN ('person', 'external')")
    op.create_index("uq_users_email", "users", ["email"], unique=True)
    op.create_table(
        "user_profiles",
        _user_id(),
        sa.Column("display_name", sa.Text(), nullable=True),
        sa.Column("locale", sa.Text(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("avatar_url", sa.Text(), nullable=True),
        _to_users("user_profiles"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_user_profiles")),
    )
    op.create_table(
        "local_auths",
        _user_id(),
        sa.Column("password_hash", sa.Text(), nullable=False),
        _now("changed_at"),
        _to_users("local_auths"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_local_auths")),
    )
    op.create_table(
        "logins",
        sa.Column("id", sa.Uuid(), nullable=False),
        _user_id(),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        _now("created_at"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        _to_users("logins"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logins")),
    )
    op.create_index("uq_logins_token", "logins", ["token_hash"], unique=True)
    op.create_index("ix_logins_user", "logins", ["user_id"], unique=False)
    op.create_index("ix_logins_expiry", "logins", ["expires_at"], unique=False)
    op.create_table(
        "mail_tokens",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        _user_id(),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("purpose IN ('verify', 'reset')", name=op.f("ck_mail_tokens_purpose")),
        _to_users("mail_tokens"),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_mail_tokens")),
    )
    op.create_index("ix_mail_tokens_user", "mail_tokens", ["user_id"], unique=False)
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        _now("at"),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_user", "audit_log", ["user_id", "at"], unique=False)


def downgrade() -> None:
    for table in ("audit_log", "mail_tokens", "logins", "local_auths", "user_profiles"):
        op.drop_table(table)
    op.drop_index("uq_users_email", table_name="users")
    op.drop_constraint(op.f("ck_users_type"), "users", type_="check")
    for column in ("type", "email_verified_at", "email"):
        op.drop_column("users", column)


def _user_id() -> sa.Column[int]:
    return sa.Column("user_id", sa.Integer(), nullable=False)


def _now(name: str) -> sa.Column[object]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _to_users(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["user_id"],
        ["users.id"],
        name=op.f(f"fk_{table}_user_id_users"),
        ondelete="CASCADE",
    )
