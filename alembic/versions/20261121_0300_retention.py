"""Notes of deleted chats, and indexes for deleting them."""

import sqlalchemy as sa

from alembic import op

revision = "20261121_0300"
down_revision = "20261120_0200"
branch_labels = None
depends_on = None

# LangGraph's tables have no foreign key to ours, and Redis can have none. This is instead
# of one: no way to delete a chat, cascades included, leaves things that nobody knows of.
_FUNCTION = """
CREATE FUNCTION note_forgotten_chats() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO forgotten_chats (chat_id, thread_id, visitor_id)
    SELECT id, thread_id, visitor_id FROM gone
    ON CONFLICT (chat_id) DO UPDATE SET thread_id = EXCLUDED.thread_id,
        visitor_id = EXCLUDED.visitor_id, is_cleared = false, due_at = now();
    RETURN NULL;
END
$$
"""
_TRIGGER = """
CREATE TRIGGER note_forgotten_chats AFTER DELETE ON chats
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_forgotten_chats()
"""


def upgrade() -> None:
    op.create_table(
        "forgotten_chats",
        sa.Column("chat_id", sa.Uuid(), nullable=False),
        sa.Column("thread_id", sa.Uuid(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=True),
        sa.Column("is_cleared", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "due_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("chat_id", name=op.f("pk_forgotten_chats")),
    )
    op.create_index(op.f("ix_forgotten_chats_due_at"), "forgotten_chats", ["due_at"], unique=False)
    op.execute(_FUNCTION)
    op.execute(_TRIGGER)
    op.create_index(
        "ix_chats_empty",
        "chats",
        ["created_at", "id"],
        unique=False,
        postgresql_where=sa.text("message_count = 0 AND user_id IS NULL"),
    )
    op.create_index(
        "ix_sessions_over",
        "sessions",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('completed', 'expired')"),
    )
    # Without it, deleting one chat reads all runs there are.
    op.create_index("ix_runs_chat", "runs", ["chat_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_runs_chat", table_name="runs")
    op.drop_index(
        "ix_sessions_over",
        table_name="sessions",
        postgresql_where=sa.text("status IN ('completed', 'expired')"),
    )
    op.drop_index(
        "ix_chats_empty",
        table_name="chats",
        postgresql_where=sa.text("message_count = 0 AND user_id IS NULL"),
    )
    op.execute("DROP TRIGGER note_forgotten_chats ON chats")
    op.execute("DROP FUNCTION note_forgotten_chats()")
    op.drop_index(op.f("ix_forgotten_chats_due_at"), table_name="forgotten_chats")
    op.drop_table("forgotten_chats")
