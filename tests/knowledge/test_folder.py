"""Which files are found, and what they are called."""

import os
from pathlib import Path

import pytest

from app.knowledge.errors import Unreadable
from app.knowledge.folder import look, own_docs, read_bytes


def _write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text")


def test_a_folder_is_searched_below_and_hidden_names_are_passed_over(tmp_path: Path) -> None:
    _write(tmp_path, "b.md", "a.TXT", "sub/c.html", ".secret.md", ".git/d.md", "e.png", "f.py")
    listing = look(tmp_path)
    assert [file.source for file in listing.files] == ["a.TXT", "b.md", "sub/c.html"]
    assert listing.ignored == 2


def test_a_file_that_is_named_is_taken_whatever_its_kind(tmp_path: Path) -> None:
    _write(tmp_path, "notes.log")
    assert [file.source for file in look(tmp_path / "notes.log").files] == ["notes.log"]


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    _write(tmp_path, "a/b.md")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert [file.source for file in look(tmp_path).files] == ["a/b.md"]


def test_what_does_not_exist_is_told_from_what_is_empty(tmp_path: Path) -> None:
    assert look(tmp_path).exists
    assert not look(tmp_path / "no").exists
    _write(tmp_path, "file.md")
    assert not look(tmp_path / "file.md" / "below").exists


def test_names_that_are_no_unicode_can_be_stored(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md"))
    path.write_text("text")
    (file,) = look(tmp_path).files
    assert file.source == "caf\\xe9.md"
    assert read_bytes(file.path, 100) == b"text"


def test_one_name_is_one_name_however_its_accents_are_written(tmp_path: Path) -> None:
    _write(tmp_path, "cafe\u0301.md")
    assert look(tmp_path).files[0].source == "caf\u00e9.md"


def test_files_below_a_folder_that_cannot_be_listed_may_still_be_there(tmp_path: Path) -> None:
    listing = look(tmp_path)
    listing.closed.append("/data/private")
    assert listing.may_hold("/data/private/a.md")
    assert not listing.may_hold("/data/private2/a.md")


def test_the_project_s_own_documents_are_its_readme_and_the_top_of_docs(tmp_path: Path) -> None:
    _write(tmp_path, "README.md", "docs/b.md", "docs/a.md", "docs/deep/c.md", "CHANGELOG.md")
    assert [file.source for file in own_docs(tmp_path)] == ["README.md", "docs/a.md", "docs/b.md"]
    assert own_docs(tmp_path / "no") == []


def test_what_is_no_plain_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    with pytest.raises(Unreadable, match="is not a plain file"):
        read_bytes(tmp_path / "pipe.md", 100)
    with pytest.raises(Unreadable, match="does not exist"):
        read_bytes(tmp_path / "gone.md", 100)
    _write(tmp_path, "long.md")
    with pytest.raises(Unreadable, match="is larger than 3 bytes"):
        read_bytes(tmp_path / "long.md", 3)
