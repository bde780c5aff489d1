"""Radio room: paths, body blockage, links, packets, policies and reliability figures.

Usable alone; docs/radio.md is a worked example. The names below are the ones to begin with; the modules hold the rest.
"""

from radio.bodies.blockage import blockage_db
from radio.config import RadioConfig
from radio.links import Channel
from radio.propagation.geometry import Hall, PreparedHall, prepare_hall
from radio.propagation.paths import PathFinder, compute_paths
from radio.types import (
    SHAPE_CAPSULE,
    SHAPE_ELLIPSE,
    SHAPE_RECTANGLE,
    Blockage,
    Blockers,
    LinkState,
    Paths,
    Plan,
    Sweep,
    Ues,
)

__all__ = [
    "SHAPE_CAPSULE",
    "SHAPE_ELLIPSE",
    "SHAPE_RECTANGLE",
    "Blockage",
    "Blockers",
    "Channel",
    "Hall",
    "LinkState",
    "PathFinder",
    "Paths",
    "Plan",
    "PreparedHall",
    "RadioConfig",
    "Sweep",
    "Ues",
    "blockage_db",
    "compute_paths",
    "prepare_hall",
]
