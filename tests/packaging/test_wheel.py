"""The wheel, built and installed into an environment of its own: what is in it, does it run."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def build(target: str, source: Path, to: Path) -> Path:
    to.mkdir()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(to)],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (made,) = to.iterdir()
    return made


def install(wheel: Path, to: Path) -> Path:
    """Make an environment with ``wheel`` and what it depends on; return its ``colloquy``."""
    venv.create(to, with_pip=False, symlinks=True)
    python = to / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
    (site,) = to.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return to / "bin" / "colloquy"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packaging")


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    return build("wheel", REPOSITORY, folder / "wheel")


@pytest.fixture(scope="module", params=["wheel", "editable"])
def colloquy(request: pytest.FixtureRequest, folder: Path, wheel: Path) -> Path:
    """The command, installed as a user does, and as ``make setup`` does."""
    if request.param == "editable":
        wheel = build("wheel:editable", REPOSITORY, folder / "editable")
    return install(wheel, folder / f"{request.param}-environment")


def run(
    command: Path, *arguments: str, cwd: Path, path: str = ""
) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if path:
        environ["PYTHONPATH"] = path
    return subprocess.run(
        [str(command), *arguments],
        check=False,
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
    )


def package(folder: Path) -> Path:
    """Make a package ``app`` of somebody else in ``folder``."""
    (folder / "app").mkdir()
    (folder / "app" / "__init__.py").write_text("raise SystemExit('the wrong app')\n")
    return folder


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def sources(folder: str, pattern: str) -> set[str]:
    return {
        path.relative_to(REPOSITORY / folder).as_posix()
        for path in (REPOSITORY / folder).rglob(pattern)
        if "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_page(wheel: Path) -> None:
    page = REPOSITORY / "app" / "web" / "static"
    assert (page / "index.html").exists(), "Build the page first: make page"

    built = {f"app/web/static/{name}" for name in sources("app/web/static", "*.*")}

    assert "app/web/static/index.html" in built
    assert built <= names(wheel)


def test_the_wheel_holds_the_migrations_and_the_documents(wheel: Path) -> None:
    migrations = {f"app/_alembic/{name}" for name in sources("alembic", "*.py")}
    documents = {f"app/_docs/{name}" for name in sources("docs", "*.md")}

    assert migrations
    assert documents
    assert migrations | documents | {"app/_alembic/script.py.mako"} <= names(wheel)


@pytest.mark.parametrize("pattern", ["*.py", "*.lua", "*.json"])
def test_the_wheel_holds_every_file_of_the_package(wheel: Path, pattern: str) -> None:
    ours = {f"app/{name}" for name in sources("app", pattern)}

    assert ours
    assert ours <= names(wheel)


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    top = {name.split("/")[0] for name in names(wheel)}

    assert top == {"app", "colloquy_launcher.py"}
    assert not [name for name in names(wheel) if name.endswith((".pyc", ".ts", ".map"))]


def test_a_wheel_made_from_the_source_distribution_is_the_same(folder: Path, wheel: Path) -> None:
    archive = build("sdist", REPOSITORY, folder / "sdist")
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()

    again = build("wheel", source, folder / "again")

    assert names(again) == names(wheel)


def test_the_command_runs_in_any_directory(colloquy: Path, tmp_path: Path) -> None:
    done = run(colloquy, "--help", cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert "serve" in done.stdout


def test_a_package_that_hides_ours_is_named(colloquy: Path, tmp_path: Path) -> None:
    other = package(tmp_path)

    done = run(colloquy, "--help", cwd=Path("/"), path=str(other))

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"{other}/app hides Colloquy's own package" in done.stderr


def test_a_module_that_hides_ours_is_named(colloquy: Path, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("raise SystemExit('the wrong app')\n")

    done = run(colloquy, "--help", cwd=tmp_path, path=".")

    assert done.returncode == 1
    assert f"{tmp_path}/app.py hides Colloquy's own package" in done.stderr


def test_a_package_in_the_current_directory_is_only_noted(colloquy: Path, tmp_path: Path) -> None:
    done = run(colloquy, "--help", cwd=package(tmp_path))

    assert done.returncode == 0
    assert "serve" in done.stdout
    assert done.stderr.startswith("Note: app in this directory is not used by colloquy")
    assert done.stderr.count("\n") == 1


def test_a_folder_without_python_in_it_is_nobodys_package(colloquy: Path, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "page.tsx").touch()

    done = run(colloquy, "--help", cwd=tmp_path, path=str(tmp_path))

    assert (done.returncode, done.stderr) == (0, "")
