"""The set-up of a checkout: what is locked, what is found, what is done only once."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-node.lock"]
ENTRY = re.compile(r"^([A-Za-z0-9][^\s=;]*)==(\S+)(.*)$", re.MULTILINE)


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, set on a checkout that holds nothing but ``web/`` and the locks."""
    monkeypatch.delenv("CHROMIUM", raising=False)  # `make test` says which one it found
    script = tmp_path / "deploy" / "setup.py"
    script.parent.mkdir()
    script.write_text((REPOSITORY / "deploy" / "setup.py").read_text())
    spec = importlib.util.spec_from_file_location("checkout_setup", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in LOCKS:
        (tmp_path / name).write_text("")
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "web" / "src").mkdir(parents=True)
    (tmp_path / "web" / "package-lock.json").write_text("{}")
    (tmp_path / "web" / "src" / "main.ts").write_text("1")
    monkeypatch.setenv("PATH", f"{tmp_path}/tools:/usr/bin:/bin")
    return module


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def entries(lock: str) -> set[tuple[str, str, str]]:
    return set(ENTRY.findall((REPOSITORY / lock).read_text()))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_hashes_and_no_addresses(lock: str) -> None:
    text = (REPOSITORY / lock).read_text()

    blocks = re.split(r"\n(?=\S)", text.strip())

    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", block) for block in blocks)
    assert len(blocks) == len(entries(lock))
    assert not re.search(r"://|index|find-links|file:|@", text)


def test_everything_the_project_names_is_locked_at_a_version_that_fits() -> None:
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    locked: dict[str, set[str]] = {}
    for name, version, _ in entries("requirements.lock"):
        locked.setdefault(canonicalize_name(name), set()).add(version)

    for requirement in map(Requirement, wanted):
        versions = locked[canonicalize_name(requirement.name)]
        assert all(version in requirement.specifier for version in versions)


def test_the_development_lock_agrees_with_the_one_that_runs() -> None:
    assert entries("requirements.lock") <= entries("requirements-dev.lock")
    node = {(name, version) for name, version, _ in entries("requirements-node.lock")}
    assert node <= {(name, version) for name, version, _ in entries("requirements-dev.lock")}


def test_a_lock_is_whole_so_that_nothing_is_resolved_when_it_is_installed() -> None:
    """pip, resolving, once asked for a release newer than the lock: `one[extra]` was not in it."""
    script = (REPOSITORY / "deploy" / "setup.py").read_text()
    image = (REPOSITORY / "Dockerfile").read_text()

    done = subprocess.run(
        [sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout
    for text in (script, image):
        assert text.count("--require-hashes") == len(
            re.findall(r"--no-deps\W{1,4}--require-hashes", text)
        )


def test_the_page_is_built_once_for_the_same_files(setup: ModuleType, tmp_path: Path) -> None:
    program(tmp_path / "tools" / "node", "echo v22.1.0")
    program(
        tmp_path / "tools" / "npm",
        f'echo "$1" >> {tmp_path}/calls\n'
        'if [ "$1" = ci ]; then mkdir -p node_modules; else\n'
        "mkdir -p ../app/web/static; touch ../app/web/static/index.html; fi",
    )
    (tmp_path / ".venv").mkdir()

    def calls() -> list[str]:
        setup.build_page()
        return (tmp_path / "calls").read_text().split()

    assert calls() == ["ci", "run"]
    assert calls() == ["ci", "run"]
    (tmp_path / "web" / "src" / "main.ts").write_text("2")
    assert calls() == ["ci", "run", "run"]
    (tmp_path / "web" / "package-lock.json").write_text('{"other": 1}')
    assert calls() == ["ci", "run", "run", "ci", "run"]


def test_packages_are_installed_once_for_the_same_lock(setup: ModuleType, tmp_path: Path) -> None:
    program(tmp_path / ".venv" / "bin" / "python", f'echo "$*" >> {tmp_path}/calls')

    def installed(*, dev: bool) -> list[str]:
        (tmp_path / "calls").write_text("")
        setup.install_packages(dev=dev)
        return re.findall(r"--requirement \S+/(\S+)", (tmp_path / "calls").read_text())

    (tmp_path / "requirements-dev.lock").write_text("more")
    assert installed(dev=False) == ["requirements.lock"]
    assert installed(dev=False) == []
    assert installed(dev=True) == ["requirements-dev.lock"]
    assert installed(dev=False) == []
    (tmp_path / "requirements.lock").write_text("newer")
    assert installed(dev=False) == ["requirements.lock"]


def test_a_checkout_that_was_moved_is_set_up_anew(setup: ModuleType, tmp_path: Path) -> None:
    program(tmp_path / ".venv" / "bin" / "python", f'echo "$*" >> {tmp_path}/calls')
    setup.install_packages(dev=False)
    state = json.loads((tmp_path / ".venv" / "colloquy-setup.json").read_text())
    moved = {**state, "at": "/somewhere/else/.venv"}
    (tmp_path / ".venv" / "colloquy-setup.json").write_text(json.dumps(moved))
    (tmp_path / "calls").write_text("")

    setup.install_packages(dev=False)

    assert "--editable" in (tmp_path / "calls").read_text()


@pytest.mark.parametrize(
    ("version", "fits"),
    [("v20.19.0", True), ("v24.1.0", True), ("v20.18.9", False), ("v18.0.0", False)],
)
def test_a_node_too_old_is_replaced_by_one_in_the_environment(
    setup: ModuleType, tmp_path: Path, version: str, fits: bool
) -> None:
    program(tmp_path / "tools" / "node", f"echo {version}")
    program(tmp_path / "tools" / "npm", "")
    program(tmp_path / ".venv" / "bin" / "npm", "")

    path = setup.node_environment()["PATH"]

    assert path.startswith(f"{tmp_path}/.venv/bin") is not fits


def test_the_oldest_node_is_the_one_the_page_asks_for(setup: ModuleType) -> None:
    engines = json.loads((REPOSITORY / "web" / "package.json").read_text())["engines"]

    assert engines["node"] == ">=" + ".".join(map(str, setup.NODE_AT_LEAST))


def test_a_browser_that_is_named_comes_first(
    setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "tools" / "chromium", "exit 0")
    program(tmp_path / "mine", "exit 0")

    assert setup.find_browser() == f"{tmp_path}/tools/chromium"
    monkeypatch.setenv("CHROMIUM", f"{tmp_path}/mine")
    assert setup.find_browser() == f"{tmp_path}/mine"


def test_a_browser_that_does_not_start_does_not_count(
    setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "tools" / "chromium", "exit 127")
    program(tmp_path / ".venv" / "bin" / "python", f"echo {tmp_path}/playwright")
    program(tmp_path / "playwright", "exit 0")
    monkeypatch.setattr(setup, "_BROWSERS", ("chromium",))

    assert setup.find_browser() == f"{tmp_path}/playwright"


def test_without_any_browser_it_says_what_to_install(
    setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / ".venv" / "bin" / "playwright", "exit 1")
    program(tmp_path / ".venv" / "bin" / "python", "exit 1")
    program(tmp_path / "tools" / "apt-get", "exit 100")
    monkeypatch.setattr(setup, "_BROWSERS", ())

    with pytest.raises(SystemExit, match="apt install chromium"):
        setup.ensure_browser()


def test_an_old_python_is_passed_over_and_a_missing_one_explained(tmp_path: Path) -> None:
    shutil = (REPOSITORY / "deploy" / "python").read_text()
    script = tmp_path / "python"
    script.write_text(shutil)
    script.chmod(0o755)
    program(tmp_path / "old" / "python3", "exit 1")
    program(tmp_path / "new" / "python3.12", f'exec {sys.executable} "$@"')
    environ = {"PATH": f"{tmp_path}/old:{tmp_path}/new"}

    found = start(script, tmp_path, environ)
    nothing = start(script, tmp_path, {"PATH": f"{tmp_path}/old"})

    assert (found.returncode, found.stdout) == (0, "3\n")
    assert nothing.returncode == 1
    assert nothing.stderr.startswith("Colloquy needs Python 3.11 or newer")
    assert nothing.stderr.count("\n") == 1


def start(script: Path, cwd: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(script), "-c", "import sys; print(sys.version_info[0])"],
        cwd=cwd,
        env=environ,
        check=False,
        capture_output=True,
        text=True,
    )


def test_ci_runs_what_the_readme_says() -> None:
    script = REPOSITORY / ".ci" / "run"

    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-2:] == ["make lint", "make test"]
    subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.parametrize(
    "target", ["run", "setup", "page", "test", "lint", "bench", "lock", "clean"]
)
def test_make_knows_its_targets(target: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", target], cwd=REPOSITORY, check=False, capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
