"""Why an outage came about, for the page: the sections of its story, and the seconds in which it happened."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from fastapi import Depends, FastAPI, HTTPException
from fastapi import Path as PathParameter

from bridges.page.app import Problem, session_of
from bridges.page.hub import Hub
from bridges.page.users import Session, may_see_people

__all__ = ["Stories", "Story", "add_stories"]


@dataclass(frozen=True, slots=True)
class Story:
    """The story of one outage. Without the right to see people, nobody in it has a name, a role or a place.

    Attributes
    ----------
    title : the headline: when, who, how many messages.
    sections : (head, text) in the order in which they are read.
    device, service, trp : whose outage, of what, on which TRP; "" for none.
    start_us, end_us : first and last lost message [us].
    causes : (words, messages, share in percent) of all losses that were looked at, most first.
    """

    title: str
    sections: tuple[tuple[str, str], ...]
    device: str
    service: str
    trp: str
    start_us: int
    end_us: int
    causes: tuple[tuple[str, int, float], ...] = ()

    def to_json_dict(self) -> dict[str, Any]:
        """Return the story as JSON-safe values."""
        return {
            "title": self.title,
            "sections": [list(s) for s in self.sections],
            "device": self.device,
            "service": self.service,
            "trp": self.trp,
            "start_us": self.start_us,
            "end_us": self.end_us,
            "causes": [list(c) for c in self.causes],
        }


class Stories(Protocol):
    """Tells outages of a twin that runs. It is called off the event loop and may take a second."""

    def tell(self, service: str, start_us: int, end_us: int | None, see_people: bool) -> Story | None:
        """Tell the worst outage of a service between two times [us]; None where nothing of them is held (any more)."""


_REFUSED: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "no login, or an expired one"},
    404: {"model": Problem, "description": "no such outage, or nothing to tell it from"},
}


def add_stories(app: FastAPI, hub: Hub, stories: Stories | None) -> None:
    """Add the story of an outage of the last minutes to the application.

    Parameters
    ----------
    app : the application. hub : knows the outages.
    stories : who tells them, None where nobody does.
    """

    @app.get("/api/outages/{number}/story", responses=_REFUSED)
    async def story(
        number: Annotated[int, PathParameter(ge=1, le=2**53 - 1)], session: Annotated[Session, Depends(session_of)]
    ) -> dict[str, Any]:
        """Tell why an outage of the last minutes came about."""
        outage = next((o for o in hub.watch.outages if o.id == number), None)
        if outage is None:
            raise HTTPException(404, f"there is no outage {number}; GET /api/outages lists them")
        if stories is None:
            raise HTTPException(404, "this twin keeps nothing to explain with; bridges.page.stories: true lets it")
        see = may_see_people(session.role)
        told = await asyncio.to_thread(stories.tell, outage.service, outage.start_us, outage.end_us, see)
        if told is None:
            raise HTTPException(404, "what it could be told from is no longer held; outages of the last minutes can be told")
        return told.to_json_dict()
