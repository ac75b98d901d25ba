"""Tables of the knowledge room."""

import datetime as dt

from sqlalchemy import (
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.base import Base


class DocumentRow(Base):
    """A file that was ingested."""

    __tablename__ = "documents"
    __table_args__ = (UniqueConstraint("collection", "location"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    collection: Mapped[str] = mapped_column(Text)  # "files", or "docs" for the project's own
    location: Mapped[str] = mapped_column(Text)  # absolute path; in "docs" the source
    source: Mapped[str] = mapped_column(Text)  # as shown: relative path
    title: Mapped[str] = mapped_column(Text)
    url: Mapped[str | None] = mapped_column(Text)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)  # of all that shapes its passages
    token_version: Mapped[int] = mapped_column(Integer)
    passage_count: Mapped[int] = mapped_column(Integer)
    token_count: Mapped[int]
    ingested_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class ChunkRow(Base):
    """A passage of a document."""

    __tablename__ = "document_chunks"
    __table_args__ = (
        UniqueConstraint("document_id", "seq"),
        # Written seldom, read at each question: no list of entries that wait to be sorted in.
        Index(
            "ix_document_chunks_lex",
            "lex",
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    seq: Mapped[int] = mapped_column(Integer)  # 1, 2, 3, … within the document
    title: Mapped[str] = mapped_column(Text)
    anchor: Mapped[str | None] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    lex: Mapped[str] = mapped_column(TSVECTOR)  # app.kit.tokens, headings weighted
    token_count: Mapped[int] = mapped_column(Integer)
