"""What the 3D view draws beside the hall: where the beams of the TRPs point, and how the arms of cobots are built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import Depends, FastAPI

from bridges.page.app import Problem, session_of

__all__ = ["ArmView", "SolidView", "TrpView", "add_solid"]


@dataclass(frozen=True, slots=True)
class TrpView:
    """The panel of a TRP.

    Attributes
    ----------
    name : its name. axes : boresight, left and up in the hall frame, row by row.
    rows, columns : elements; beam ``row * columns + column`` of the DFT codebook points where the cosines to *up* and *left* are
        ``2 (row - rows // 2) / rows`` and ``2 (column - columns // 2) / columns``.
    """

    name: str
    axes: tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class ArmView:
    """A kind of arm as a chain of capsules.

    Attributes
    ----------
    frames : for every joint the rotation and, in the last column, the place [m] in the frame of the link before, (J, 3, 4).
    radius_m : of the capsules from base over the joints to the tool [m], J + 1.
    tool_m : length of the last one along the last joint's axis [m].
    rest_rad : joint positions where they are not known, J.
    """

    frames: tuple[tuple[tuple[float, ...], ...], ...]
    radius_m: tuple[float, ...]
    tool_m: float
    rest_rad: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SolidView:
    """What stands or moves in three dimensions.

    Attributes
    ----------
    trps : panels in the order of the scene. arm : every cobot's. agv_height_m : height of an AGV without load [m].
    base_m : height of the base of every cobot [m], in the order of the machines.
    """

    trps: tuple[TrpView, ...]
    arm: ArmView
    agv_height_m: float
    base_m: tuple[float, ...]

    def to_json_dict(self) -> dict[str, Any]:
        """Return it as JSON-safe values."""
        return {
            "trps": [{"name": t.name, "axes": t.axes, "rows": t.rows, "columns": t.columns} for t in self.trps],
            "arm": {
                "frames": self.arm.frames,
                "radius_m": self.arm.radius_m,
                "tool_m": self.arm.tool_m,
                "rest_rad": self.arm.rest_rad,
            },
            "agv_height_m": self.agv_height_m,
            "base_m": self.base_m,
        }


def add_solid(app: FastAPI, solid: SolidView | None) -> None:
    """Add the address of what the 3D view draws.

    Parameters
    ----------
    app : the application. solid : what it draws beside the hall, None for the hall alone.
    """

    @app.get(
        "/api/solid",
        dependencies=[Depends(session_of)],
        responses={401: {"model": Problem, "description": "no login, or an expired one"}},
    )
    def read() -> dict[str, Any]:
        """Return panels of TRPs and arms of cobots; empty where the page knows none."""
        return {} if solid is None else solid.to_json_dict()
