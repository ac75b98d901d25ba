"""What the kernel is told before the first connection, and of every one before it is read."""

import socket
import subprocess
import sys

import pytest

from app.serving import PortTaken, _listen
from app.settings import load_settings


def test_accepted_connections_are_given_up_when_nothing_is_acknowledged() -> None:
    settings = load_settings({}, port=0, connections={"tcp_user_timeout_ms": 12_345})
    with _listen(settings) as listener, socket.socket() as client:
        client.connect(listener.getsockname())
        listener.setblocking(True)
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            if sys.platform == "linux":
                option = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                assert option == 12_345


def test_an_address_that_is_taken_is_said_so() -> None:
    with _listen(load_settings({}, port=0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} is in use"):
            _listen(load_settings({}, port=port))


@pytest.mark.parametrize(
    ("wanted", "allowed"), [(900, 900), (100, 256), (5_000, 1_000)], ids=["more", "less", "beyond"]
)
def test_the_limit_of_open_files_is_raised_as_far_as_may_be(wanted: int, allowed: int) -> None:
    program = (
        "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (256, 1_000));"
        "from app.serving import allow_files;"
        f"allow_files({wanted}); print(r.getrlimit(r.RLIMIT_NOFILE)[0])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert int(done.stdout) == allowed
