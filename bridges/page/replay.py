"""Finished runs on the page: what the page asks of one, and the addresses under which a browser finds it.

A run is read where it lies (``factory``); here it is only named, sent as the same messages that a live twin sends, and told. So
the floor, the tables and the 3D view need not know whether what they draw happens now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from fastapi import Depends, FastAPI, HTTPException, Query, Response
from fastapi import Path as PathParameter

from bridges.page import messages
from bridges.page.app import Problem, session_of
from bridges.page.audit import Audit
from bridges.page.scene import SceneView
from bridges.page.story import Story
from bridges.page.users import Session, may_see_people

__all__ = ["RUNS_MAX", "RecordedRun", "RunCard", "add_replay"]

RUNS_MAX = 2
"""Runs on one page: more floors side by side than two are too small to read."""
_COUNT_MAX = 50
_STEP_MAX = 600
_TIME_US_MAX = 2**53 - 1


@dataclass(frozen=True, slots=True)
class RunCard:
    """What the page says of a run before it shows anything of it.

    Attributes
    ----------
    title : words for people, for example the name of the folder.
    name : name of the scenario. policy : which moved the machines. state : ``finished`` or ``interrupted``.
    start_us, end_us : first and last instant that was recorded [us].
    period_us : time between two instants [us].
    people : whether places of people were kept.
    """

    title: str
    name: str
    policy: str
    state: str
    start_us: int
    end_us: int
    period_us: int
    people: bool

    def to_json_dict(self) -> dict[str, Any]:
        """Return the card as JSON-safe values."""
        return {field: getattr(self, field) for field in self.__slots__}


class RecordedRun(Protocol):
    """A run that was recorded, as ``factory`` reads it. All of it is called off the event loop."""

    @property
    def card(self) -> RunCard:
        """What the page says of it first."""

    @property
    def scene(self) -> SceneView:
        """Its hall."""

    @property
    def names(self) -> messages.Names:
        """Names to which the messages refer."""

    def frames(self, start_us: int, count: int, step: int) -> list[str]:
        """Return tick messages from the first instant not before ``start_us``, each ``step`` instants after the one before."""

    def people(self, start_us: int, count: int, step: int) -> list[str]:
        """Return messages with places of people of the same instants; none where the run kept none."""

    def outages(self) -> list[dict[str, Any]]:
        """Return the times in which a device lost messages, in order of time."""

    def figures(self) -> list[dict[str, Any]]:
        """Return the figures of its services over the whole run."""

    def story(self, number: int, see_people: bool) -> Story | None:
        """Tell an outage by its number; None where there is none of this number."""


_Number = Annotated[int, PathParameter(ge=0, le=RUNS_MAX - 1, description="Which run: 0 for the first.")]
_Login = Annotated[Session, Depends(session_of)]
_Start = Annotated[int, Query(ge=0, le=_TIME_US_MAX, description="Simulated time of the first one wanted [us].")]
_Count = Annotated[int, Query(ge=1, le=_COUNT_MAX, description="How many.")]
_Step = Annotated[int, Query(ge=1, le=_STEP_MAX, description="Instants from one to the next.")]
_NO_LOGIN: dict[int | str, dict[str, Any]] = {401: {"model": Problem, "description": "no login, or an expired one"}}
_REFUSED: dict[int | str, dict[str, Any]] = {**_NO_LOGIN, 404: {"model": Problem, "description": "no such run or outage"}}


def add_replay(app: FastAPI, runs: Sequence[RecordedRun], audit: Audit) -> None:
    """Add the addresses of finished runs to the application.

    Parameters
    ----------
    app : the application.
    runs : the runs, none on a page of a live twin.
    audit : log; whoever is shown people is in it.
    """

    def run(index: int) -> RecordedRun:
        if index >= len(runs):
            raise HTTPException(404, f"there is no run {index}; GET /api/runs lists {len(runs)}")
        return runs[index]

    def listed(texts: list[str]) -> Response:
        return Response("[" + ",".join(texts) + "]", media_type="application/json")

    @app.get("/api/runs", responses=_NO_LOGIN, dependencies=[Depends(session_of)])
    def cards() -> list[dict[str, Any]]:
        """Return the runs that the page shows; none where it shows a live twin."""
        return [r.card.to_json_dict() for r in runs]

    @app.get("/api/runs/{index}/hello", responses=_REFUSED)
    def hello(index: _Number, session: _Login) -> Response:
        """Return what names everything in a run, as the first message of a socket does."""
        r = run(index)
        text = messages.hello(r.card.name, r.scene, r.names, session.user, session.role, len(runs))
        return Response(text, media_type="application/json")

    @app.get("/api/runs/{index}/frames", responses=_REFUSED, dependencies=[Depends(session_of)])
    def frames(index: _Number, start_us: _Start, count: _Count = 1, step: _Step = 1) -> Response:
        """Return messages of a run, in order of time."""
        return listed(run(index).frames(start_us, count, step))

    @app.get(
        "/api/runs/{index}/people",
        responses={**_REFUSED, 403: {"model": Problem, "description": "for the safety role alone"}},
    )
    def people(index: _Number, session: _Login, start_us: _Start, count: _Count = 1, step: _Step = 1) -> Response:
        """Return where people were at the same instants, for the safety role, where the run kept it."""
        if not may_see_people(session.role):
            raise HTTPException(403, f"role {session.role} sees people per zone only; ask for the role safety")
        r = run(index)
        if start_us <= r.card.start_us:  # once per look at the run, not once per second of it
            audit.add("people_shown", user=session.user, role=session.role, run=r.card.title)
        return listed(r.people(start_us, count, step))

    @app.get("/api/runs/{index}/outages", responses=_REFUSED, dependencies=[Depends(session_of)])
    def outages(index: _Number) -> list[dict[str, Any]]:
        """Return the times in which devices lost messages, in order of time."""
        return run(index).outages()

    @app.get("/api/runs/{index}/figures", responses=_REFUSED, dependencies=[Depends(session_of)])
    def figures(index: _Number) -> list[dict[str, Any]]:
        """Return the figures of the services over the whole run."""
        return run(index).figures()

    @app.get("/api/runs/{index}/outages/{outage}/story", responses=_REFUSED)
    async def story(
        index: _Number, outage: Annotated[int, PathParameter(ge=0, le=_TIME_US_MAX)], session: _Login
    ) -> dict[str, Any]:
        """Tell why an outage came about."""
        told = await asyncio.to_thread(run(index).story, outage, may_see_people(session.role))
        if told is None:
            raise HTTPException(404, f"there is no outage {outage}; GET /api/runs/{index}/outages lists them")
        return told.to_json_dict()
