"""What stands before every request: own origin only, small bodies, headers that keep the browser from leaving the machine."""

from __future__ import annotations

import logging
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["BODY_BYTES_MAX", "Guard", "same_origin"]

_log = logging.getLogger(__name__)

BODY_BYTES_MAX = 8192
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


def same_origin(headers: Headers) -> bool:
    """Tell whether a request comes from the page itself, or from no browser.

    Browsers name the origin in every POST and every socket they open, so a request without one was made by a program, which
    carries no cookie of somebody else.
    """
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    return bool(urlsplit(origin).netloc) and urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


class Guard:
    """Refuses what does not belong here before the application sees it.

    Parameters
    ----------
    app : what is guarded.
    loopback : serve only requests that name this machine, so that a name which an attacker points at 127.0.0.1 reaches nothing.
    tls : add HSTS.
    refused : told of a refusal: client address, what, why.
    """

    def __init__(self, app: ASGIApp, loopback: bool, tls: bool, refused: Callable[[str, str, str], None]) -> None:
        self._app, self._loopback, self._refused = app, loopback, refused
        self._headers = dict(_HEADERS)
        if tls:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        problem = self._problem(scope, headers)
        if problem is not None:
            status, text = problem
            self._refused((scope.get("client") or ("?",))[0], f"{scope.get('method', 'socket')} {scope['path'][:200]}", text)
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 4403, "reason": text})
            else:
                await JSONResponse({"detail": text}, status)(scope, receive, self._with_headers(send))
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        body = await self._body(receive) if scope["method"] not in _SAFE_METHODS else b""
        if body is None:
            self._refused((scope.get("client") or ("?",))[0], f"{scope['method']} {scope['path'][:200]}", "body too large")
            response = JSONResponse({"detail": f"a body has at most {BODY_BYTES_MAX} bytes"}, 413, {"Connection": "close"})
            await response(scope, receive, self._with_headers(send))
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, self._with_headers(send))

    def _problem(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            name = None
        if self._loopback and name not in _LOOPBACK_NAMES:
            return 421, "this page serves this machine only; open it as 127.0.0.1 or localhost"
        if (scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS) and not same_origin(headers):
            return 403, "the request comes from another page"
        return None

    @staticmethod
    async def _body(receive: Receive) -> bytes | None:
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > BODY_BYTES_MAX:
                return None
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return bytes(body)

    def _with_headers(self, send: Send) -> Send:
        async def wrapped(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
            await send(message)

        return wrapped
