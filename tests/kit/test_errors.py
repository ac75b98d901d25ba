"""Expected failures: one code each, a message for people, a context for the log."""

import pytest

from app.kit.errors import AppError, Kind, Unavailable


def test_two_errors_cannot_share_a_code() -> None:
    with pytest.raises(TypeError, match="'unavailable' of Unavailable"):
        type("Twin", (AppError,), {"code": "unavailable"})

    assert AppError.codes["unavailable"] is Unavailable


def test_an_error_needs_a_code_of_its_own() -> None:
    with pytest.raises(TypeError, match="'internal' of AppError"):
        type("Nameless", (AppError,), {})


def test_the_context_is_not_part_of_what_people_read() -> None:
    error = Unavailable("Wait.", retry_after_ms=5, chat_id="c1")

    assert str(error) == error.message == "Wait."
    assert error.context == {"chat_id": "c1"}
    assert error.retry_after_ms == 5


@pytest.mark.parametrize("kind", Kind)
def test_only_what_waiting_can_cure_is_temporary(kind: Kind) -> None:
    class Fault(AppError):
        code = f"fault_{kind}"

    Fault.kind = kind
    try:
        assert Fault("x").temporary == (kind in {Kind.LIMITED, Kind.UNAVAILABLE})
    finally:
        del AppError.codes[Fault.code]
