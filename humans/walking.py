"""How people walk: along the shortest way, gently around each other, and giving way to machines.

A weak anisotropic repulsion is enough: strong social forces fit recorded people worse than none. The acceleration towards the
wanted velocity relaxes in half a second (Helbing & Molnar 1995). Bodies have a hard core besides: nobody walks through anybody,
through a box or through a wall.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from humans.floor import sees

RELAXATION_S = 0.5
PERSON_RADIUS_M = 0.25
BODY_MARGIN_M = 0.28  # centres are kept this far from boxes and walls
CORE_M = 0.47  # centres are kept this far from each other
_REPULSION_MPS2 = 1.2
_REPULSION_RANGE_M = 0.25
_NEAR_M = 1.6  # the repulsion has faded beyond
_ANISOTROPY = 0.25  # share of the repulsion that works from behind
_MACHINE_MPS2 = 3.0
_MACHINE_RANGE_M = 0.2
_MOVING_MPS = 0.15
_YIELD_S = 3.0
_YIELD_GAP_M = 0.2
_ASIDE_MPS = 1.4
_ROUND_M = 1.2  # how far off one begins to go round somebody or something that stands
_DIRECT_M = 6.0
_AIM_M = 2.0
_TURN_S = 0.25
_TURN_RADPS = 4.0
_REPLY_S = 0.25  # who steps aside is quicker than who merely sets off


@njit(cache=True)
def _push_out(x, y, cx, cy, hx, hy, yaw):  # type: ignore[no-untyped-def]
    """Return the point, moved out of a box grown by the margin."""
    reach = hx + hy + 2.0 * BODY_MARGIN_M  # farther than this from its middle is outside the box anyway
    if abs(x - cx) > reach or abs(y - cy) > reach:
        return x, y
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
def _open(wide, fine_m, x, y):  # type: ignore[no-untyped-def]
    i, j = int(x / fine_m[0]), int(y / fine_m[1])
    return 0 <= i < wide.shape[0] and 0 <= j < wide.shape[1] and wide[i, j]


@njit(cache=True)
def _go_round(px, py, wx, wy, rx, ry, reach, wide, fine_m):  # type: ignore[no-untyped-def]
    """Return the wanted velocity, turned aside where it leads into a standing disc; r points from the disc to the person."""
    gap = np.sqrt(rx * rx + ry * ry)
    clear = gap - reach
    if clear > _ROUND_M or gap < 1e-6:
        return wx, wy
    toward = -(wx * rx + wy * ry) / gap
    tx, ty = -ry / gap, rx / gap
    # Only what lies ahead is in the way.
    past = abs(wx * tx + wy * ty) * gap
    if toward <= 0.0 or past > reach * np.sqrt(wx * wx + wy * wy):
        return wx, wy
    cut = toward - max(clear, 0.0) / 0.6
    if cut <= 0.0:
        return wx, wy
    side = 1.0 if wx * tx + wy * ty >= 0.0 else -1.0
    if not _open(wide, fine_m, px + 0.5 * side * tx, py + 0.5 * side * ty) and _open(
        wide, fine_m, px - 0.5 * side * tx, py - 0.5 * side * ty
    ):
        side = -side
    return wx + cut * (rx / gap + side * tx), wy + cut * (ry / gap + side * ty)


@njit(cache=True)
def _give_way(px, py, wx, wy, vx, vy, radius, mx, my, wide, fine_m):  # type: ignore[no-untyped-def]
    """Return the wanted velocity beside a moving machine, out of its lane and not into it; 1 for who stops, 2 for who dodges."""
    speed = np.sqrt(vx * vx + vy * vy)
    ux, uy = vx / speed, vy / speed
    rx, ry = px - mx, py - my
    along, across = rx * ux + ry * uy, -rx * uy + ry * ux
    reach = radius + PERSON_RADIUS_M
    half = reach + _YIELD_GAP_M
    if along > speed * _YIELD_S + reach or along < -reach:
        return wx, wy, 0
    w_along, w_across = wx * ux + wy * uy, -wx * uy + wy * ux
    side = 1.0 if across >= 0.0 else -1.0
    told = 0
    if abs(across) < half:
        arrival = max(along - reach, 0.0) / speed
        if abs(w_across) > 0.3 and (half - (across if w_across > 0.0 else -across)) / abs(w_across) < arrival - 0.3:
            return wx, wy, 0  # across in time
        need = half - abs(across)
        # No room on the nearer side: the other one.
        if not _open(wide, fine_m, px - side * need * uy, py + side * need * ux):
            other = half + abs(across)
            if other < _ASIDE_MPS * arrival and _open(wide, fine_m, px + side * other * uy, py - side * other * ux):
                side, need = -side, other
        w_across = side * min(_ASIDE_MPS, need / 0.4 + 0.2)
        w_along = max(w_along, 0.0)  # not towards the machine
        told = 2
    elif w_across * side < 0.0:
        allowed = (abs(across) - half) / 0.5
        if abs(w_across) > allowed:
            w_across = -side * allowed
            told = 1
    return w_along * ux - w_across * uy, w_along * uy + w_across * ux, told


@njit(cache=True)
def walk(  # type: ignore[no-untyped-def]
    dt_s, position, velocity, heading, pace, walking, speed, goal, target, facing, ahead, wide, fine_m, centre, step_m, nx, ny,
    machine_xy, machine_v, machine_r, size, box_c, box_h, box_yaw, waits, present, wander,
) -> None:  # fmt: skip
    """Advance everybody by a tick, in place.

    ``walking`` (n,) tells who is on the way to ``target`` (n, 2) near station ``goal`` (n,), the others stand there and turn to
    ``facing`` (n,). ``ahead`` (g, cells) leads to each goal over the cells at ``centre``; ``wide`` tells where one can walk
    straight. ``pace`` (n,) is set to the speed, ``waits`` (n,) where a machine makes somebody wait. Who is not ``present`` (n,)
    stays put and is in nobody's way. ``wander`` (2, n) are swings of direction [rad] and pace, see ``humans.wander``.
    """
    n = position.shape[0]
    moved = np.empty((n, 2))
    look = np.empty((n, 2))
    for i in range(n):
        px, py = position[i, 0], position[i, 1]
        waits[i] = False
        moved[i, 0], moved[i, 1] = px, py
        if not present[i]:
            continue
        gx, gy = target[i, 0] - px, target[i, 1] - py
        away = np.sqrt(gx * gx + gy * gy)
        relax = RELAXATION_S
        if walking[i]:
            if away > 0.8 and not (away < _DIRECT_M and sees(wide, fine_m, px, py, target[i, 0], target[i, 1], 0.4)):
                cell = min(max(int(px / step_m[0]), 0), nx - 1) * ny + min(max(int(py / step_m[1]), 0), ny - 1)
                cell = ahead[goal[i], cell]
                if cell >= 0:
                    gx, gy = centre[cell, 0] - px, centre[cell, 1] - py
            length = max(np.sqrt(gx * gx + gy * gy), 1e-9)
            ex, ey = gx / length, gy / length
            # The line swings, but not before a goal.
            swing = wander[0, i] * min(away / _AIM_M, 1.0)
            ex, ey = ex * np.cos(swing) - ey * np.sin(swing), ex * np.sin(swing) + ey * np.cos(swing)
            # Slows down over the last step, and turns round before setting off.
            wanted = min(speed[i] * wander[1, i], away / 0.6) * max(
                0.15, 0.5 + 0.5 * (ex * np.cos(heading[i]) + ey * np.sin(heading[i]))
            )
        else:
            ex, ey, wanted = gx, gy, 0.8  # drifts back to the place
        wx, wy = wanted * ex, wanted * ey
        look[i, 0], look[i, 1] = ex, ey
        ax, ay = 0.0, 0.0
        for k in range(machine_xy.shape[0]):
            rx, ry = px - machine_xy[k, 0], py - machine_xy[k, 1]
            gap2 = rx * rx + ry * ry
            if gap2 > 100.0 or gap2 < 1e-12:
                continue
            gap = np.sqrt(gap2)
            clear = gap - machine_r[k] - PERSON_RADIUS_M
            push = _MACHINE_MPS2 * np.exp(-max(clear, 0.0) / _MACHINE_RANGE_M)
            ax += push * rx / gap
            ay += push * ry / gap
            if machine_v[k, 0] ** 2 + machine_v[k, 1] ** 2 > _MOVING_MPS**2:
                mvx, mvy, mx, my = machine_v[k, 0], machine_v[k, 1], machine_xy[k, 0], machine_xy[k, 1]
                wx, wy, told = _give_way(px, py, wx, wy, mvx, mvy, machine_r[k], mx, my, wide, fine_m)
                if told == 1 and walking[i]:
                    waits[i] = True
                if told == 2:
                    relax = _REPLY_S
            elif walking[i]:
                wx, wy = _go_round(px, py, wx, wy, rx, ry, machine_r[k] + PERSON_RADIUS_M + 0.1, wide, fine_m)
        turn = 0.3 if walking[i] else 0.0
        for j in range(n):
            rx, ry = px - position[j, 0], py - position[j, 1]
            gap2 = rx * rx + ry * ry
            if gap2 > _NEAR_M * _NEAR_M or j == i or gap2 < 1e-12 or not present[j]:
                continue
            gap = np.sqrt(gap2)
            ahead_share = _ANISOTROPY
            if walking[i]:
                ahead_share += (1.0 - _ANISOTROPY) * 0.5 * (1.0 - (ex * rx + ey * ry) / gap)
            push = _REPULSION_MPS2 * np.exp((2.0 * PERSON_RADIUS_M - gap) / _REPULSION_RANGE_M) * ahead_share
            # A little to the right, so that people who meet head-on pass each other.
            ax += push * (rx - turn * ry) / gap
            ay += push * (ry + turn * rx) / gap
            if walking[i] and pace[j] < 0.2:
                wx, wy = _go_round(px, py, wx, wy, rx, ry, 2.0 * PERSON_RADIUS_M, wide, fine_m)
        vx = velocity[i, 0] + dt_s * ((wx - velocity[i, 0]) / relax + ax)
        vy = velocity[i, 1] + dt_s * ((wy - velocity[i, 1]) / relax + ay)
        v = np.sqrt(vx * vx + vy * vy)
        limit = max(1.3 * speed[i] * wander[1, i] if walking[i] else 0.4, _ASIDE_MPS if relax < RELAXATION_S else 0.0)
        if v > limit:
            vx *= limit / v
            vy *= limit / v
        moved[i, 0], moved[i, 1] = px + vx * dt_s, py + vy * dt_s
    for i in range(n):
        for j in range(i + 1, n):
            dx, dy = moved[i, 0] - moved[j, 0], moved[i, 1] - moved[j, 1]
            gap2 = dx * dx + dy * dy
            if gap2 < CORE_M * CORE_M and present[i] and present[j]:
                gap = np.sqrt(gap2)
                if gap < 1e-6:
                    dx, dy, gap = 1e-6, 0.0, 1e-6
                # Apart at no more than a step aside a second each.
                shift = min(0.5 * (CORE_M - gap), _ASIDE_MPS * dt_s) / gap
                moved[i, 0] += dx * shift
                moved[i, 1] += dy * shift
                moved[j, 0] -= dx * shift
                moved[j, 1] -= dy * shift
    for i in range(n):
        if not present[i]:
            velocity[i, 0], velocity[i, 1], pace[i] = 0.0, 0.0, 0.0
            continue
        x, y = moved[i, 0], moved[i, 1]
        for b in range(box_c.shape[0]):
            x, y = _push_out(x, y, box_c[b, 0], box_c[b, 1], box_h[b, 0], box_h[b, 1], box_yaw[b])
        x = min(max(x, BODY_MARGIN_M), size[0] - BODY_MARGIN_M)
        y = min(max(y, BODY_MARGIN_M), size[1] - BODY_MARGIN_M)
        velocity[i, 0], velocity[i, 1] = (x - position[i, 0]) / dt_s, (y - position[i, 1]) / dt_s
        position[i, 0], position[i, 1] = x, y
        pace[i] = np.sqrt(velocity[i, 0] ** 2 + velocity[i, 1] ** 2)
        turn_to = facing[i]
        if walking[i]:
            if pace[i] > 0.35:
                turn_to = np.arctan2(velocity[i, 1], velocity[i, 0])
            else:
                turn_to = np.arctan2(look[i, 1], look[i, 0])
        delta = (turn_to - heading[i] + np.pi) % (2.0 * np.pi) - np.pi
        step = delta * (1.0 - np.exp(-dt_s / _TURN_S))
        heading[i] += min(max(step, -_TURN_RADPS * dt_s), _TURN_RADPS * dt_s)
