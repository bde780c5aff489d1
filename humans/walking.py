"""How people walk: along the shortest way, gently around each other, and giving way to machines.

A weak anisotropic repulsion is enough: strong social forces fit recorded people worse than none. The acceleration towards the
wanted velocity relaxes in half a second (Helbing & Molnar 1995).
"""

from __future__ import annotations

import numpy as np
from numba import njit

RELAXATION_S = 0.5
PERSON_RADIUS_M = 0.25
BODY_MARGIN_M = 0.28  # centres are kept this far from boxes and walls
_REPULSION_MPS2 = 1.2
_REPULSION_RANGE_M = 0.25
_ANISOTROPY = 0.25  # share of the repulsion that works from behind
_MACHINE_MPS2 = 3.0
_MACHINE_RANGE_M = 0.35
_YIELD_HORIZON_S = 2.5
_YIELD_GAP_M = 0.45
_LOOK_AHEAD_CELLS = 4
_TURN_S = 0.25


@njit(cache=True)
def _push_out(x, y, cx, cy, hx, hy, yaw):  # type: ignore[no-untyped-def]
    """Return the point, moved out of a box grown by the margin."""
    c, s = np.cos(yaw), np.sin(yaw)
    dx, dy = x - cx, y - cy
    u, v = dx * c + dy * s, -dx * s + dy * c
    over_u, over_v = hx + BODY_MARGIN_M - abs(u), hy + BODY_MARGIN_M - abs(v)
    if over_u > 0.0 and over_v > 0.0:
        if over_u < over_v:
            u += over_u if u >= 0.0 else -over_u
        else:
            v += over_v if v >= 0.0 else -over_v
        return cx + u * c - v * s, cy + u * s + v * c
    return x, y


@njit(cache=True)
def walk(  # type: ignore[no-untyped-def]
    dt_s, position, velocity, heading, walking, speed, goal, goal_xy, facing, next_cell, centre, step_m, nx, ny,
    machine_xy, machine_v, machine_r, size, box_c, box_h, box_yaw, slowed,
) -> None:  # fmt: skip
    """Advance everybody by a tick, in place.

    ``walking`` (n,) tells who is on the way to station ``goal`` (n,) at ``goal_xy`` (n, 2), the others stand there and turn to
    ``facing`` (n,). ``next_cell`` (g, cells) leads to each goal. ``slowed`` (n,) is set where a machine makes somebody wait.
    """
    n = position.shape[0]
    for i in range(n):
        px, py = position[i, 0], position[i, 1]
        ex, ey, wanted = 0.0, 0.0, 0.0
        slowed[i] = False
        if walking[i]:
            gx, gy = goal_xy[i, 0] - px, goal_xy[i, 1] - py
            away = np.sqrt(gx * gx + gy * gy)
            if away > 1.5 * step_m[0]:
                cell = min(max(int(px / step_m[0]), 0), nx - 1) * ny + min(max(int(py / step_m[1]), 0), ny - 1)
                for _ in range(_LOOK_AHEAD_CELLS):
                    ahead = next_cell[goal[i], cell]
                    if ahead < 0:
                        break
                    cell = ahead
                gx, gy = centre[cell, 0] - px, centre[cell, 1] - py
            length = np.sqrt(gx * gx + gy * gy)
            if length > 1e-9:
                ex, ey = gx / length, gy / length
            wanted = min(speed[i], away / 0.6)  # slows down over the last step
        ax, ay = 0.0, 0.0
        factor = 1.0
        for k in range(machine_xy.shape[0]):
            rx, ry = px - machine_xy[k, 0], py - machine_xy[k, 1]
            gap = np.sqrt(rx * rx + ry * ry)
            if gap > 8.0 or gap < 1e-9:
                continue
            clear = gap - machine_r[k] - PERSON_RADIUS_M
            push = _MACHINE_MPS2 * np.exp(-max(clear, 0.0) / _MACHINE_RANGE_M)
            ax += push * rx / gap
            ay += push * ry / gap
            mv = machine_v[k, 0] ** 2 + machine_v[k, 1] ** 2
            if walking[i] and mv > 0.04:
                # Closest approach if both go on as they wish to.
                vx, vy = wanted * ex - machine_v[k, 0], wanted * ey - machine_v[k, 1]
                vv = vx * vx + vy * vy
                when = -(rx * vx + ry * vy) / vv if vv > 1e-9 else 0.0
                if 0.0 < when < _YIELD_HORIZON_S:
                    mx, my = rx + vx * when, ry + vy * when
                    if np.sqrt(mx * mx + my * my) < machine_r[k] + PERSON_RADIUS_M + _YIELD_GAP_M and clear > 0.15:
                        factor = min(factor, max(0.0, (when - 0.8) / _YIELD_HORIZON_S))
                        slowed[i] = True
        wanted *= factor
        for j in range(n):
            if j == i:
                continue
            rx, ry = px - position[j, 0], py - position[j, 1]
            gap2 = rx * rx + ry * ry
            if gap2 > 4.0 or gap2 < 1e-12:
                continue
            gap = np.sqrt(gap2)
            ahead_share = _ANISOTROPY + (1.0 - _ANISOTROPY) * 0.5 * (1.0 - (ex * rx + ey * ry) / gap)
            push = _REPULSION_MPS2 * np.exp((2.0 * PERSON_RADIUS_M - gap) / _REPULSION_RANGE_M) * ahead_share
            # A little to the right, so that people who meet head-on pass each other.
            ax += push * (rx - 0.3 * ry * (1.0 if walking[i] else 0.0)) / gap
            ay += push * (ry + 0.3 * rx * (1.0 if walking[i] else 0.0)) / gap
        if walking[i]:
            velocity[i, 0] += dt_s * ((wanted * ex - velocity[i, 0]) / RELAXATION_S + ax)
            velocity[i, 1] += dt_s * ((wanted * ey - velocity[i, 1]) / RELAXATION_S + ay)
        else:
            # Who works at a station drifts back to it.
            velocity[i, 0] += dt_s * ((0.8 * (goal_xy[i, 0] - px) - velocity[i, 0]) / RELAXATION_S + 0.5 * ax)
            velocity[i, 1] += dt_s * ((0.8 * (goal_xy[i, 1] - py) - velocity[i, 1]) / RELAXATION_S + 0.5 * ay)
        v = np.sqrt(velocity[i, 0] ** 2 + velocity[i, 1] ** 2)
        limit = 1.3 * speed[i] if walking[i] else 0.4
        if v > limit:
            velocity[i, 0] *= limit / v
            velocity[i, 1] *= limit / v
            v = limit
        x, y = px + velocity[i, 0] * dt_s, py + velocity[i, 1] * dt_s
        for b in range(box_c.shape[0]):
            x, y = _push_out(x, y, box_c[b, 0], box_c[b, 1], box_h[b, 0], box_h[b, 1], box_yaw[b])
        x = min(max(x, BODY_MARGIN_M), size[0] - BODY_MARGIN_M)
        y = min(max(y, BODY_MARGIN_M), size[1] - BODY_MARGIN_M)
        velocity[i, 0], velocity[i, 1] = (x - px) / dt_s, (y - py) / dt_s
        position[i, 0], position[i, 1] = x, y
        v = np.sqrt(velocity[i, 0] ** 2 + velocity[i, 1] ** 2)
        turn_to = heading[i]
        if walking[i]:
            if v > 0.15:
                turn_to = np.arctan2(velocity[i, 1], velocity[i, 0])
        else:
            turn_to = facing[i]
        delta = (turn_to - heading[i] + np.pi) % (2.0 * np.pi) - np.pi
        heading[i] += delta * (1.0 - np.exp(-dt_s / _TURN_S))
