"""Parts of bodies as ``silhouette_kernels`` sees them: projected along a ray, clipped to its leg, and cut at a height."""

from __future__ import annotations

import math

import numba as nb

from radio.types import SHAPE_CAPSULE, SHAPE_RECTANGLE


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _to_segment(ax, ay, bx, by):  # type: ignore[no-untyped-def]
    """Point of the segment a-b that is nearest to the origin."""
    dx, dy = bx - ax, by - ay
    t = -(ax * dx + ay * dy) / (dx * dx + dy * dy + 1e-18)
    t = min(max(t, 0.0), 1.0)
    return ax + t * dx, ay + t * dy


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _box_edge(x, y, g):  # type: ignore[no-untyped-def]
    """Signed distance from the origin to the edge of a projected box (6 numbers: three half generators), and its direction."""
    inside, nx, ny = -math.inf, 1.0, 0.0
    for i in range(3):
        length = math.sqrt(g[2 * i] ** 2 + g[2 * i + 1] ** 2)
        if length < 1e-9:
            continue
        mx, my = -g[2 * i + 1] / length, g[2 * i] / length
        gap = abs(x * mx + y * my)
        for k in range(3):
            gap -= abs(g[2 * k] * mx + g[2 * k + 1] * my)
        if gap > inside:
            inside, nx, ny = gap, mx, my
    if inside <= 0.0:
        return inside, nx, ny
    # Outside, the nearest point may be a corner: walk round the six edges, half of them the others' mirror images.
    for i in range(3):
        if g[2 * i + 1] < 0.0 or (g[2 * i + 1] == 0.0 and g[2 * i] < 0.0):
            g[2 * i], g[2 * i + 1] = -g[2 * i], -g[2 * i + 1]
    for i, k in ((0, 2), (0, 1), (1, 2)):
        if g[2 * i] * g[2 * k + 1] - g[2 * i + 1] * g[2 * k] < 0.0:
            g[2 * i], g[2 * k] = g[2 * k], g[2 * i]
            g[2 * i + 1], g[2 * k + 1] = g[2 * k + 1], g[2 * i + 1]
    px, py = -g[0] - g[2] - g[4], -g[1] - g[3] - g[5]
    best = math.inf
    for i in range(3):
        qx, qy = px + 2.0 * g[2 * i], py + 2.0 * g[2 * i + 1]
        for side in (-1.0, 1.0):
            ex, ey = _to_segment(x + side * px, y + side * py, x + side * qx, y + side * qy)
            d2 = ex * ex + ey * ey
            if d2 < best:
                best, nx, ny = d2, ex, ey
        px, py = qx, qy
    best = math.sqrt(best)
    if best < 1e-9:
        return 0.0, 1.0, 0.0
    return best, nx / best, ny / best


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _prism_edge(x, y, hx, hy, ax, ay, bx, by):  # type: ignore[no-untyped-def]
    """Signed distance from the origin to the edge of a projected elliptic prism, from its support in 24 directions."""
    best, nx, ny = -math.inf, 1.0, 0.0
    for i in range(24):
        angle = math.pi * i / 24.0
        mx, my = math.cos(angle), math.sin(angle)
        a, b = ax * mx + ay * my, bx * mx + by * my
        gap = abs(x * mx + y * my) - abs(hx * mx + hy * my) - math.sqrt(a * a + b * b)
        if gap > best:
            best, nx, ny = gap, mx, my
    return best, nx, ny


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _shrink_box(low, high, s, t0, t1, t2, box):  # type: ignore[no-untyped-def]
    """Shares of a box's three half edges that remain where it reaches from s - sum(t) to s + sum(t), but only low..high counts.

    t0, t1 and t2 are the half edges along the ray; the longer along the ray, the more an edge gives way. ``box`` is room.
    """
    whole = t0 + t1 + t2
    cut = 0.5 * (max(low - (s - whole), 0.0) + max(s + whole - high, 0.0))
    keep = (1.0, 1.0, 1.0)
    if cut <= 0.0 or whole <= 0.0:
        return keep
    t, gone = box[6:9], box[9:12]
    t[0], t[1], t[2] = t0, t1, t2
    gone[:] = 0.0
    rest = cut
    for _ in range(3):
        squares = 0.0
        for i in range(3):
            if gone[i] < 1.0:
                squares += t[i] * t[i]
        if squares <= 0.0:
            break
        k = rest / squares
        full = False
        for i in range(3):
            if gone[i] < 1.0 and k * t[i] >= 1.0:
                gone[i] = 1.0
                rest -= t[i]
                full = True
        if not full:
            for i in range(3):
                if gone[i] < 1.0:
                    gone[i] = k * t[i]
            break
    return 1.0 - gone[0], 1.0 - gone[1], 1.0 - gone[2]


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def project(parts, order, shape, first, last, ray, leg, flat, kind, box):  # type: ignore[no-untyped-def]
    """Project an owner's parts along a ray (start, direction, across, up: 12 numbers), clipped to its leg.

    Fills ``flat`` (parts, 8): middle, half axis, two half extents of the footprint or, for a capsule, its radius first [m across
    the ray], and ``kind``, the part's shape. ``box`` is room for 12 numbers. Returns their number, the area-weighted place along
    the ray, signed distance to the nearest edge, its direction, and the part.
    """
    wx, wy, wz = ray[3], ray[4], ray[5]
    px, py, pz = ray[6], ray[7], ray[8]
    qx, qy, qz = ray[9], ray[10], ray[11]
    n = 0
    area_sum, place_sum = 0.0, 0.0
    nearest, nx, ny, deepest = math.inf, 1.0, 0.0, -1
    for k in range(first, last):
        dx, dy, dz = parts[k, 0] - ray[0], parts[k, 1] - ray[1], parts[k, 2] - ray[2]
        ex, ey, ez = parts[k, 3], parts[k, 4], parts[k, 5]
        s = dx * wx + dy * wy + dz * wz
        hs = ex * wx + ey * wy + ez * wz
        x, y = dx * px + dy * py + dz * pz, dx * qx + dy * qy + dz * qz
        hx, hy = ex * px + ey * py + ez * pz, ex * qx + ey * qy + ez * qz
        kind_k = shape[order[k]]
        r = parts[k, 10]
        ax, ay, bx, by = 0.0, 0.0, 0.0, 0.0
        deep = r
        if kind_k != SHAPE_CAPSULE:
            fx, fy, gx, gy = parts[k, 6], parts[k, 7], parts[k, 8], parts[k, 9]
            ax, ay = fx * px + fy * py, fx * qx + fy * qy
            bx, by = gx * px + gy * py, gx * qx + gy * qy
            fs, gs = fx * wx + fy * wy, gx * wx + gy * wy
            deep = math.sqrt(fs * fs + gs * gs)
            if kind_k == SHAPE_RECTANGLE:
                deep = abs(fs) + abs(gs)
        if s - abs(hs) - deep < 0.0 or s + abs(hs) + deep > leg:
            if kind_k == SHAPE_RECTANGLE:
                if s + abs(hs) + deep <= 0.0 or s - abs(hs) - deep >= leg:
                    continue
                shares = _shrink_box(0.0, leg, s, abs(hs), abs(fs), abs(gs), box)
                # The part that remains lies at the end of the box that is on the leg.
                behind = s - abs(hs) - deep < 0.0
                ahead = s + abs(hs) + deep > leg
                if behind and ahead:
                    s = 0.5 * leg
                else:
                    to = 1.0 if behind else -1.0
                    for i in range(3):
                        along, across, up = (hs, hx, hy) if i == 0 else ((fs, ax, ay) if i == 1 else (gs, bx, by))
                        move = to * (1.0 - shares[i]) * (1.0 if along >= 0.0 else -1.0)
                        s += move * along
                        x += move * across
                        y += move * up
                hs, hx, hy = shares[0] * hs, shares[0] * hx, shares[0] * hy
                ax, ay = shares[1] * ax, shares[1] * ay
                bx, by = shares[2] * bx, shares[2] * by
            else:
                # The axis ends half a thickness outside the leg; a part that lies outside altogether is thinner the farther out.
                margin = 0.5 * deep
                low, high = -1.0, 1.0
                if abs(hs) > 1e-12:
                    low = max(low, min((-margin - s) / hs, (leg + margin - s) / hs))
                    high = min(high, max((-margin - s) / hs, (leg + margin - s) / hs))
                if low > high:
                    continue
                middle, span = 0.5 * (low + high), 0.5 * (high - low)
                s, x, y = s + middle * hs, x + middle * hx, y + middle * hy
                hs, hx, hy = span * hs, span * hx, span * hy
                outside = max(-(s + abs(hs)), s - abs(hs) - leg)
                if outside >= margin:
                    continue
                if outside > 0.0:
                    thin = math.sqrt(1.0 - (outside / margin) ** 2)
                    r *= thin
                    ax, ay, bx, by = thin * ax, thin * ay, thin * bx, thin * by
        if kind_k == SHAPE_CAPSULE:
            area = 4.0 * r * math.sqrt(hx * hx + hy * hy) + math.pi * r * r
            cx, cy = _to_segment(x - hx, y - hy, x + hx, y + hy)
            distance = math.sqrt(cx * cx + cy * cy)
            gap = distance - r
            if gap < nearest:
                if distance > 1e-9:
                    nx, ny = cx / distance, cy / distance
                else:
                    length = math.sqrt(hx * hx + hy * hy)
                    if length > 1e-9:
                        nx, ny = hy / length, -hx / length
                    else:
                        nx, ny = 1.0, 0.0
        elif kind_k == SHAPE_RECTANGLE:
            area = 4.0 * (abs(hx * ay - hy * ax) + abs(hx * by - hy * bx) + abs(ax * by - ay * bx))
            box[0], box[1], box[2], box[3], box[4], box[5] = hx, hy, ax, ay, bx, by
            gap, mx, my = _box_edge(x, y, box)
            if gap < nearest:
                nx, ny = mx, my
        else:
            area = 4.0 * math.sqrt((hx * ay - hy * ax) ** 2 + (hx * by - hy * bx) ** 2) + math.pi * abs(ax * by - ay * bx)
            gap, mx, my = _prism_edge(x, y, hx, hy, ax, ay, bx, by)
            if gap < nearest:
                nx, ny = mx, my
        if not area > 0.0:
            continue
        if gap < nearest:
            nearest, deepest = gap, k
        area_sum += area
        place_sum += area * min(max(s, 0.0), leg)
        flat[n, 0], flat[n, 1], flat[n, 2], flat[n, 3] = x, y, hx, hy
        if kind_k == SHAPE_CAPSULE:
            flat[n, 4] = r
        else:
            flat[n, 4], flat[n, 5], flat[n, 6], flat[n, 7] = ax, ay, bx, by
        kind[n] = kind_k
        n += 1
    if n == 0:
        return 0, 0.0, math.inf, 1.0, 0.0, -1
    return n, place_sum / area_sum, nearest, nx, ny, deepest


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def turn(n, flat, kind, scale, nx, ny, cut, ends):  # type: ignore[no-untyped-def]
    """Turn and scale projected parts to Fresnel units (u along n), and make of each what its slices need, in ``cut`` (parts, 12).

    A round part is a segment with an ellipse on every point: lowest and highest v, start u, v, and du, dv to its end (dv >= 0),
    the heights where the right and left edges leave the first end's ellipse, 1/dv, and the ellipse's slope, half width, 1/half
    height. A box is three edges from its lowest corner, by slope: lowest and highest v, corner u, and (dv, du, 1/dv) of each.
    Returns the number of ends that the slabs must respect, filled into ``ends``.
    """
    cx, sx = scale * nx, scale * ny
    m = 0
    for i in range(n):
        x, y = flat[i, 0], flat[i, 1]
        u, v = cx * x + sx * y, cx * y - sx * x
        du, dv = cx * flat[i, 2] + sx * flat[i, 3], cx * flat[i, 3] - sx * flat[i, 2]
        if kind[i] == SHAPE_RECTANGLE:
            au, av = cx * flat[i, 4] + sx * flat[i, 5], cx * flat[i, 5] - sx * flat[i, 4]
            bu, bv = cx * flat[i, 6] + sx * flat[i, 7], cx * flat[i, 7] - sx * flat[i, 6]
            if dv < 0.0 or (dv == 0.0 and du < 0.0):
                du, dv = -du, -dv
            if av < 0.0 or (av == 0.0 and au < 0.0):
                au, av = -au, -av
            if bv < 0.0 or (bv == 0.0 and bu < 0.0):
                bu, bv = -bu, -bv
            low, high = v - dv - av - bv, v + dv + av + bv
            cut[i, 0], cut[i, 1], cut[i, 2] = low, high, u - du - au - bu
            # The right outline takes the flattest to the right first; the left one goes the other way round.
            # The first comparison lets the order hold round an edge of no length in the middle.
            if du * bv < bu * dv:
                du, dv, bu, bv = bu, bv, du, dv
            if du * av < au * dv:
                du, dv, au, av = au, av, du, dv
            if au * bv < bu * av:
                au, av, bu, bv = bu, bv, au, av
            cut[i, 3], cut[i, 4], cut[i, 5] = 2.0 * dv, 2.0 * du, 1.0 / max(2.0 * dv, 1e-9)
            cut[i, 6], cut[i, 7], cut[i, 8] = 2.0 * av, 2.0 * au, 1.0 / max(2.0 * av, 1e-9)
            cut[i, 9], cut[i, 10], cut[i, 11] = 2.0 * bv, 2.0 * bu, 1.0 / max(2.0 * bv, 1e-9)
            ends[m], ends[m + 1] = low, high
            ends[m + 2], ends[m + 3] = low + 2.0 * dv, high - 2.0 * dv
            ends[m + 4], ends[m + 5] = low + 2.0 * bv, high - 2.0 * bv
            m += 6
            continue
        if dv < 0.0:
            du, dv = -du, -dv
        if kind[i] == SHAPE_CAPSULE:
            width = scale * flat[i, 4]
            height = width
            slope = 0.0
        else:
            au, av = cx * flat[i, 4] + sx * flat[i, 5], cx * flat[i, 5] - sx * flat[i, 4]
            bu, bv = cx * flat[i, 6] + sx * flat[i, 7], cx * flat[i, 7] - sx * flat[i, 6]
            height = math.sqrt(av * av + bv * bv)
            if height > 1e-3:
                width = abs(au * bv - av * bu) / height
                slope = (au * av + bu * bv) / (height * height)
            else:
                height = 1e-3
                width = math.sqrt(au * au + bu * bu)
                slope = 0.0
        # In coordinates that make the ellipse a circle, the edges leave it at right angles to the axis.
        ru, rv = (du - slope * dv) * height, dv * width
        length = math.sqrt(ru * ru + rv * rv)
        lift = height * ru / length if length > 1e-12 else 0.0
        cut[i, 0], cut[i, 1] = v - dv - height, v + dv + height
        cut[i, 2], cut[i, 3], cut[i, 4], cut[i, 5] = u - du, v - dv, 2.0 * du, 2.0 * dv
        cut[i, 6], cut[i, 7], cut[i, 8] = v - dv - lift, v - dv + lift, 1.0 / max(2.0 * dv, 1e-9)
        cut[i, 9], cut[i, 10], cut[i, 11] = slope, width, 1.0 / height
        ends[m], ends[m + 1] = cut[i, 0], cut[i, 1]
        m += 2
    return m
