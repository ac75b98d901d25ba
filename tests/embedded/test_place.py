"""Which data directories can be used, and what is said about those that cannot."""

import os
import stat
from pathlib import Path

import pytest

from app.embedded.errors import DataDirNotDirectory, DataDirOwner, DataDirVersion
from app.embedded.place import furnish, open_place
from app.embedded.servers import servers
from tests.embedded.scene import IS_ROOT, nobody, refused


async def test_a_database_of_another_version_is_left_alone(data_dir: Path) -> None:
    cluster = data_dir / "postgres"
    (cluster / "PG_VERSION").write_text("16\n")

    with pytest.raises(DataDirVersion, match=r"PostgreSQL 16, and Colloquy brings version 18"):
        async with servers(data_dir):
            pass

    assert (cluster / "PG_VERSION").read_text() == "16\n"


async def test_something_else_called_postgres_is_left_alone(data_dir: Path) -> None:
    (data_dir / "postgres" / "PG_VERSION").unlink()

    with pytest.raises(DataDirVersion, match="is in the way"):
        async with servers(data_dir):
            pass


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_a_file_in_the_way_is_named(folder: Path, path: str) -> None:
    (folder / "file").touch()

    with pytest.raises(DataDirNotDirectory, match="is not a directory"):
        open_place(folder / path)


def test_an_existing_directory_keeps_its_mode(folder: Path) -> None:
    data_dir = folder / "data"
    data_dir.mkdir(mode=0o755)
    data_dir.chmod(0o755)

    furnish(open_place(data_dir))

    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o755
    assert stat.S_IMODE((data_dir / "run").stat().st_mode) == 0o700


def test_a_folder_open_to_others_is_refused_and_not_changed(folder: Path) -> None:
    """``--data-dir /`` must not take over ``/run``."""
    (folder / "run").mkdir(mode=0o755)
    (folder / "run").chmod(0o755)

    with pytest.raises(DataDirOwner):
        furnish(open_place(folder))

    assert stat.S_IMODE((folder / "run").stat().st_mode) == 0o755
    assert (folder / "run").stat().st_uid == os.geteuid()


def test_a_link_instead_of_a_folder_is_not_followed(folder: Path) -> None:
    (folder / "elsewhere").mkdir(mode=0o700)
    (folder / "run").symlink_to(folder / "elsewhere")

    with pytest.raises(DataDirNotDirectory):
        furnish(open_place(folder))


def test_a_short_folder_for_sockets_follows_from_the_directorys_name(folder: Path) -> None:
    long = folder / ("a" * 100)

    first, again = open_place(long), open_place(long)
    other = open_place(folder / ("b" * 100))

    assert first.sockets == again.sockets != other.sockets
    assert first.sockets.parent == Path("/tmp")


if IS_ROOT:

    async def test_root_refuses_a_directory_of_somebody_else(folder: Path) -> None:
        data_dir = folder / "data"
        data_dir.mkdir()
        os.chown(data_dir, nobody(), -1)

        with pytest.raises(DataDirOwner, match="belongs to nobody"):
            open_place(data_dir)

    async def test_an_ordinary_user_refuses_a_directory_of_somebody_else(folder: Path) -> None:
        data_dir = folder / "data"
        data_dir.mkdir(mode=0o777)

        assert await refused(data_dir, uid=nobody()) == "data_dir_owner"

    async def test_a_directory_that_cannot_be_made_is_named(folder: Path) -> None:
        assert await refused(folder / "data", uid=nobody()) == "data_dir_unwritable"

    async def test_a_directory_that_cannot_be_written_is_named(folder: Path) -> None:
        data_dir = folder / "data"
        data_dir.mkdir(mode=0o500)
        os.chown(data_dir, nobody(), -1)

        assert await refused(data_dir, uid=nobody()) == "data_dir_unwritable"
