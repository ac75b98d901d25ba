"""The data directory: what lies where in it, and whether it can be used."""

import hashlib
import os
import pwd
import re
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.embedded.errors import (
    DataDirNotDirectory,
    DataDirOwner,
    DataDirUnwritable,
    DataDirVersion,
)
from app.embedded.process import Account, account_name

POSTGRES_MAJOR = "18"
POSTGRES_PORT = 5432  # no port is opened; it is part of the socket's name

_LONGEST_SOCKET = f".s.PGSQL.{POSTGRES_PORT}"
# sun_path without its final NUL: unix(7) on Linux, unix(4) on macOS
_SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103

# Not TMPDIR: processes of one data directory must find each other whatever it says.
_SHORT_ROOT = Path("/tmp")  # noqa: S108  (the folder made in it is private, and checked)

# PostgreSQL refuses to run as root. The first of these that exists runs the servers then.
_UNPRIVILEGED = ("postgres", "nobody")

# A path of these needs no quoting in any setting, on any command line, in any URL.
_PLAIN = re.compile(r"[A-Za-z0-9/._-]+")


@dataclass(frozen=True, slots=True)
class Place:
    """A data directory that this process may use."""

    root: Path
    account: Account | None
    """Whom the servers run as; None: as ourselves."""
    sockets: Path

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        return self.root / "valkey"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def holders(self) -> Path:
        return self.root / "holders.json"


def open_place(data_dir: Path) -> Place:
    """Make the data directory if there is none, and check that it is ours.

    Blocks on the file system for a moment. Nothing that exists is changed.

    Raises:
        DataDirNotDirectory: a file is in the way.
        DataDirUnwritable: it cannot be made or written.
        DataDirOwner: it belongs to somebody else.
        DataDirVersion: another PostgreSQL's data is in it.
    """
    root = _make_root(data_dir)
    owner = root.stat().st_uid
    if owner != os.geteuid():
        raise _not_ours(root, owner)
    if not os.access(root, os.W_OK | os.X_OK):
        raise DataDirUnwritable(f"The data directory {root} cannot be written to.")
    account = _account(root / "postgres")
    _check_version(root / "postgres")
    return Place(root=root, account=account, sockets=_socket_directory(root))


def furnish(place: Place) -> None:
    """Make the folders the servers need. Only for the holder of the directory's lock."""
    _private(place.valkey, place.account)
    _private(place.sockets, place.account)


def _make_root(data_dir: Path) -> Path:
    root = data_dir.expanduser().resolve()
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        root.mkdir(mode=0o700)
        if os.geteuid() == 0:
            # Root's servers run as another account, which must be able to pass through;
            # what is inside stays closed to everybody else.
            root.chmod(0o711)
    except (NotADirectoryError, FileExistsError) as error:
        if not root.is_dir():
            raise DataDirNotDirectory(f"The data directory {root} is not a directory.") from error
    except OSError as error:
        raise DataDirUnwritable(
            f"The data directory {root} cannot be made: {error.strerror}."
        ) from error
    return root


def _account(cluster: Path) -> Account | None:
    """Whom the servers run as: for root, the owner of the data, or an unprivileged account."""
    owner = cluster.stat().st_uid if cluster.exists() else None
    if os.geteuid() != 0:
        if owner is not None and owner != os.geteuid():
            raise _not_ours(cluster, owner)
        return None
    known = []
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        known.append(Account(name, entry.pw_uid, entry.pw_gid))
    if not known:
        raise DataDirOwner(
            "PostgreSQL refuses to run as root, and there is no account "
            f"{' or '.join(_UNPRIVILEGED)} to run it as; start Colloquy as an ordinary user."
        )
    for account in known:
        if owner is None or owner == account.uid:
            return account
    raise _not_ours(cluster, owner or 0, known[0])


def _check_version(cluster: Path) -> None:
    try:
        if not any(cluster.iterdir()):
            return
        found = (cluster / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        if not cluster.exists():
            return
        found = ""
    except NotADirectoryError:
        found = ""
    if not found:
        raise DataDirVersion(
            f"{cluster} is in the way: it holds no PostgreSQL database; choose another --data-dir."
        )
    if found != POSTGRES_MAJOR:
        raise DataDirVersion(
            f"{cluster} holds a database of PostgreSQL {found}, and Colloquy brings version "
            f"{POSTGRES_MAJOR}; choose another --data-dir, or dump it with version {found}."
        )


def _socket_directory(root: Path) -> Path:
    """Return ``root/run``, or a folder with a short name if that path is too long."""
    near = root / "run"
    longest = os.fsencode(near / _LONGEST_SOCKET)
    if len(longest) <= _SOCKET_PATH_BYTES and _PLAIN.fullmatch(str(near)):
        return near
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return _SHORT_ROOT / f"colloquy-{digest}"


def _private(path: Path, account: Account | None) -> None:
    """Make ``path`` a folder of mode 0700 that belongs to ``account``, or check that it is.

    A folder that is there already is never changed: it could be anybody's.
    """
    owner = os.geteuid() if account is None else account.uid
    try:
        if not path.is_symlink() and not path.exists():
            fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
            if account is not None:
                os.chown(fresh, account.uid, account.gid)
            fresh.rename(path)
    except OSError as error:
        raise DataDirUnwritable(f"{path} cannot be made: {error.strerror}.") from error
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise DataDirNotDirectory(f"{path} is not a directory.")
    if found.st_uid != owner:
        raise _not_ours(path, found.st_uid, account)
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise DataDirOwner(f"{path} is open to other accounts, and must be of mode 0700.")


def _not_ours(path: Path, owner: int, account: Account | None = None) -> DataDirOwner:
    ours = account_name(os.geteuid()) if account is None else account.name
    return DataDirOwner(
        f"{path} belongs to {account_name(owner)}, and Colloquy's servers run as {ours} here; "
        "choose another --data-dir, or start as its owner."
    )
