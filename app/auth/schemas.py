"""Signing up and in, on the wire."""

from pydantic import BaseModel

from app.users.schemas import Email, Name, Secret, UserView


class RegisterBody(BaseModel):
    email: Email
    password: Secret
    display_name: Name | None = None
    claim: bool = True
    """Whether the chats of this browser's visitor become the account's."""


class LoginBody(BaseModel):
    email: Email
    password: Secret
    claim: bool = True
    """Whether the chats of this browser's visitor become the account's."""


class SignedInView(BaseModel):
    user: UserView
    token: str
    """For clients without cookies: ``Authorization: Bearer``."""
    expires_at: str
    claimed_chats: int


class LogoutBody(BaseModel):
    everywhere: bool = False


class SignedOutView(BaseModel):
    ended: int
    """Sign-ins that were ended."""


class PasswordBody(BaseModel):
    old: Secret
    new: Secret


class ForgotBody(BaseModel):
    email: Email


class ResetBody(BaseModel):
    token: Secret
    password: Secret


class VerifyBody(BaseModel):
    token: Secret


class DoneView(BaseModel):
    done: bool = True
