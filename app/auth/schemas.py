"""Signing up and in, on the wire."""

from pydantic import BaseModel, Field

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


class ProvidersView(BaseModel):
    providers: list[str]


class LinkedProvider(BaseModel):
    provider: str
    email: str | None
    linked_at: str


class LinkedView(BaseModel):
    providers: list[LinkedProvider]


class ProviderAnswer(BaseModel):
    """What a provider sends back by way of the browser."""

    state: str = Field(default="", max_length=512)
    code: str = Field(default="", max_length=4_096)
    error: str = Field(default="", max_length=512)
    user: str = Field(default="", max_length=4_096)
    """Apple, the first time: the person's name, as JSON."""


class DoneView(BaseModel):
    done: bool = True
