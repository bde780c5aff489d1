"""REST for work that takes longer than a tick: what-if from here, and radio maps. The twin does it in child processes.

Every request becomes a command in the inbox; the twin's answer is the job as JSON, which is passed on as it is.

Annotations here are evaluated at once, for the dependencies in them are arguments of the function that adds the addresses.
"""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi import Path as PathParameter
from pydantic import BaseModel, ConfigDict, Field

from bridges.inbox import Answer, Command, Inbox
from bridges.page.audit import Audit
from bridges.page.users import Session
from bridges.what_if_limits import CHANGE_CHARS, CHANGES_MOST, SECONDS, SEEDS

__all__ = ["add_jobs", "ask"]

_ANSWER_S = 10.0
_JOBS_MAX = 2**31


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class WhatIfBody(_Body):
    """What to change, and how long to look ahead."""

    changes: list[Annotated[str, Field(min_length=3, max_length=CHANGE_CHARS)]] = Field(
        min_length=1, max_length=CHANGES_MOST, description="Texts KEY=VALUE of the scenario, for example radio.policy=reactive."
    )
    seconds: float = Field(60.0, ge=SECONDS[0], le=SECONDS[1], description="Twin time of every future in s.")
    seeds: int = Field(
        1, ge=SEEDS[0], le=SEEDS[1], strict=False, description="Pairs of futures; of one pair there is no interval."
    )
    from_state: bool = Field(True, description="Begin at the present moment where the change allows it.")


class RadioMapBody(_Body):
    """Which map of the floor."""

    height_m: float = Field(1.0, ge=0.05, le=20, description="Height of the device's antenna in m.")
    cell_m: float = Field(0.5, ge=0.25, le=5, description="Edge of a cell in m.")
    device: Literal["agv", "cobot", "panel"] = Field("agv", description="Whose services the margin is for.")
    draws: int = Field(
        0, ge=0, le=100, strict=False, description="Random places of people, as many as each zone holds; 0 for the empty hall."
    )


class JobView(BaseModel):
    """A job; fields beyond these say what was asked."""

    model_config = ConfigDict(extra="allow")

    job: int = Field(description="Number.")
    kind: Literal["whatif", "radio_map"] = Field(description="What it works out.")
    state: Literal["running", "done", "failed", "cancelled"] = Field(description="How it stands.")
    progress: float = Field(description="Share done, 0..1.")
    words: str = Field(description="How far it is, or why it failed.")
    result: dict[str, Any] | None = Field(description="Card or map once it is done.")


class _Problem(BaseModel):
    detail: str = Field(description="What was wrong, and what would be right.")


_Number = Annotated[int, PathParameter(ge=1, le=_JOBS_MAX, description="Number of the job.")]
_LOOK: dict[int | str, dict[str, Any]] = {
    200: {"model": JobView},
    401: {"model": _Problem, "description": "no login, or an expired one"},
    404: {"model": _Problem, "description": "there is no such job"},
    409: {"model": _Problem, "description": "the twin refused, or nothing can be asked of it"},
    429: {"model": _Problem, "description": "too many commands wait"},
    503: {"model": _Problem, "description": "the twin does not answer"},
}
_START = {
    400: {"model": _Problem, "description": "the body is no text"},
    **{status: words for status, words in _LOOK.items() if status != 404},
    403: {"model": _Problem, "description": "the role may not do this"},
    413: {"model": _Problem, "description": "the body is too large"},
}
_STOP = {**_LOOK, 403: {"model": _Problem, "description": "the role may not do this"}}


async def ask(inbox: Inbox | None, user: str, name: str, payload: dict[str, Any]) -> Answer:
    """Put a command into the inbox and wait for its answer.

    Raises
    ------
    HTTPException
        409 without an inbox, 429 where it is full, 503 where no answer comes.
    """
    if inbox is None:
        raise HTTPException(409, "this page only shows; nothing can be asked of the twin")
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Answer] = loop.create_future()

    def reply(answer: Answer) -> None:
        loop.call_soon_threadsafe(lambda: None if answered.done() else answered.set_result(answer))

    if not inbox.put(Command(f"page:{user}", name, reply=reply, payload=payload)):
        raise HTTPException(429, "too many commands wait; try again in a moment")
    try:
        return await asyncio.wait_for(answered, _ANSWER_S)
    except TimeoutError:
        raise HTTPException(503, f"the twin has not answered within {_ANSWER_S:.0f} s; try again") from None


def add_jobs(app: FastAPI, inbox: Inbox | None, audit: Audit, reader: Any, steerer: Any) -> None:
    """Add the addresses.

    Parameters
    ----------
    app, inbox, audit : of the page.
    reader, steerer : dependencies that return the login of who may look, and of who may act.
    """

    async def passed_on(session: Session, name: str, payload: dict[str, Any], noted: bool) -> Response:
        answer = await ask(inbox, session.user, name, payload)
        if noted:
            message = "" if answer.done else answer.message
            audit.add("command", user=session.user, role=session.role, name=name, **payload, done=answer.done, message=message)
        if not answer.done:
            raise HTTPException(404 if answer.message.startswith("there is no job") else 409, answer.message)
        return Response(answer.message, media_type="application/json")

    @app.post("/api/whatif", responses=_START)
    async def start_whatif(body: WhatIfBody, session: Annotated[Session, Depends(steerer)]) -> Response:
        """Start paired futures of the present and of a changed present; the answer is the job."""
        return await passed_on(session, "start_whatif", body.model_dump(), True)

    @app.post("/api/radio-map", responses=_START)
    async def start_map(body: RadioMapBody, session: Annotated[Session, Depends(steerer)]) -> Response:
        """Start a map of the floor; the answer is the job."""
        return await passed_on(session, "start_radio_map", body.model_dump(), True)

    @app.get("/api/jobs/{number}", responses=_LOOK)
    async def read_job(number: _Number, session: Annotated[Session, Depends(reader)]) -> Response:
        """Return a job with its progress, and its result once it is there."""
        return await passed_on(session, "read_job", {"job": number}, False)

    @app.post("/api/jobs/{number}/cancel", responses=_STOP)
    async def cancel_job(number: _Number, session: Annotated[Session, Depends(steerer)]) -> Response:
        """Stop a job; harmless where it has ended."""
        return await passed_on(session, "cancel_job", {"job": number}, True)
