"""Answers to requests that do not fit: what was wrong and where, without the value itself.

The framework repeats the value in its answer. A value that is no JSON (NaN, half a surrogate pair) would make that answer fail,
and a password would be repeated, too.
"""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

__all__ = ["add_problems"]


def add_problems(app: FastAPI) -> None:
    """Let an application answer wrong requests with 422 and the places of what was wrong."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        faults = error.errors() if isinstance(error, RequestValidationError) else []
        detail = [{"loc": [_text(at) for at in f["loc"]], "msg": _text(f["msg"]), "type": f["type"]} for f in faults]
        return JSONResponse({"detail": detail}, 422)

    app.add_exception_handler(RequestValidationError, answer)


def _text(value: object) -> str | int:
    return value if isinstance(value, int) else str(value).encode("utf-8", "replace").decode()
