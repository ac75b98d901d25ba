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


class UnknownProvider(AppError):
    """One cannot sign in with this provider here."""

    code = "unknown_provider"
    kind = Kind.NOT_FOUND


class SignInExpired(AppError):
    """The sign-in at a provider was begun too long ago, in another browser, or is over already."""

    code = "sign_in_expired"
    kind = Kind.INVALID


class SignInRefused(AppError):
    """The provider, or the person there, said no."""

    code = "sign_in_refused"
    kind = Kind.INVALID


class BadIdentity(AppError):
    """What the provider, or somebody in its name, said of a person proves nothing."""

    code = "bad_identity"
    kind = Kind.UNAUTHENTICATED


class ProviderUnavailable(AppError):
    """The provider does not answer, or not as it should."""

    code = "provider_unavailable"
    kind = Kind.UNAVAILABLE


class AlreadyLinked(AppError):
    """This person of the provider belongs to another account."""

    code = "already_linked"
    kind = Kind.CONFLICT


class LastSignIn(AppError):
    """Without this provider, nobody could sign in to the account any more."""

    code = "last_sign_in"
    kind = Kind.CONFLICT
