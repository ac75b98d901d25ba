"""Values of the users room that other rooms see."""

from typing import NamedTuple

from app.kit.ids import UserId, VisitorId


class Owner(NamedTuple):
    """Who a session or a chat belongs to: a user, or an anonymous visitor. Exactly one."""

    user_id: UserId | None
    visitor_id: VisitorId | None

    @property
    def is_anonymous(self) -> bool:
        return self.user_id is None
