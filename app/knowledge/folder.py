"""Finds the files to ingest, and names them."""

import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from app.knowledge.errors import Unreadable
from app.knowledge.kinds import SUFFIXES
from app.knowledge.types import Remark


@dataclass(frozen=True, slots=True)
class Found:
    path: Path
    location: str  # who it is: its absolute path, as text that any store takes
    source: str  # how people see it: relative to the ingested folder


@dataclass(slots=True)
class Listing:
    """What there is at a path. Nothing at all: ``files`` is empty and ``exists`` false."""

    location: str
    exists: bool
    files: list[Found] = field(default_factory=list)
    ignored: int = 0
    closed: list[str] = field(default_factory=list)  # locations we may not look into
    remarks: list[Remark] = field(default_factory=list)

    def may_hold(self, location: str) -> bool:
        """Tell whether ``location`` was out of sight, so that its absence means nothing."""
        return any(f"{location}/".startswith(f"{folder}/") for folder in self.closed)


def look(path: Path) -> Listing:
    """List the files at ``path``, a file or a folder, by name. Blocking.

    In folders: recursive; hidden names and links to folders are passed over, files of
    kinds that ``read_document`` does not know are counted.
    """
    root = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - links stay as named
    listing = Listing(_text(root), exists=False)
    try:
        root.stat()
        listing.exists = True
    except (FileNotFoundError, NotADirectoryError):
        return listing
    except OSError as error:
        listing.closed.append(listing.location)
        listing.remarks.append(Remark(listing.location, f"cannot be reached: {error.strerror}"))
        return listing
    if not root.is_dir():
        listing.files.append(Found(root, listing.location, _text(Path(root.name))))
        return listing

    def closed(error: OSError) -> None:
        folder = Path(error.filename)
        listing.closed.append(_text(folder))
        name = _text(folder.relative_to(root)) if folder != root else root.name
        listing.remarks.append(Remark(name, f"cannot be listed: {error.strerror}"))

    for folder, folders, names in os.walk(root, onerror=closed):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder, name)
            if name.startswith("."):
                continue
            if file.suffix.lower() not in SUFFIXES:
                listing.ignored += 1
                continue
            listing.files.append(Found(file, _text(file), _text(file.relative_to(root))))
    return listing


def own_docs(folder: Path) -> list[Found]:
    """List the project's own documents in ``folder``: README.md and docs/*.md. Blocking."""
    files = [folder / "README.md", *sorted((folder / "docs").glob("*.md"))]
    sources = [(file, _text(file.relative_to(folder))) for file in files if file.is_file()]
    return [Found(file, source, source) for file, source in sources]


def read_bytes(path: Path, limit: int) -> bytes:
    """Return the file's bytes. Blocking.

    Raises:
        Unreadable: gone, not ours to read, not a plain file, or larger than ``limit``.
    """
    try:
        if not path.is_file():
            raise Unreadable("is not a plain file" if path.exists() else "does not exist")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise Unreadable(f"cannot be opened: {error.strerror}") from error
    if len(data) > limit:
        raise Unreadable(f"is larger than {limit} bytes (setting knowledge.file_bytes)")
    return data


def _text(path: Path) -> str:
    """Return a path as text: bytes that are no UTF-8 escaped, accents composed."""
    name = os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", name)
