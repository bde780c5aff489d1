"""From what a file says to routes that the twin can drive; every change is told.

The twin asks for: nodes at least ``AgvsConfig.clearance_m`` apart, one lane between two nodes, a way from every node of work to
every other, one action per node, at least one pick and one drop, and free floor under every lane.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from factory.layouts.found import ACTIONS, Found, FoundLane, FoundNode
from factory.layouts.report import Report

_LISTED = 6  # names in one line of the report


def listed(names: Iterable[str]) -> str:
    """Return the first few names, and how many more there are."""
    every = list(names)
    return ", ".join(every[:_LISTED]) + (f" and {len(every) - _LISTED} more" if len(every) > _LISTED else "")


def make_drivable(found: Found, clearance_m: float) -> None:
    """Change nodes and lanes of ``found`` until the twin can drive them.

    Parameters
    ----------
    found : what was read; changed in place.
    clearance_m : least distance of two nodes, at which AGVs standing on both do not touch [m].
    """
    if not found.nodes:
        return
    _drop_idle(found)
    _join_near(found, clearance_m)
    _join_parallel(found)
    if not found.nodes or not found.lanes:
        return
    main = _main_part(found)
    _open_dead_ends(found, main)
    _one_action_each(found, main)


def _drop_idle(found: Found) -> None:
    busy = {end for lane in found.lanes for end in (lane.start, lane.end)}
    idle = [node for node in found.nodes if node.id not in busy]
    if idle:
        found.nodes = [node for node in found.nodes if node.id in busy]
        found.report.ignored("nodes", f"{len(idle)} without a lane, which no AGV reaches: {listed(node.id for node in idle)}")


def _join_near(found: Found, clearance_m: float) -> None:
    """Join nodes on which two AGVs would touch, the one with most to do first."""
    order = sorted(range(len(found.nodes)), key=lambda i: (-len(found.nodes[i].actions), not found.nodes[i].named, i))
    place = np.array([(node.x_m, node.y_m) for node in found.nodes]).reshape(-1, 2)
    near = cKDTree(place).query_ball_point(place, clearance_m) if len(place) else []
    keeper: dict[int, int] = {}
    for i in order:
        kept = [j for j in near[i] if keeper.get(j) == j and float(np.linalg.norm(place[i] - place[j])) < clearance_m]
        keeper[i] = min(kept, key=lambda j: (float(np.linalg.norm(place[i] - place[j])), j), default=i)
    joined: dict[int, list[int]] = {}
    for i, j in sorted(keeper.items()):
        if i != j:
            joined.setdefault(j, []).append(i)
    if not joined:
        return
    new_id = {node.id: found.nodes[keeper[i]].id for i, node in enumerate(found.nodes)}
    nodes = []
    for i, node in enumerate(found.nodes):
        if keeper[i] != i:
            continue
        if i in joined:
            others = [found.nodes[k] for k in joined[i]]
            apart = ", ".join(
                f"{o.id!r} ({np.linalg.norm(place[i] - place[k]):.2f} m)" for o, k in zip(others, joined[i], strict=True)
            )
            found.report.repaired(
                node.place, f"node {node.id!r} stands also for {apart}: AGVs on nodes nearer than {clearance_m:.2f} m would touch"
            )
            node = replace(
                node,
                actions=tuple(dict.fromkeys(a for n in (node, *others) for a in n.actions)),
                named=node.named or any(o.named for o in others),
                source_ids=tuple(s for n in (node, *others) for s in n.source_ids),
            )
        nodes.append(node)
    found.nodes = nodes
    lanes = []
    for lane in found.lanes:
        lane = replace(lane, start=new_id[lane.start], end=new_id[lane.end])
        if lane.start != lane.end:
            lanes.append(lane)
        else:
            found.report.repaired(
                lane.place, f"the lane lies within node {lane.start!r}, and falls away with the nodes joined there"
            )
    found.lanes = lanes
    found.stations = [
        replace(s, node_ids=tuple(dict.fromkeys(new_id[n] for n in s.node_ids if n in new_id))) for s in found.stations
    ]


def _join_parallel(found: Found) -> None:
    """Make one lane of all between two nodes; the lowest limits count."""
    groups: dict[tuple[str, str], list[FoundLane]] = {}
    for lane in found.lanes:
        groups.setdefault((min(lane.start, lane.end), max(lane.start, lane.end)), []).append(lane)
    lanes = []
    for group in groups.values():
        first = group[0]
        ways = {pair for lane in group for pair in ((lane.start, lane.end), *(((lane.end, lane.start),) if lane.two_way else ()))}
        speeds = {lane.max_speed_mps for lane in group}
        heights = {lane.max_height_m for lane in group}
        slowest = min((s for s in speeds if s is not None), default=None)
        lowest = min((h for h in heights if h is not None), default=None)
        one_each_way = len(group) == 2 and (group[0].start, group[0].end) == (group[1].end, group[1].start)
        if len(group) > 1 and (not one_each_way or len(speeds) > 1 or len(heights) > 1):
            found.report.repaired(
                first.place,
                f"{len(group)} lanes between {first.start!r} and {first.end!r} are one in the twin"
                + (f", at the lowest limit of {slowest:g} m/s" if len(speeds) > 1 else ""),
            )
        lanes.append(
            replace(
                first, two_way=len(ways) == 2, max_speed_mps=slowest, max_height_m=lowest,
                source_ids=tuple(s for lane in group for s in lane.source_ids),
            )
        )  # fmt: skip
    found.lanes = lanes


def _parts(nodes: list[FoundNode], lanes: list[FoundLane], strong: bool) -> np.ndarray:
    index = {node.id: i for i, node in enumerate(nodes)}
    pairs = [(index[lane.start], index[lane.end]) for lane in lanes]
    pairs += [(b, a) for (a, b), lane in zip(pairs, lanes, strict=True) if lane.two_way]
    matrix = csr_matrix((np.ones(len(pairs)), ([p[0] for p in pairs], [p[1] for p in pairs])), shape=(len(nodes), len(nodes)))
    _, part = connected_components(matrix, directed=True, connection="strong" if strong else "weak")
    return np.asarray(part)


def connected(found: Found) -> int:
    """Return how many nodes reach each other, in the part where work is."""
    part = _parts(found.nodes, found.lanes, strong=True)
    busy = [i for i, n in enumerate(found.nodes) if n.actions]
    return int((part == part[busy[0]]).sum()) if busy else 0


def _main_part(found: Found) -> set[str]:
    """Return the nodes of the part of the graph with most work; work elsewhere is taken off, for nobody gets there."""
    part = _parts(found.nodes, found.lanes, strong=False)
    work = np.bincount(part, weights=[bool({"pick", "drop"} & set(n.actions)) * 1000 + n.named * 10 + 1 for n in found.nodes])
    chosen = int(work.argmax())
    if part.max() > 0:
        away = [node for node, p in zip(found.nodes, part, strict=True) if p != chosen]
        found.report.ignored(
            "nodes",
            f"{len(away)} in {part.max()} parts that no lane joins to the rest: {listed(n.id for n in away)}; no AGV gets there",
        )
        found.nodes = [node if p == chosen else replace(node, actions=()) for node, p in zip(found.nodes, part, strict=True)]
    return {node.id for node, p in zip(found.nodes, part, strict=True) if p == chosen}


def _open_dead_ends(found: Found, main: set[str]) -> None:
    """Let AGVs come back from where lanes only lead to: such one-way lanes are driven both ways."""
    part = dict(zip([node.id for node in found.nodes], _parts(found.nodes, found.lanes, strong=True), strict=True))
    lanes = []
    for lane in found.lanes:
        if lane.start in main and not lane.two_way and part[lane.start] != part[lane.end]:
            lane = replace(lane, two_way=True, opened=True)
            found.report.repaired(
                lane.place, f"no way leads back from {lane.end!r} to {lane.start!r}: the lane is driven both ways"
            )
        lanes.append(lane)
    found.lanes = lanes


def _one_action_each(found: Found, main: set[str]) -> None:
    report = found.report
    action: dict[str, str | None] = {}
    both = []
    for node in found.nodes:
        able = [a for a in ACTIONS if a in node.actions]
        if {"pick", "drop"} <= set(able):
            both.append(node)
        action[node.id] = able[0] if able else None
    count = {
        a: sum(node.id in main and action[node.id] == a for node in found.nodes if node not in both) for a in ("pick", "drop")
    }
    for node in both:
        action[node.id] = "pick" if count["pick"] <= count["drop"] else "drop"
        count[str(action[node.id])] += 1
        report.repaired(
            node.place, f"node {node.id!r} is for pick and drop: a node of the twin has one action; {action[node.id]} is taken"
        )
    for node in found.nodes:
        rest = [a for a in node.actions if a != action[node.id] and {a, action[node.id]} != {"pick", "drop"}]
        if rest:
            report.ignored(node.place, f"node {node.id!r} is for {action[node.id]} and {', '.join(rest)}; the first is taken")
    _propose_work(found, main, action)
    found.nodes = [replace(node, actions=(a,) if (a := action[node.id]) else ()) for node in found.nodes]


def _propose_work(found: Found, main: set[str], action: dict[str, str | None]) -> None:
    """Give nodes a pick or a drop where the file names none, for without both there is no order to drive."""
    nodes = [node for node in found.nodes if node.id in main]
    lacking = [a for a in ("pick", "drop") if not any(action[node.id] == a for node in nodes)]
    if not lacking or len(nodes) < 2:
        return
    free = [n for n in nodes if n.named and action[n.id] is None] or [n for n in nodes if n.named and action[n.id] == "park"]
    ends = {end for lane in found.lanes for end in (lane.start, lane.end)}
    degree = {e: sum(e in (lane.start, lane.end) for lane in found.lanes) for e in ends}
    if len(free) < len(lacking):
        free = [n for n in nodes if action[n.id] is None and degree.get(n.id) == 1]
    if len(free) < len(lacking):
        free = [n for n in nodes if action[n.id] is None]
    if len(free) < len(lacking):
        free = [n for n in nodes if action[n.id] in (None, "park", "charge")]
    busy = [n for n in nodes if action[n.id] in ("pick", "drop")]
    if len(lacking) == 1 and busy:  # one partner, as far away as there is
        middle = np.mean([(n.x_m, n.y_m) for n in busy], axis=0)
        free = sorted(free, key=lambda n: -float(np.hypot(n.x_m - middle[0], n.y_m - middle[1])))[:1]
    elif not any(n.named for n in free):  # of many, the two farthest from each other
        place = np.array([(n.x_m, n.y_m) for n in free])
        gap = np.linalg.norm(place[:, None] - place[None], axis=2)
        a, b = np.unravel_index(int(gap.argmax()), gap.shape)
        free = [free[int(a)], free[int(b)]] if a != b else free[:2]
    for k, node in enumerate(free):
        was = action[node.id]
        action[node.id] = lacking[k % len(lacking)]
        found.report.assumed(
            node.place or f"node {node.id}",
            f"node {node.id!r} is for {action[node.id]}: the file names no node for it" + (f"; it was for {was}" if was else ""),
        )


def describe(report: Report, found: Found) -> None:
    """Put the counts into the report."""
    report.counts = {
        "nodes": len(found.nodes),
        "edges": len(found.lanes),
        "stations": len(found.stations),
        "boxes": len(found.boxes),
        "zones": len(found.zones),
    }
