"""The table: what everybody gets at every address, and for every frame.

A new endpoint needs one line here. ``+word`` after an address tells apart requests with
different bodies, which stand in ``BODIES``; a body's ``$name`` is the owner's.
"""

from typing import Any, NamedTuple

from tests.security.people import Who

# own: it works, shows and may change what is the owner's. A number: it works, and shows
# and changes nothing of the owner's. The rest are errors.
ERRORS = {
    "sign-in": (401, "unauthenticated"),
    "password": (401, "wrong_password"),
    "forbidden": (403, "forbidden"),
    "no-chat": (404, "chat_not_found"),
    "no-session": (404, "session_not_found"),
    "nothing": (404, "not_found"),
    "none": (404, "unknown_provider"),
    "link": (422, "link_expired"),
}

HTTP = """
                                             nobody    stranger   wanderer   visitor   owner      disabled aged    revoked over       holder
POST   /chat/start                           201       201        201        201       201        sign-in  sign-in sign-in 201        201
POST   /chat/start+chat                      no-chat   no-chat    no-chat    own       own        sign-in  sign-in sign-in own        no-chat
POST   /chat/start+user                      forbidden forbidden  forbidden  forbidden own        sign-in  sign-in sign-in own        forbidden
POST   /api/v1/chat/start                    201       201        201        201       201        sign-in  sign-in sign-in 201        201
GET    /chat/conversations                   200       200        200        own       own        sign-in  sign-in sign-in own        200
GET    /chat/conversations+user              forbidden forbidden  forbidden  forbidden own        sign-in  sign-in sign-in own        forbidden
GET    /api/v1/chat/conversations            200       200        200        own       own        sign-in  sign-in sign-in own        200
GET    /chat/sessions                        200       200        200        own       own        sign-in  sign-in sign-in own        200
GET    /chat/sessions/{session_id}           sign-in   no-session no-session own       own        sign-in  sign-in sign-in own        own
DELETE /chat/sessions/{session_id}           sign-in   no-session no-session own       own        sign-in  sign-in sign-in own        own
POST   /chat/sessions/{session_id}/heartbeat sign-in   no-session no-session own       own        sign-in  sign-in sign-in no-session own
POST   /chat/sessions/{session_id}/extend    sign-in   no-session no-session own       own        sign-in  sign-in sign-in no-session own
POST   /chat/sessions/{session_id}/ticket    sign-in   no-session no-session own       own        sign-in  sign-in sign-in no-session own
POST   /chat/sessions/{session_id}/claim     sign-in   no-session sign-in    sign-in   no-session sign-in  sign-in sign-in no-session sign-in
GET    /chats/{chat_id}                      no-chat   no-chat    no-chat    own       own        sign-in  sign-in sign-in own        no-chat
GET    /chats/{chat_id}/messages             no-chat   no-chat    no-chat    own       own        sign-in  sign-in sign-in own        no-chat
GET    /chats/{chat_id}/snapshot             no-chat   no-chat    no-chat    own       own        sign-in  sign-in sign-in own        no-chat
POST   /auth/register                        201       201        201        own       201        sign-in  sign-in sign-in 201        201
POST   /auth/login                           password  password   password   password  password   sign-in  sign-in sign-in password   password
POST   /auth/logout                          200       200        200        200       own        sign-in  sign-in sign-in own        200
POST   /auth/password                        sign-in   200        sign-in    sign-in   own        sign-in  sign-in sign-in own        sign-in
POST   /auth/password+wrong                  sign-in   password   sign-in    sign-in   password   sign-in  sign-in sign-in password   sign-in
POST   /auth/password/forgot                 202       202        202        202       202        202      202     202     202        202
POST   /auth/password/reset                  link      link       link       link      link       link     link    link    link       link
POST   /auth/verify                          link      link       link       link      link       link     link    link    link       link
POST   /auth/verify/mail                     sign-in   202        sign-in    sign-in   202        sign-in  sign-in sign-in 202        sign-in
GET    /users/me                             sign-in   200        sign-in    sign-in   own        sign-in  sign-in sign-in own        sign-in
PATCH  /users/me                             sign-in   200        sign-in    sign-in   own        sign-in  sign-in sign-in own        sign-in
DELETE /users/me                             sign-in   200        sign-in    sign-in   own        sign-in  sign-in sign-in own        sign-in
DELETE /users/me+wrong                       sign-in   password   sign-in    sign-in   password   sign-in  sign-in sign-in password   sign-in
GET    /auth/providers                       200       200        200        200       200        200      200     200     200        200
GET    /auth/{provider}/login                none      none       none       none      none       sign-in  sign-in sign-in none       none
GET    /auth/{provider}/callback             none      none       none       none      none       none     none    none    none       none
POST   /auth/{provider}/callback             none      none       none       none      none       none     none    none    none       none
DELETE /auth/{provider}                      sign-in   none       sign-in    sign-in   none       sign-in  sign-in sign-in none       sign-in
GET    /users/me/providers                   sign-in   200        sign-in    sign-in   own        sign-in  sign-in sign-in own        sign-in
GET    /health/live                          200       200        200        200       200        200      200     200     200        200
GET    /health/ready                         200       200        200        200       200        200      200     200     200        200
GET    /metrics                              200       200        200        200       200        200      200     200     200        200
GET    /openapi.json                         200       200        200        200       200        200      200     200     200        200
GET    /protocol.json                        200       200        200        200       200        200      200     200     200        200
GET    /                                     200       200        200        200       200        200      200     200     200        200
GET    /assets/{name}                        nothing   nothing    nothing    nothing   nothing    nothing  nothing nothing nothing    nothing
"""  # noqa: E501 - a table is read across

BODIES: dict[str, dict[str, Any]] = {
    "POST /chat/start+chat": {"chat_id": "$chat_id"},
    "POST /chat/start+user": {"user_id": "$user_id"},
    "POST /chat/sessions/{session_id}/claim": {"token": "cst_of another session"},
    "POST /auth/register": {"email": "$new_email", "password": "correct horse battery"},
    "POST /auth/login": {"email": "$email", "password": "a wrong one"},
    "POST /auth/password": {"old": "$password", "new": "correct horse staple"},
    "POST /auth/password+wrong": {"old": "a wrong one", "new": "correct horse staple"},
    "POST /auth/password/forgot": {"email": "$email"},
    "POST /auth/password/reset": {"token": "guessed", "password": "correct horse staple"},
    "POST /auth/verify": {"token": "guessed"},
    "PATCH /users/me": {"display_name": "Eve"},
    "DELETE /users/me": {"password": "$password"},
    "DELETE /users/me+wrong": {"password": "a wrong one"},
}
QUERIES: dict[str, dict[str, Any]] = {"GET /chat/conversations+user": {"user_id": "$user_id"}}

# open: the frame is taken, and answered as in ``ANSWERS``. id: so too, because whoever knows
# the id of a visitor's session may speak there, unless the operator demands a credential.
# A number: the socket is closed with it, and the frame is not done.
FRAMES = """
       nobody stranger wanderer visitor owner disabled aged revoked over holder
hello  4001   4001     id       open    open  4001     4001 4001    4004 open
query  4001   4001     id       open    open  4001     4001 4001    4004 open
cancel 4001   4001     id       open    open  4001     4001 4001    4004 open
auth   4001   4001     id       open    open  4001     4001 4001    4004 open
ping   4001   4001     id       open    open  4001     4001 4001    4004 open
pong   4001   4001     id       open    open  4001     4001 4001    4004 open
"""

FIELDS: dict[str, dict[str, str]] = {"query": {"query": "Hello"}, "auth": {"ticket": "tkt_guessed"}}
# What a frame is answered with: the type, and an error's code. A pong is not answered.
ANSWERS: dict[str, tuple[str, str | None]] = {
    "hello": ("welcome", None),
    "query": ("ack", None),
    "cancel": ("error", "run_not_found"),
    "auth": ("error", "unauthenticated"),
    "ping": ("pong", None),
}


class Row(NamedTuple):
    """One request or frame, and what each of the people gets for it."""

    name: str
    cells: dict[Who, str]

    @property
    def method(self) -> str:
        return self.name.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.name.partition(" ")[2].partition("+")[0]


def rows(table: str) -> list[Row]:
    head, *lines = table.strip().splitlines()
    columns = [Who(name) for name in head.split()]
    assert columns == list(Who)
    found = []
    for line in lines:
        words = line.split()
        cells = words[-len(columns) :]
        found.append(Row(" ".join(words[: -len(columns)]), dict(zip(columns, cells, strict=True))))
    return found
