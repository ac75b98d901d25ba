"""Close codes: what the code uses is in the table that clients read."""

import json

import pytest

import app.protocol.close as module
from app.protocol.close import Close, ConnectionEnded, close_table, draining, rate_limited

ALL = [value for value in vars(module).values() if isinstance(value, Close)]


@pytest.mark.parametrize("close", [*ALL, rate_limited(1), draining(1)], ids=lambda close: close[0])
def test_every_close_the_server_makes_is_in_the_table(close: Close) -> None:
    assert close.code in close_table()


@pytest.mark.parametrize(
    "close", [*ALL, rate_limited(2**53), draining(2**53)], ids=lambda close: close[0]
)
def test_a_reason_fits_into_a_close_frame(close: Close) -> None:
    assert len(close.reason.encode()) < 124


@pytest.mark.parametrize("row", close_table().values(), ids=lambda row: row["name"])
def test_the_hundreds_of_a_code_say_what_to_do(row: dict[str, object]) -> None:
    actions = {10: "stop", 40: "stop", 41: "backoff", 42: "now"}

    assert row["action"] == actions[int(str(row["code"])) // 100]


def test_no_code_stands_for_two_things() -> None:
    rows = json.loads(module.TABLE.read_text("utf-8"))["codes"]

    assert len({row["code"] for row in rows}) == len(rows) == len({row["name"] for row in rows})
    assert len({close.code for close in ALL}) == len(ALL)


def test_waits_are_told_as_json() -> None:
    assert json.loads(rate_limited(700).reason) == {"retry_after_ms": 700}
    assert json.loads(draining(900).reason) == {"delay_ms": 900}


def test_an_ended_connection_says_why() -> None:
    assert str(ConnectionEnded(module.TOO_SLOW)) == "4109 too slow"
