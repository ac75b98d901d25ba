"""uvicorn's HTTP protocol, with a bound on what comes before a request's body.

uvicorn keeps headers of any size in memory until they end, for anybody who connects.
"""

from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.web.errors import HeadTooLarge, error_body

_HEAD_BYTES = 65_536  # address and headers of one request; browsers' cookies fit several times
_DISCARD_SECONDS = 1.0  # for the rest of what nobody will read
_TOO_LARGE = HeadTooLarge("The address or the headers are too long.")
_BODY = orjson.dumps(error_body(_TOO_LARGE))
_ANSWER = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)


class BoundedHttp(HttpToolsProtocol):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._fed = 0  # bytes of a head that has not ended
        self._kept = 0  # bytes of its address and headers
        self._deaf = False

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        super().data_received(data)
        if self._in_head and not self._deaf:
            self._fed += len(data)
            if self._fed > _HEAD_BYTES:
                self._refuse()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._fed, self._kept = True, 0, 0

    def on_url(self, url: bytes) -> None:
        self._keep(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._keep(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if self._kept > _HEAD_BYTES:
            self._refuse()
        else:
            super().send_400_response(msg)

    def _keep(self, size: int) -> None:
        self._kept += size
        if self._kept > _HEAD_BYTES:
            raise _TOO_LARGE

    def _refuse(self) -> None:
        # Closed at once, with the rest unread, the kernel would reset the connection, and
        # the client would lose the very answer that tells it why.
        self._deaf = True
        self.headers = []
        self.transport.write(_ANSWER)
        self.loop.call_later(_DISCARD_SECONDS, self.transport.close)
