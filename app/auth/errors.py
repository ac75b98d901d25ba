"""Errors of the auth room."""

from app.kit.errors import AppError, Kind


class Unauthenticated(AppError):
    """The credential is missing, wrong, used or expired."""

    code = "unauthenticated"
    kind = Kind.UNAUTHENTICATED


class Forbidden(AppError):
    """Known, but not allowed."""

    code = "forbidden"
    kind = Kind.FORBIDDEN


class WrongPassword(AppError):
    """The e-mail address and the password do not belong together, or nobody has the address."""

    code = "wrong_password"
    kind = Kind.UNAUTHENTICATED


class AccountDisabled(AppError):
    """The operator has disabled this account."""

    code = "account_disabled"
    kind = Kind.FORBIDDEN


class BadPassword(AppError):
    """The new password is too short, too long, or is the e-mail address."""

    code = "bad_password"
    kind = Kind.INVALID


class BadEmail(AppError):
    """This is no e-mail address."""

    code = "bad_email"
    kind = Kind.INVALID


class LinkExpired(AppError):
    """The link of the mail was used already, or is too old."""

    code = "link_expired"
    kind = Kind.INVALID


class TooManyTries(AppError):
    """Too many wrong passwords for this account, or from this address."""

    code = "too_many_tries"
    kind = Kind.LIMITED


class TooBusy(AppError):
    """More people sign in at this moment than the server can check."""

    code = "too_busy"
    kind = Kind.UNAVAILABLE
