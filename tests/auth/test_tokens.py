"""Tokens and cookies prove what they say, and nothing else can be made to."""

import stat
import threading
from pathlib import Path
from uuid import UUID

import pytest

from app.auth.tokens import Tokens, keep_secret
from app.kit.ids import new_login_id, new_session_id, new_visitor_id

TOKENS = Tokens(b"0123456789abcdef0123456789abcdef")
OTHER = Tokens(b"another secret that is as long..")


def test_a_session_token_names_its_session() -> None:
    session_id = new_session_id()

    assert TOKENS.check_session_token(TOKENS.session_token(session_id)) == (session_id, None)


def test_a_session_token_names_the_sign_in_it_was_given_out_under() -> None:
    session_id, login_id = new_session_id(), new_login_id()
    token = TOKENS.session_token(session_id, login_id)

    assert TOKENS.check_session_token(token) == (session_id, login_id)
    assert token != TOKENS.session_token(session_id)


def test_a_token_is_the_same_every_time() -> None:
    session_id = new_session_id()

    assert TOKENS.session_token(session_id) == TOKENS.session_token(session_id)
    assert TOKENS.session_token(session_id) != OTHER.session_token(session_id)


def test_a_visitors_cookie_names_the_visitor() -> None:
    visitor = new_visitor_id()

    assert TOKENS.check_visitor_cookie(TOKENS.visitor_cookie(visitor)) == visitor


def test_one_changed_character_spoils_a_token() -> None:
    token = TOKENS.session_token(new_session_id())

    for place, char in enumerate(token):
        changed = token[:place] + ("x" if char != "x" else "y") + token[place + 1 :]
        assert TOKENS.check_session_token(changed) is None, place


@pytest.mark.parametrize(
    "text",
    ["", "_", ".", "cst_", "cst__", "cst_session-1_x", "\x00", "é" * 50, "\udcff", "a" * 10_000],
)
def test_rubbish_is_neither_token_nor_cookie(text: str) -> None:
    assert TOKENS.check_session_token(text) is None
    assert TOKENS.check_visitor_cookie(text) is None


def test_another_secret_makes_other_proofs() -> None:
    assert TOKENS.check_session_token(OTHER.session_token(new_session_id())) is None
    assert TOKENS.check_visitor_cookie(OTHER.visitor_cookie(new_visitor_id())) is None


def test_a_proof_for_one_purpose_is_none_for_another() -> None:
    visitor = new_visitor_id()
    mac = TOKENS.visitor_cookie(visitor).partition(".")[2]
    session_id = f"session-{UUID(int=visitor.int)}"

    assert TOKENS.check_session_token(f"cst_{session_id}_0_{mac}") is None


def test_the_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    first = keep_secret(folder)

    assert len(first) == 32
    assert keep_secret(folder) == first
    assert [path.name for path in folder.iterdir()] == ["secret"]
    assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600


def test_processes_that_make_the_secret_at_once_agree_on_it(tmp_path: Path) -> None:
    made: list[bytes] = []
    begin = threading.Barrier(8)

    def make() -> None:
        begin.wait()
        made.append(keep_secret(tmp_path))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 8
    assert len(set(made)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
