"""Kernels of the online forecast: taking observations in, outlooks at the knots, scoring, and drawing futures."""

from __future__ import annotations

import numpy as np
from numba import njit

from humans.forecast_filter import FEATURES, MEMORIES, body_features, fade, straight_fits, take_in
from humans.forecast_neighbours import INPUTS, SEEN_US, neighbour_features
from humans.forecast_numbers import CLEAN_M, KNOTS, KNOTS_S, LEVELS, MODES, SPEED_EDGES_MPS, UNIT_M
from humans.forecast_trees import sum_leaves

_KNOTS_S = np.array(KNOTS_S)
_UNIT = np.array(UNIT_M)
_EDGES = np.array(SPEED_EDGES_MPS)
_LEVELS = np.array(LEVELS)
_M = len(MODES)
FASTEST_MPS = 2.5
STRIKES = 3
GAP_US = 2_000_000
NEVER_US = -(2**61)
"""Stamp of what has not happened; clocks of tags may count from anywhere, so that 0 and less are times as well."""
# columns of the counters
GAPS, JUMPS, SWAPS, RESTARTS = range(4)
STANDING_MPS = 0.15
GOAL_SD_RAD = 0.35
NO_GOAL = 0.5
"""Prior probability that somebody is bound for none of the known goals."""
GOAL_STEP_S = 0.1
GOAL_NEAR_M = 4.0
"""Distance up to which the way to a goal is taken to be straight; farther off, people walk round what stands between [m]."""
TURN_RATE_RADPS = 1.5
TRUST_STEP = 0.02
MOTION_FLOOR_M = 0.01


@njit(cache=True)
def speed_bin(speed) -> int:  # type: ignore[no-untyped-def]
    """Return the bin of a speed [m/s]."""
    b = 0
    while b < len(_EDGES) and speed >= _EDGES[b]:
        b += 1
    return b


@njit(cache=True)
def _expected(sums, last, dt_s, fits, out) -> None:  # type: ignore[no-untyped-def]
    straight_fits(sums, fits)
    out[0] = last[0] + fits[2, 0] + fits[2, 2] * dt_s
    out[1] = last[1] + fits[2, 1] + fits[2, 3] * dt_s


@njit(cache=True)
def observe_all(  # type: ignore[no-untyped-def]
    time_us, position, present, sigma_m, jump_m, sums, last, last_us, first_us, interval_s, sigma, strikes, suspect, count
) -> None:
    """Take in positions (n, 2) of those present; a person never seen has ``last_us`` NEVER_US.

    A place too far from where somebody was expected is a jump: it is put aside until ``STRIKES`` of them agree, then it is
    believed and the past forgotten. Two people who jump to each other's places have swapped their tags: their pasts are swapped.
    """
    n = position.shape[0]
    fits, ahead, gate = np.zeros((MEMORIES, 4)), np.zeros((n, 2)), np.zeros(n)
    odd = np.zeros(n, np.bool_)
    fine = np.zeros(n, np.bool_)
    for i in range(n):
        if not present[i] or not (np.isfinite(position[i, 0]) and np.isfinite(position[i, 1])):
            continue
        fine[i] = True
        if last_us[i] == NEVER_US or time_us - last_us[i] > GAP_US:
            continue
        dt = (time_us - last_us[i]) * 1e-6
        _expected(sums[i], last[i], dt, fits, ahead[i])
        gate[i] = jump_m + 6.0 * sigma_m[i] + FASTEST_MPS * dt
        odd[i] = np.hypot(position[i, 0] - ahead[i, 0], position[i, 1] - ahead[i, 1]) > gate[i]
    for i in range(n):
        for j in range(i):
            if odd[i] and odd[j]:
                there = np.hypot(position[i, 0] - ahead[j, 0], position[i, 1] - ahead[j, 1]) <= gate[j]
                back = np.hypot(position[j, 0] - ahead[i, 0], position[j, 1] - ahead[i, 1]) <= gate[i]
                if there and back:
                    for k in range(MEMORIES):
                        for c in range(sums.shape[2]):
                            sums[i, k, c], sums[j, k, c] = sums[j, k, c], sums[i, k, c]
                    for c in range(2):
                        last[i, c], last[j, c] = last[j, c], last[i, c]
                    last_us[i], last_us[j] = last_us[j], last_us[i]
                    first_us[i], first_us[j] = first_us[j], first_us[i]
                    interval_s[i], interval_s[j] = interval_s[j], interval_s[i]
                    odd[i] = odd[j] = False
                    count[SWAPS] += 1
    for i in range(n):
        if not fine[i]:
            continue
        sigma[i] = sigma_m[i]
        if odd[i]:
            near = np.hypot(position[i, 0] - suspect[i, 0], position[i, 1] - suspect[i, 1]) <= gate[i]
            strikes[i] = strikes[i] + 1 if strikes[i] > 0 and near else 1
            suspect[i] = position[i]
            count[JUMPS] += 1
            if strikes[i] < STRIKES:
                continue
        fresh = last_us[i] == NEVER_US
        late = not fresh and time_us - last_us[i] > GAP_US
        if fresh or late or odd[i]:
            sums[i] = 0.0
            first_us[i] = time_us
            interval_s[i] = 0.1
            count[GAPS] += 1 if late else 0
            count[RESTARTS] += 1 if odd[i] else 0
        else:
            dt = (time_us - last_us[i]) * 1e-6
            second = first_us[i] == last_us[i]
            interval_s[i] = dt if second else interval_s[i] + 0.1 * (dt - interval_s[i])
            fade(sums[i], dt, position[i, 0] - last[i, 0], position[i, 1] - last[i, 1])
        take_in(sums[i])
        strikes[i] = 0
        last[i] = position[i]
        last_us[i] = time_us


@njit(cache=True)
def look_out(  # type: ignore[no-untyped-def]
    time_us, who, last, sums, last_us, first_us, interval_s, sigma,
    point_f, point_t, point_l, point_s, noisy_f, noisy_t, noisy_l, noisy_s, scale_f, scale_t,
    scale_l, scale_s, mode_f, mode_t, mode_l, mode_s, second_moment,
    frame, point, unit, odds, spread, motion,
) -> None:  # fmt: skip
    """Write everybody's outlook at the knots, in their body frames, for those ``who`` (n,).

    ``frame`` (n, 5); ``point`` (n, KNOTS, 2) single forecast from the last position [m]; ``unit`` (n, KNOTS, 2) metres of a unit
    residual; ``odds`` (n, MODES); ``spread`` (n, KNOTS, 2) standard deviations [m]; ``motion`` (n, 2, 2) velocities of the last
    0.8 and 1.6 s [m/s].
    """
    n = sums.shape[0]
    fits, inputs = np.zeros((MEMORIES, 4)), np.zeros((n, INPUTS))
    seen, place, velocity = np.zeros(n, np.bool_), np.zeros((n, 2)), np.zeros((n, 2))
    for i in range(n):
        if not who[i]:
            continue
        straight_fits(sums[i], fits)
        body_features(fits, sigma[i], interval_s[i], (last_us[i] - first_us[i]) * 1e-6, inputs[i, :FEATURES], frame[i])
        motion[i, 0], motion[i, 1] = fits[3, 2:], fits[4, 2:]
        seen[i] = time_us - last_us[i] <= SEEN_US
        for c in range(2):
            velocity[i, c] = frame[i, 2] * frame[i, c]
            place[i, c] = last[i, c] + velocity[i, c] * (time_us - last_us[i]) * 1e-6
    for i in range(n):
        if not who[i]:
            continue
        x = inputs[i]
        neighbour_features(i, seen, place, velocity, frame[i], x[FEATURES:])
        ex, ey, speed = frame[i, 0], frame[i, 1], frame[i, 2]
        flat = point[i].reshape(2 * KNOTS)
        if sigma[i] <= CLEAN_M:
            sum_leaves(x, point_f, point_t, point_l, point_s, flat)
        else:
            sum_leaves(x, noisy_f, noisy_t, noisy_l, noisy_s, flat)
        along = frame[i, 3] * ex + frame[i, 4] * ey
        across = frame[i, 4] * ex - frame[i, 3] * ey
        for k in range(KNOTS):
            point[i, k, 0] = along + speed * _KNOTS_S[k] + _UNIT[k] * point[i, k, 0]
            point[i, k, 1] = across + _UNIT[k] * point[i, k, 1]
        sum_leaves(x, scale_f, scale_t, scale_l, scale_s, unit[i].reshape(2 * KNOTS))
        sum_leaves(x, mode_f, mode_t, mode_l, mode_s, odds[i])
        top = odds[i].max()
        total = 0.0
        for m in range(_M):
            odds[i, m] = np.exp(odds[i, m] - top)
            total += odds[i, m]
        for m in range(_M):
            odds[i, m] /= total
        for k in range(KNOTS):
            for c in range(2):
                unit[i, k, c] = _UNIT[k] * np.exp(unit[i, k, c])
                square = 0.0
                for m in range(_M):
                    square += odds[i, m] * second_moment[m, 2 * k + c]
                spread[i, k, c] = unit[i, k, c] * np.sqrt(square)


@njit(cache=True)
def goal_ways(who, last, frame, motion, point, goal, own_goal, weight, away) -> None:  # type: ignore[no-untyped-def]
    """Weigh the goals by the last 0.8 and 1.6 s, and write the ways there.

    ``goal`` (G, 2) known to all; ``own_goal`` (n, 2) one person's alone, not finite where unknown. ``weight`` (n, G + 1), the
    last for the own goal; ``away`` (n, G + 1, KNOTS, 2) displacement in the body frame when bound there, the single
    forecast ``point`` (n, KNOTS, 2) where the goal is too far to tell [m].
    """
    n_goals = goal.shape[0]
    for i in range(last.shape[0]):
        weight[i] = 0.0
        if not who[i]:
            continue
        ex, ey, speed = frame[i, 0], frame[i, 1], frame[i, 2]
        own = np.isfinite(own_goal[i, 0])
        total = NO_GOAL / (4.0 * np.pi * np.pi)
        for g in range(n_goals + 1):
            if g == n_goals:
                if not own:
                    continue
                gx, gy = own_goal[i, 0] - last[i, 0], own_goal[i, 1] - last[i, 1]
            else:
                gx, gy = goal[g, 0] - last[i, 0], goal[g, 1] - last[i, 1]
            if np.hypot(gx, gy) <= GOAL_NEAR_M:
                _way(gx, gy, ex, ey, speed, away[i, g])
            else:
                away[i, g] = point[i]
            if own:
                weight[i, g] = 1.0 if g == n_goals else 0.0
                continue
            if speed < STANDING_MPS:
                continue
            bearing = np.arctan2(gy, gx)
            miss = 0.0
            for b in range(2):
                off = bearing - np.arctan2(motion[i, b, 1], motion[i, b, 0])
                off -= 2.0 * np.pi * np.floor(off / (2.0 * np.pi) + 0.5)
                miss += off * off
            density = np.exp(-0.5 * miss / GOAL_SD_RAD**2) / (2.0 * np.pi * GOAL_SD_RAD**2)
            weight[i, g] = (1.0 - NO_GOAL) / n_goals * density
            total += weight[i, g]
        if not own:
            for g in range(n_goals + 1):
                weight[i, g] /= total


@njit(cache=True)
def _way(gx, gy, ex, ey, speed, out) -> None:  # type: ignore[no-untyped-def]
    """Walk on at the present speed, turning to a goal at (gx, gy) and stopping there; ``out`` (KNOTS, 2) in the body frame."""
    x, y = 0.0, 0.0
    angle = np.arctan2(ey, ex)
    k = 0
    for step in range(1, 21):
        away = np.hypot(gx - x, gy - y)
        pace = min(speed * GOAL_STEP_S, away)
        if away > 0.05:
            off = np.arctan2(gy - y, gx - x) - angle
            off -= 2.0 * np.pi * np.floor(off / (2.0 * np.pi) + 0.5)
            turn = TURN_RATE_RADPS * GOAL_STEP_S
            angle += min(max(off, -turn), turn)
        x += pace * np.cos(angle)
        y += pace * np.sin(angle)
        if k < KNOTS and step * GOAL_STEP_S >= _KNOTS_S[k] - 1e-9:
            out[k, 0] = x * ex + y * ey
            out[k, 1] = y * ex - x * ey
            k += 1


@njit(cache=True)
def score_all(  # type: ignore[no-untyped-def]
    time_us, before_us, last, before, seen, sigma, slot_us, slot_who, slot_young, slot_at, slot_frame, slot_plain, slot_place,
    slot_goal, slot_spread, slot_done, place_trust, goal_trust, radius, hall_log, bin_log, young_log, hall_step, bin_step,
    place_off, place_ok, covered,
) -> int:  # fmt: skip
    """Score the kept forecasts that fall due between the last two observations; return how many.

    ``before`` (n, 2) and ``before_us`` (n,) are the observations before the last. Errors teach the trusts in places and goals and
    the radii; ``place_off`` (n, KNOTS, 2) and ``place_ok`` (n, KNOTS) get what the newest due forecast of each person missed
    without the place's help, for the place to learn. ``covered`` (levels, 2) counts hits and scores.
    """
    scores = 0
    place_ok[:] = -1
    for s in range(len(slot_us)):
        if slot_us[s] == NEVER_US:
            continue
        for k in range(KNOTS):
            due = slot_us[s] + round(_KNOTS_S[k] * 1e6)
            if due > time_us:
                break
            for i in range(last.shape[0]):
                if slot_done[s, i] > k or not slot_who[s, i]:
                    continue
                slot_done[s, i] = k + 1
                if not seen[i] or before_us[i] == NEVER_US or before_us[i] > due or time_us - before_us[i] > 600_000:
                    continue
                share = (due - before_us[i]) / max(time_us - before_us[i], 1)
                x = before[i, 0] + share * (last[i, 0] - before[i, 0]) - slot_at[s, i, 0]
                y = before[i, 1] + share * (last[i, 1] - before[i, 1]) - slot_at[s, i, 1]
                ex, ey = slot_frame[s, i, 0], slot_frame[s, i, 1]
                b = speed_bin(slot_frame[s, i, 2])
                off = (x * ex + y * ey - slot_plain[s, i, k, 0], y * ex - x * ey - slot_plain[s, i, k, 1])
                place, goal = slot_place[s, i, k], slot_goal[s, i, k]
                tp, tg = place_trust[b, k], goal_trust[b, k]
                place_off[i, k, 0], place_off[i, k, 1] = off
                place_ok[i, k] = s
                left = (off[0] - tp * place[0] - tg * goal[0], off[1] - tp * place[1] - tg * goal[1])
                size = max(np.hypot(left[0], left[1]), 0.02)
                gain = (left[0] * place[0] + left[1] * place[1]) / (size * _UNIT[k])
                place_trust[b, k] = min(max(tp + TRUST_STEP * gain, 0.0), 1.0)
                gain = (left[0] * goal[0] + left[1] * goal[1]) / (size * _UNIT[k])
                goal_trust[b, k] = min(max(tg + TRUST_STEP * gain, 0.0), 1.0)
                along = np.sqrt(slot_spread[s, i, k, 0] ** 2 + sigma[i] ** 2)
                across = np.sqrt(slot_spread[s, i, k, 1] ** 2 + sigma[i] ** 2)
                far = np.hypot(left[0] / along, left[1] / across)
                for q in range(len(_LEVELS)):
                    log = young_log[k, q] if slot_young[s, i] else hall_log[k, q] + bin_log[b, k, q]
                    outside = far > radius[b, k, q] * np.exp(log)
                    step = (1.0 if outside else 0.0) - (1.0 - _LEVELS[q])
                    if slot_young[s, i]:
                        young_log[k, q] += (hall_step + bin_step) * step
                    else:
                        hall_log[k, q] += hall_step * step
                        bin_log[b, k, q] += bin_step * step
                    covered[q, 0] += 0.0 if outside else 1.0
                    covered[q, 1] += 1.0
                scores += 1
    return scores


@njit(cache=True)
def between(horizon_s, at, share) -> None:  # type: ignore[no-untyped-def]
    """Write per horizon the knot before (-1 is now) and the share of the way to the next; beyond the last as over its stretch."""
    for h in range(len(horizon_s)):
        k = 0
        while k < KNOTS - 1 and horizon_s[h] > _KNOTS_S[k]:
            k += 1
        low = _KNOTS_S[k - 1] if k else 0.0
        at[h] = k - 1
        share[h] = (horizon_s[h] - low) / (_KNOTS_S[k] - low)


@njit(cache=True)
def draw_futures(  # type: ignore[no-untyped-def]
    who, horizon_s, age_s, last, heading, frame, centre, goal_away, goal_share, unit, spread, odds, part_share, part_mean,
    part_root, drawn_radius, radius, even, normal, position, facing, speed,
) -> None:  # fmt: skip
    """Draw futures: a goal or none, a mode, a part of it, a residual over all knots, its radius calibrated at each knot.

    ``even`` (S, n, 3) uniform and ``normal`` (S, n, 2 KNOTS) standard normal draws. ``centre`` (n, KNOTS, 2) single forecast
    without goals; ``goal_away`` (n, G, KNOTS, 2) and ``goal_share`` (n, G) from the goals. Writes ``position`` (S, n, H, 2),
    ``facing`` and ``speed`` (S, n, H).
    """
    samples, n, hs = position.shape[0], position.shape[1], len(horizon_s)
    way, residual = np.zeros((KNOTS + 1, 2)), np.zeros(2 * KNOTS)
    at, share = np.zeros(hs, np.int64), np.zeros(hs)
    for i in range(n):
        between(horizon_s + age_s[i], at, share)
        ex, ey = frame[i, 0], frame[i, 1]
        for s in range(samples):
            if not who[i]:
                position[s, i, :, 0], position[s, i, :, 1] = last[i, 0], last[i, 1]
                facing[s, i], speed[s, i] = heading[i], 0.0
                continue
            g, mass = -1, even[s, i, 2]
            for c in range(goal_share.shape[1]):
                mass -= goal_share[i, c]
                if mass < 0.0:
                    g = c
                    break
            m, mass = 0, even[s, i, 0] - odds[i, 0]
            while m < _M - 1 and mass >= 0.0:
                m += 1
                mass -= odds[i, m]
            p = 0
            while p < part_share.shape[1] - 1 and even[s, i, 1] > part_share[m, : p + 1].sum():
                p += 1
            for c in range(2 * KNOTS):
                residual[c] = part_mean[m, p, c]
                for d in range(c + 1):
                    residual[c] += part_root[m, p, c, d] * normal[s, i, d]
            for k in range(KNOTS):
                dx, dy = residual[2 * k] * unit[i, k, 0], residual[2 * k + 1] * unit[i, k, 1]
                far = np.hypot(dx / spread[i, k, 0], dy / spread[i, k, 1])
                stretch = _warp(far, drawn_radius[i, k], radius[i, k]) / max(far, 1e-9)
                ahead = goal_away[i, g, k] if g >= 0 else centre[i, k]
                way[k + 1, 0], way[k + 1, 1] = ahead[0] + stretch * dx, ahead[1] + stretch * dy
            for h in range(hs):
                k = at[h]
                vx, vy = way[k + 2, 0] - way[k + 1, 0], way[k + 2, 1] - way[k + 1, 1]
                x, y = way[k + 1, 0] + share[h] * vx, way[k + 1, 1] + share[h] * vy
                position[s, i, h, 0] = last[i, 0] + x * ex - y * ey
                position[s, i, h, 1] = last[i, 1] + x * ey + y * ex
                gap = _KNOTS_S[k + 1] - (_KNOTS_S[k] if k >= 0 else 0.0)
                speed[s, i, h] = np.hypot(vx, vy) / gap
                if speed[s, i, h] > 2.0 * STANDING_MPS:
                    facing[s, i, h] = np.arctan2(vx * ey + vy * ex, vx * ex - vy * ey)
                else:
                    facing[s, i, h] = heading[i]


@njit(cache=True)
def _warp(far, drawn, wanted) -> float:  # type: ignore[no-untyped-def]
    """Map a radius so that the drawn quantiles become the wanted ones: straight between, in proportion beyond."""
    low, to = 0.0, 0.0
    for q in range(len(drawn)):
        if far < drawn[q]:
            return float(to + (far - low) / (drawn[q] - low) * (wanted[q] - to))
        low, to = drawn[q], wanted[q]
    return float(far * to / low)
