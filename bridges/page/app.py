"""The page's addresses: files, REST with OpenAPI, and the socket.

Every address but the login wants a session cookie; commands want the role of an engineer; people's places that of safety.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response, WebSocket, WebSocketDisconnect
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse
from fastapi.security import APIKeyCookie
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp

from bridges.inbox import Answer, Command, Inbox, Value
from bridges.page.audit import Audit
from bridges.page.guard import Guard
from bridges.page.heat import LAYERS
from bridges.page.hub import Hub
from bridges.page.problems import add_problems
from bridges.page.users import PageUsers, Session, Sessions, may_see_people, may_steer
from bridges.page.whatif import add_jobs

__all__ = ["COOKIE", "PAGES", "make_app"]

COOKIE = "factory_twin_session"
PAGES = ("floor", "services", "outages", "machines", "whatif", "map", "settings")
_STATIC = Path(__file__).parent / "static"
_ANSWER_S = 5.0
_LOOK_S = 2.0
_TIME_US_MAX = 2**53 - 1
"""Largest whole number that every JSON reader keeps exactly."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Login(_Body):
    """A name and its password."""

    user: str = Field(min_length=1, max_length=64, description="User name.")
    password: str = Field(min_length=1, max_length=200, description="Password.")


class CommandBody(_Body):
    """Something asked of the twin."""

    name: Literal[
        "pause", "resume", "set_speed", "set_policy", "stop_agv", "release_agv", "detour_agv", "switch_trp_off",
        "switch_trp_on", "accept_advice", "undo",
    ] = Field(description="Command.")  # fmt: skip
    target: str = Field("", max_length=64, description="AGV, TRP or device, for commands that are about one.")
    kind: Literal["risk", "agv_slow", "agv_detour", "serve_from"] | None = Field(None, description="Advice, for accept_advice.")
    factor: float | None = Field(None, ge=0.1, le=20, description="Twin time over wall time, for set_speed.")
    policy: str | None = Field(None, min_length=1, max_length=64, description="Policy, for set_policy.")


class CommandAnswer(BaseModel):
    """What became of a command."""

    done: bool = Field(description="Whether it was carried out.")
    message: str = Field(description="What was done, or why it was not.")


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str = Field(description="What was wrong, and what would be right.")


_REFUSALS: dict[int | str, dict[str, Any]] = {401: {"model": Problem, "description": "no login, or an expired one"}}
_STEER: dict[int | str, dict[str, Any]] = {
    **_REFUSALS,
    400: {"model": Problem, "description": "the body is no text"},
    403: {"model": Problem, "description": "the role may not do this"},
    409: {"model": Problem, "description": "the twin refused"},
    413: {"model": Problem, "description": "the body is too large"},
    429: {"model": Problem, "description": "too many commands wait"},
    202: {"model": CommandAnswer, "description": "handed in; the twin has not answered yet"},
}


_cookie = APIKeyCookie(name=COOKIE, auto_error=False)


def session_of(request: Request, token: Annotated[str | None, Depends(_cookie)]) -> Session:
    """Return the login of a request, or refuse it."""
    session: Session | None = request.app.state.sessions.find(token)
    if session is None:
        raise HTTPException(401, "no login, or an expired one; log in at /login")
    return session


def steering_of(session: Annotated[Session, Depends(session_of)]) -> Session:
    """Return the login of a request whose user may steer, or refuse it."""
    if not may_steer(session.role):
        raise HTTPException(403, f"role {session.role} only looks; ask for the role engineer")
    return session


def make_app(
    hub: Hub,
    users: PageUsers,
    sessions: Sessions,
    inbox: Inbox | None,
    audit: Audit,
    *,
    loopback: bool,
    tls: bool,
    extras: Sequence[Callable[[FastAPI], None]] = (),
) -> ASGIApp:
    """Return the application.

    Parameters
    ----------
    hub : what is shown.
    users, sessions : who may log in, and who has.
    inbox : where commands go; None for a page that only shows.
    audit : log of logins, refusals and actions.
    loopback, tls : as in :class:`bridges.page.guard.Guard`.
    extras : each adds further addresses.
    """
    # FastAPI's own documentation pages load scripts from elsewhere, so there are none
    app = FastAPI(title="factory-twin", version="1", docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    app.state.sessions = sessions
    add_problems(app)
    _add_files(app, sessions)
    _add_login(app, users, sessions, audit, tls)
    _add_reading(app, hub, audit)
    _add_actions(app, hub, inbox, audit)
    add_jobs(app, inbox, audit, session_of, steering_of)
    _add_socket(app, hub, sessions, audit)
    for add in extras:
        add(app)

    def refused(client: str, what: str, why: str) -> None:
        audit.add("refused", client=client, what=what, why=why)

    return Guard(app, loopback, tls, refused)


def _add_files(app: FastAPI, sessions: Sessions) -> None:
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")

    @app.get("/login", include_in_schema=False)
    def login_page() -> FileResponse:
        return FileResponse(_STATIC / "login.html")

    @app.get("/", include_in_schema=False)
    def start() -> RedirectResponse:
        return RedirectResponse("/floor")

    def page(request: Request) -> Response:
        if sessions.find(request.cookies.get(COOKIE)) is None:
            return RedirectResponse("/login")
        return FileResponse(_STATIC / "index.html")

    for name in PAGES:
        app.get(f"/{name}", include_in_schema=False)(page)


def _add_login(app: FastAPI, users: PageUsers, sessions: Sessions, audit: Audit, tls: bool) -> None:
    one_at_a_time = asyncio.Semaphore(2)  # a password costs 16 MiB and 40 ms: a flood of logins must not take the machine

    @app.post(
        "/api/login",
        responses={400: {"model": Problem}, 401: {"model": Problem}, 413: {"model": Problem}, 429: {"model": Problem}},
    )
    async def login(body: Login, request: Request, response: Response) -> dict[str, str]:
        """Log in; the answer sets the session's cookie."""
        client = request.client.host if request.client else "?"
        if sessions.must_wait(body.user):
            audit.add("login_refused", user=body.user, client=client, why="too many wrong passwords")
            raise HTTPException(429, "too many wrong passwords for this user; wait a minute")
        async with one_at_a_time:
            role = await asyncio.to_thread(users.role_of, body.user, body.password)
        if role is None:
            sessions.failed(body.user)
            audit.add("login_refused", user=body.user, client=client, why="wrong user or password")
            raise HTTPException(401, "wrong user or password")
        token = sessions.open(body.user, role)
        response.set_cookie(COOKIE, token, httponly=True, secure=tls, samesite="strict", path="/")
        audit.add("login", user=body.user, role=role, client=client)
        return {"user": body.user, "role": role}

    @app.post("/api/logout", responses={413: {"model": Problem}})
    def logout(request: Request, response: Response) -> dict[str, bool]:
        """Log out; harmless without a login."""
        sessions.close(request.cookies.get(COOKIE))
        response.delete_cookie(COOKIE, httponly=True, secure=tls, samesite="strict", path="/")
        return {"done": True}


def _add_reading(app: FastAPI, hub: Hub, audit: Audit) -> None:
    need = [Depends(session_of)]

    def part(name: str) -> Callable[..., JSONResponse]:
        def read(session: Annotated[Session, Depends(session_of)]) -> JSONResponse:
            content = hub.view.to_json_dict() if hub.view is not None else {}
            if not may_steer(session.role):
                content.pop("advice", None)
            return JSONResponse(content if name == "view" else content.get(name, []))

        read.__doc__ = f"Return the latest {name}."
        return read

    for name in ("view", "machines", "links", "services", "zones"):
        app.get(f"/api/{name}", responses=_REFUSALS, name=name)(part(name))

    @app.get("/api/outages", dependencies=need, responses=_REFUSALS)
    def outages() -> list[dict[str, Any]]:
        """Return the last 500 outages, newest first."""
        return [o.to_json_dict() for o in reversed(hub.watch.outages)]

    @app.get("/api/alarms", dependencies=need, responses=_REFUSALS)
    def alarms() -> list[dict[str, Any]]:
        """Return the last 500 alarms, newest first."""
        return [a.to_json_dict() for a in reversed(hub.watch.alarms)]

    @app.get("/api/scene", dependencies=need, responses=_REFUSALS)
    def scene() -> dict[str, Any]:
        """Return the hall."""
        return hub.scene.to_json_dict()

    @app.get("/api/history", dependencies=need, responses=_REFUSALS)
    def history() -> dict[str, int | None]:
        """Return the first and last time [us] that can be looked back at."""
        first, last = hub.history.span_us or (None, None)
        return {"start_us": first, "end_us": last}

    @app.get("/api/frames", dependencies=need, responses=_REFUSALS)
    def frames(
        start_us: Annotated[int, Query(ge=0, le=_TIME_US_MAX, description="Twin time of the first one wanted [us].")],
        count: Annotated[int, Query(ge=1, le=50, description="How many.")] = 1,
    ) -> Response:
        """Return tick messages of the past, as the socket sent them."""
        return Response("[" + ",".join(hub.history.frames(start_us, count)) + "]", media_type="application/json")

    @app.get("/api/heat/{layer}", dependencies=need, responses=_REFUSALS)
    def heat(layer: Annotated[Literal[LAYERS], PathParameter(description="Which layer.")]) -> dict[str, Any]:  # type: ignore[valid-type]
        """Return what has happened where since the page was started."""
        return hub.heat.to_json_dict(layer)

    @app.get("/api/advice", dependencies=[Depends(steering_of)], responses={**_REFUSALS, 403: {"model": Problem}})
    def advice() -> list[dict[str, Any]]:
        """Return the advice that stands; it names machines' next steps, so viewers do not get it."""
        return [a.to_json_dict() for a in (hub.view.advice if hub.view is not None else None) or ()]

    @app.get("/api/audit", dependencies=[Depends(steering_of)], responses={**_REFUSALS, 403: {"model": Problem}})
    def audited() -> list[dict[str, Any]]:
        """Return the latest entries of the audit log, newest first."""
        return audit.recent()


def _add_actions(app: FastAPI, hub: Hub, inbox: Inbox | None, audit: Audit) -> None:
    @app.post("/api/alarms/{number}/acknowledge", responses={**_REFUSALS, 403: {"model": Problem}, 404: {"model": Problem}})
    async def acknowledge(
        number: Annotated[int, PathParameter(ge=1, le=_TIME_US_MAX)], session: Annotated[Session, Depends(steering_of)]
    ) -> dict[str, bool]:
        """Note that the user has seen an alarm."""
        if not hub.watch.acknowledge(number, session.user):
            raise HTTPException(404, f"there is no alarm {number}; GET /api/alarms lists them")
        audit.add("acknowledge", user=session.user, role=session.role, alarm=number)
        hub.wake()
        return {"done": True}

    @app.post("/api/alarms/acknowledge", responses={**_REFUSALS, 403: {"model": Problem}, 413: {"model": Problem}})
    async def acknowledge_over(session: Annotated[Session, Depends(steering_of)]) -> dict[str, int]:
        """Note that the user has seen every alarm that is over; the answer says how many."""
        count = hub.watch.acknowledge_over(session.user)
        if count:
            audit.add("acknowledge", user=session.user, role=session.role, alarms=count)
            hub.wake()
        return {"acknowledged": count}

    @app.post("/api/commands", responses=_STEER)
    async def command(body: CommandBody, response: Response, session: Annotated[Session, Depends(steering_of)]) -> CommandAnswer:
        """Ask something of the twin and wait for its answer."""
        arguments: list[tuple[str, Value]] = [
            (key, value)
            for key, value in (("factor", body.factor), ("policy", body.policy), ("kind", body.kind))
            if value is not None
        ]
        if inbox is None:
            raise HTTPException(409, "this page only shows; nothing can be steered")
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()

        def reply(answer: Answer) -> None:
            loop.call_soon_threadsafe(lambda: None if answered.done() else answered.set_result(answer))

        entry = {"user": session.user, "role": session.role, "name": body.name, "target": body.target, **dict(arguments)}
        if not inbox.put(Command(f"page:{session.user}", body.name, body.target, tuple(arguments), reply)):
            audit.add("command", **entry, done=False, message="the inbox is full")
            raise HTTPException(429, "too many commands wait; try again in a moment")
        try:
            answer = await asyncio.wait_for(answered, _ANSWER_S)
        except TimeoutError:
            message = f"handed in, but the twin has not answered within {_ANSWER_S:.0f} s"
            audit.add("command", **entry, done=False, message=message)
            response.status_code = 202
            return CommandAnswer(done=False, message=message)
        audit.add("command", **entry, done=answer.done, message=answer.message)
        if not answer.done:
            raise HTTPException(409, answer.message)
        return CommandAnswer(done=True, message=answer.message)


def _add_socket(app: FastAPI, hub: Hub, sessions: Sessions, audit: Audit) -> None:
    @app.websocket("/api/socket")
    async def socket(websocket: WebSocket) -> None:
        token = websocket.cookies.get(COOKIE)
        session = sessions.find(token)
        await websocket.accept()
        if session is None:
            await websocket.close(4401, "no login, or an expired one")
            return
        if may_see_people(session.role):
            audit.add("people_shown", user=session.user, role=session.role)
        listener = asyncio.create_task(_refuse_messages(websocket, session, audit))
        hub.viewers += 1
        try:
            await _send_news(websocket, hub, session, sessions, token, listener)
            if not listener.done():
                await websocket.close(4401, "the login has ended")
        except (WebSocketDisconnect, RuntimeError):
            return  # gone while something was being sent
        finally:
            hub.viewers -= 1
            listener.cancel()


async def _send_news(
    websocket: WebSocket, hub: Hub, session: Session, sessions: Sessions, token: str | None, listener: asyncio.Task[None]
) -> None:
    names = watch = -1
    tick: str | None = None
    advice: str | None = None
    while not listener.done() and sessions.find(token, use=False) is not None:
        if names != hub.names_version:
            names = hub.names_version
            await websocket.send_text(hub.hello(session.user, session.role))
        if hub.tick is not None and hub.tick is not tick:
            tick, people = hub.tick, hub.people
            await websocket.send_text(tick)
            if people is not None and may_see_people(session.role):
                await websocket.send_text(people)
        if hub.advice is not None and hub.advice is not advice and may_steer(session.role):
            advice = hub.advice
            await websocket.send_text(advice)
        if watch != hub.watch.version:
            watch = hub.watch.version
            await websocket.send_text(hub.watch_text())
        if hub.tick is tick and watch == hub.watch.version:
            await hub.wait(_LOOK_S)


async def _refuse_messages(websocket: WebSocket, session: Session, audit: Audit) -> None:
    """End with the socket; nothing is expected on it, so whatever comes closes it."""
    try:
        message = await websocket.receive()
        if message["type"] == "websocket.receive":
            audit.add("refused", user=session.user, what="socket", why="a message on a socket that takes none")
            await websocket.close(1003, "this socket takes no messages; commands go to POST /api/commands")
    except (WebSocketDisconnect, RuntimeError):
        return
