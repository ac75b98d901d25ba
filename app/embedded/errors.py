"""What can be wrong with a data directory, or with the servers that live in it."""

from app.kit.errors import AppError, Kind


class DataDirNotDirectory(AppError):
    """The data directory, or something above it, is a file."""

    code = "data_dir_not_directory"
    kind = Kind.INVALID


class DataDirUnwritable(AppError):
    """The data directory cannot be made or written: permissions, read-only or full disk."""

    code = "data_dir_unwritable"
    kind = Kind.INVALID


class DataDirOwner(AppError):
    """The data directory, or a folder in it, belongs to another account."""

    code = "data_dir_owner"
    kind = Kind.FORBIDDEN


class DataDirVersion(AppError):
    """The data directory holds a database of another PostgreSQL, or something else."""

    code = "data_dir_version"
    kind = Kind.CONFLICT


class DataDirUnreachable(AppError):
    """We are root, and the account the servers run as cannot enter the data directory."""

    code = "data_dir_unreachable"
    kind = Kind.INVALID


class DataDirBusy(AppError):
    """Another process kept the data directory locked for too long."""

    code = "data_dir_busy"
    kind = Kind.UNAVAILABLE


class ServerBinariesMissing(AppError):
    """The servers' binaries are not installed, or not made for this machine."""

    code = "server_binaries_missing"
    kind = Kind.INTERNAL


class ServerFailed(AppError):
    """An embedded server does not start; the last line of its log is in the message."""

    code = "server_failed"
    kind = Kind.UNAVAILABLE
