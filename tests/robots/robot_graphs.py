"""Route graphs for the robots' tests."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from robots.config import RobotsConfig


def grid(nx: int, ny: int, spacing_m: float = 4.0) -> dict[str, Any]:
    """Build two-way lanes in a grid; picks in the west, drops in the east, chargers in the south."""
    nodes, edges = [], []
    for i in range(nx):
        for j in range(ny):
            action = None
            if i in (0, nx - 1) and j % 2 == 0:
                action = "pick" if i == 0 else "drop"
            elif j == 0 and i % 2:
                action = "charge"
            nodes.append({"id": f"n{i}-{j}", "position_m": (3 + spacing_m * i, 3 + spacing_m * j), "action": action})
            if i + 1 < nx:
                edges.append({"start": f"n{i}-{j}", "end": f"n{i + 1}-{j}"})
            if j + 1 < ny:
                edges.append({"start": f"n{i}-{j}", "end": f"n{i}-{j + 1}"})
    return {"nodes": nodes, "edges": edges}


def corridor() -> dict[str, Any]:
    """Build two loops of two-way lanes with dead-end stations, joined by one long one-lane corridor: hard for right of way."""
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []

    def node(name: str, x: float, y: float, action: str | None = None) -> None:
        nodes.append({"id": name, "position_m": (x, y), "action": action})

    def edge(a: str, b: str) -> None:
        edges.append({"start": a, "end": b})

    for side, x in (("w", 5.0), ("e", 45.0)):
        for k, (dx, dy) in enumerate([(0, 0), (8, 0), (8, 8), (0, 8)]):
            node(f"{side}{k}", x + dx, 10.0 + dy)
            node(f"{side}-station-{k}", x + dx, 10.0 + dy + (-4 if k < 2 else 4), "pick" if side == "w" else "drop")
            edge(f"{side}{k}", f"{side}-station-{k}")
    node("wj", 13, 14)
    node("ej", 45, 14)
    for k in range(5):
        node(f"c{k}", 18 + 5 * k, 14)
    for chain in (
        ["w0", "w1", "wj", "w2", "w3", "w0"],
        ["e0", "e1", "e2", "e3", "ej", "e0"],
        ["wj", *(f"c{k}" for k in range(5)), "ej"],
    ):
        for a, b in pairwise(chain):
            edge(a, b)
    return {"nodes": nodes, "edges": edges}


def ring(length_m: float = 24.0, pick_at: int = 1, drop_at: int = 4) -> dict[str, Any]:
    """Build a one-way rectangle of six nodes with long straight sides, one pick and one drop."""
    half = length_m / 2
    places = [(2, 2), (2 + half, 2), (2 + length_m, 2), (2 + length_m, 12), (2 + half, 12), (2, 12)]
    actions = {pick_at: "pick", drop_at: "drop"}
    nodes = [{"id": f"r{k}", "position_m": p, "action": actions.get(k)} for k, p in enumerate(places)]
    edges = [{"start": f"r{k}", "end": f"r{(k + 1) % 6}", "two_way": False} for k in range(6)]
    return {"nodes": nodes, "edges": edges}


def one_way_hall() -> dict[str, Any]:
    """Build a one-way hall like a plant's: two main roads, five rack aisles with two picks each, a ring of six drops."""
    nodes, edges = [], []
    west, east = 28.0, 30.4
    lanes_y = [10.25, 14.75, 19.25, 23.75, 28.25]

    def node(name: str, x: float, y: float, action: str | None = None) -> None:
        nodes.append({"id": name, "position_m": (x, y), "action": action})

    def chain(*names: str) -> None:
        edges.extend({"start": a, "end": b, "two_way": False} for a, b in pairwise(names))

    for k, y in enumerate(lanes_y, 1):
        node(f"n{k}", west, y)
        node(f"s{k}", east, y)
        node(f"e{k}", 57.4, y)
        node(f"a{k}w", 38, y, "pick")
        node(f"a{k}m", 44, y)
        node(f"a{k}e", 50, y, "pick")
        chain(f"s{k}", f"a{k}w", f"a{k}m", f"a{k}e", f"e{k}") if k % 2 else chain(f"e{k}", f"a{k}e", f"a{k}m", f"a{k}w", f"s{k}")
    for name, x, y in (
        ("sw", west, 4),
        ("se", east, 4),
        ("nw", west, 36),
        ("ne", east, 36),
        ("c-w", 3, 20),
        ("back", west, 25.75),
    ):
        node(name, x, y)
    for k, x in enumerate([18, 12, 6], 1):
        node(f"drop-s{k}", x, 14.75, "drop")
        node(f"drop-n{k}", x, 25.75, "drop")
    chain("ne", "s5", "s4", "s3", "s2", "s1", "se", "sw", "n1", "n2", "n3", "n4", "back", "n5", "nw", "ne")
    chain("e1", "e2", "e3", "e4")
    chain("e5", "e4")
    chain("n2", "drop-s1", "drop-s2", "drop-s3", "c-w", "drop-n3", "drop-n2", "drop-n1", "back")
    return {"nodes": nodes, "edges": edges}


def config(routes: dict[str, Any], count: int, **agvs: Any) -> RobotsConfig:
    """Build a robots section with a fleet on these routes."""
    return RobotsConfig.model_validate({"agvs": {"count": count, **agvs}, "routes": routes})


NOBODY = (np.zeros((0, 2)), np.zeros(0, bool))
