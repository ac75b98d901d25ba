"""What HTTP answers must look like."""

from typing import Any

import httpx


def error_of(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is this error in the one error shape; return it."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json"), (
        answer.text
    )
    body = answer.json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) <= {"code", "message", "retry_after_ms", "details"}
    assert error["code"] == code
    assert error["message"]
    assert error["message"][-1] in ".!"
    return error


def bearer(session: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {session['token']}"}
