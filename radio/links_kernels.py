"""Kernels of ``radio.links``: the beam sweep, and the state of the legs in use.

No kernel here calls one of another file: numba's cache of a kernel looks at the kernel's own file only.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

# Linear SINR below which a leg counts as having no path: -200 dB.
NO_PATH = 1e-20
# Columns of the table of figures that each TRP brings, see ``radio.links``.
TX_DL, NOISE_DL, NOISE_UL, TONE_FIRST, TONE_STEP = range(5)
COLUMNS, BEAMS, CARRIER, TONES = range(4)


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def sweep_kernel(offset, n_trp, power, azimuth, elevation, sector, diffuse, rows, columns, n_beams, needed):  # type: ignore[no-untyped-def]
    """Power gain of every beam pair (U, T, B, S) of the links ``needed`` (L,), 0 of the others; paths added in power.

    ``power`` (P,) is the paths' without antennas; ``diffuse`` (L, S) is what every beam hears besides, (0, S) for nothing.
    """
    n_links = offset.shape[0] - 1
    n_sectors = sector.shape[1]
    gain = np.zeros((n_links, n_beams * n_sectors))
    row = np.empty((4, columns.max() * n_sectors))
    for link in range(n_links):
        if not needed[link]:
            continue
        t = link % n_trp
        width = columns[t] * n_sectors
        if diffuse.shape[0] > 0:
            for b in range(rows[t] * columns[t]):
                for s in range(n_sectors):
                    gain[link, b * n_sectors + s] = diffuse[link, s]
        # Four paths at once, the missing ones of the last turn without power: a sum is fetched and put back a quarter as often.
        for first in range(offset[link], offset[link + 1], 4):
            for j in range(4):
                p = min(first + j, offset[link + 1] - 1)
                of_path = power[p] if first + j < offset[link + 1] else 0.0
                for c in range(columns[t]):
                    g = of_path * azimuth[p, c] * azimuth[p, c]
                    for s in range(n_sectors):
                        row[j, c * n_sectors + s] = g * sector[p, s] * sector[p, s]
            final = offset[link + 1] - 1
            second, third, fourth = min(first + 1, final), min(first + 2, final), min(first + 3, final)
            for r in range(rows[t]):
                out = gain[link, r * width : (r + 1) * width]
                e0, e1 = elevation[first, r] * elevation[first, r], elevation[second, r] * elevation[second, r]
                e2, e3 = elevation[third, r] * elevation[third, r], elevation[fourth, r] * elevation[fourth, r]
                for i in range(width):
                    out[i] = (((out[i] + e0 * row[0, i]) + e1 * row[1, i]) + e2 * row[2, i]) + e3 * row[3, i]
    return gain.reshape((n_links // n_trp, n_trp, n_beams, n_sectors))


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _effective(gain, n_tones, scale, evm2):  # type: ignore[no-untyped-def]
    """Effective SINR [dB] of tones with SINR ``scale * gain``, each capped by the EVM: mean mutual information, inverted.

    ``1 + x / (1 + x e) = (1 + x (1 + e)) / (1 + x e)``, so the mean of logarithms is the logarithm of two products.
    """
    above, below, whole, largest = 1.0, 1.0, 0.0, 0.0
    for k in range(n_tones):
        sinr = gain[k] * scale
        largest = max(largest, sinr)
        above *= 1.0 + sinr * (1.0 + evm2)
        below *= 1.0 + sinr * evm2
        if above > 1e150:
            whole += math.log(above / below)
            above, below = 1.0, 1.0
    if largest < 1e-4:  # where 1 + x would lose x
        for k in range(n_tones):
            sinr = gain[k] * scale
            whole += math.log1p(sinr / (1.0 + sinr * evm2))
        effective = math.expm1(whole / n_tones)
    elif n_tones == 4 and whole == 0.0:
        effective = math.sqrt(math.sqrt(above / below)) - 1.0
    else:
        effective = math.expm1((whole + math.log(above / below)) / n_tones)
    return 10.0 * math.log10(max(effective, NO_PATH))


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _turn(cycles):  # type: ignore[no-untyped-def]
    """Cosine and sine of a number of turns, within 2e-15 of a quarter turn's polynomials (at Chebyshev's points)."""
    x = cycles - np.floor(cycles + 0.5)
    flip = abs(x) > 0.25
    x = math.copysign(0.5, x) - x if flip else x
    t = x * x
    c = -1.7016996931444521 + 0.2275667343507385 * t
    s = -0.5956515132880977 - 0.3831340107797589 * t
    c = 7.902238397776662 + c * t
    s = 3.807359179210507 + s * t
    c = -26.426185547786762 + c * t
    s = -15.093963045634522 + s * t
    c = 60.244639150250464 + c * t
    s = 42.05867339668644 + s * t
    c = -85.45681716778678 + c * t
    s = -76.70585940902653 + s * t
    c = 64.9393940223139 + c * t
    s = 81.60524927313908 + s * t
    c = -19.739208802177323 + c * t
    s = -41.34170224038931 + s * t
    c = 0.9999999999999987 + c * t
    s = (6.283185307179577 + s * t) * x
    return -c if flip else c, s


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def legs_kernel(  # type: ignore[no-untyped-def]
    offset, n_trp, length, amplitude, field, azimuth, elevation, sector_field, worst_owner, worst_part,
    trp, beam, sector, figures, counts, base, used, row_of, tones, row_link, row_pair, row_owner, row_part, row_bodies,
):  # fmt: skip
    """Sum the paths' fields over the tones for the legs of plans (N, U, 2) that are not in the table yet.

    The table holds one row per beam pair that some plan used, see ``radio.legs.LegTable``: ``row_of`` (L, B * S) is ``base`` plus
    the row, below ``base`` for none; ``tones`` (M, 2, 2, K) are the fields without and with bodies, real and imaginary. ``field``
    (P,) is what bodies put on the paths; ``figures`` (T, 5) and ``counts`` (T, 4) are the TRPs'.

    Returns
    -------
    rows in use now, and the first leg, counted through all plans, whose TRP, beam or sector does not exist, or -1.
    """
    n_sectors, n_ue = sector_field.shape[1], trp.shape[1]
    trp, beam, sector = trp.ravel(), beam.ravel(), sector.ravel()
    for leg in range(trp.shape[0]):
        t = trp[leg]
        if t >= n_trp or (t >= 0 and not (0 <= beam[leg] < counts[t, BEAMS] and 0 <= sector[leg] < n_sectors)):
            return used, leg
    for leg in range(trp.shape[0]):
        t = trp[leg]
        if t < 0:
            continue
        b, s, link = beam[leg], sector[leg], leg // 2 % n_ue * n_trp + t
        if row_of[link, b * n_sectors + s] >= base:
            continue
        m = used
        used += 1
        row_of[link, b * n_sectors + s] = base + m
        row_link[m], row_pair[m] = link, b * n_sectors + s
        row_owner[m], row_part[m], row_bodies[m] = -1, -1, False
        tones[m] = 0.0
        clear_re, clear_im, real_re, real_im = tones[m, 0, 0], tones[m, 0, 1], tones[m, 1, 0], tones[m, 1, 1]
        r, c = b // counts[t, COLUMNS], b % counts[t, COLUMNS]
        strongest = 0.0
        for p in range(offset[link], offset[link + 1]):
            factor = azimuth[p, c] * elevation[p, r] * sector_field[p, s]
            re, im = amplitude[p].real * factor, amplitude[p].imag * factor
            magnitude = re * re + im * im
            if magnitude > strongest:
                strongest = magnitude
                row_owner[m] = worst_owner[p]
                row_part[m] = worst_part[p]
            through_re, through_im = field[p].real, field[p].imag
            if through_re != 1.0 or through_im != 0.0:
                row_bodies[m] = True
            turn_re, turn_im = _turn(-figures[t, TONE_STEP] * length[p])
            a, d = _turn(-figures[t, TONE_FIRST] * length[p])
            re, im = re * a - im * d, re * d + im * a
            for k in range(counts[t, TONES]):
                clear_re[k] += re
                clear_im[k] += im
                real_re[k] += re * through_re - im * through_im
                real_im[k] += re * through_im + im * through_re
                re, im = re * turn_re - im * turn_im, re * turn_im + im * turn_re
    return used, -1


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _mix(x):  # type: ignore[no-untyped-def]
    """Finaliser of splitmix64 (Steele, Lea, Flood 2014): a 64 bit hash of 64 bits."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _heard_dl(first, last, s, others, beam, columns, power, azimuth, elevation, sector):  # type: ignore[no-untyped-def]
    """Power that paths first..last bring to sector ``s`` from the first beams of the devices ``others``, added over these."""
    total = 0.0
    for p in range(first, last):
        beams = 0.0
        for v in others:
            field = azimuth[p, beam[v, 0] % columns] * elevation[p, beam[v, 0] // columns]
            beams += field * field
        total += power[p] * sector[p, s] * sector[p, s] * beams
    return total


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _heard_ul(t, n_trp, r, c, u, others, sector_used, offset, power, azimuth, elevation, sector, diffuse):  # type: ignore[no-untyped-def]
    """Power that a TRP's row and column beam hears from the devices ``others`` but ``u``, on the sectors of their first legs."""
    total = 0.0
    for v in others:
        if v == u:
            continue
        link, s = v * n_trp + t, sector_used[v, 0]
        if diffuse.shape[0] > 0:
            total += diffuse[link, s]
        for p in range(offset[link], offset[link + 1]):
            field = azimuth[p, c] * elevation[p, r] * sector[p, s]
            total += power[p] * field * field
    return total


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _state(  # type: ignore[no-untyped-def]
    offset, n_trp, power, azimuth, elevation, sector_field, diffuse, trp, beam, sector, load_dl, load_ul, figures, counts,
    tx_ul, evm2, shadow_dl, shadow_ul, base, row_of, tones, row_owner, row_part, row_bodies, dl_key, dl_sum, ul_key, ul_sum,
    out, owner, part,
):  # fmt: skip
    """Write the state of one plan's legs, see ``states_kernel``."""
    n_ue = trp.shape[0]
    # UEs in the order of the TRP of their first leg: those of TRP t are listed[begin[t]:begin[t + 1]].
    begin = np.zeros(n_trp + 1, np.int64)
    for u in range(n_ue):
        if trp[u, 0] >= 0:
            begin[trp[u, 0] + 1] += 1
    for t in range(n_trp):
        begin[t + 1] += begin[t]
    listed, filled = np.empty(n_ue, np.int64), begin[:n_trp].copy()
    for u in range(n_ue):
        if trp[u, 0] >= 0:
            listed[filled[trp[u, 0]]] = u
            filled[trp[u, 0]] += 1
    # What a TRP's devices, beams and sectors are, as one number: plans that agree in it share their sums.
    served = np.empty(n_trp, np.uint64)
    for t in range(n_trp):
        key = np.uint64(base + 1)
        for i in range(begin[t], begin[t + 1]):
            v = listed[i]
            key = _mix(_mix(key ^ np.uint64(v)) ^ np.uint64(beam[v, 0] * sector_field.shape[1] + sector[v, 0]))
        served[t] = key
    clear, real = np.empty(tones.shape[3]), np.empty(tones.shape[3])
    for u in range(n_ue):
        for leg in range(2):
            t = trp[u, leg]
            owner[u, leg] = -1
            part[u, leg] = -1
            if t < 0:
                for i in range(9):
                    out[i, u, leg] = np.nan
                continue
            b, s = beam[u, leg], sector[u, leg]
            m = row_of[u * n_trp + t, b * sector_field.shape[1] + s] - base
            owner[u, leg], part[u, leg] = row_owner[m], row_part[m]
            bodies, n_tones = row_bodies[m], counts[t, TONES]
            clear_sum = 0.0
            real_sum = 0.0
            for k in range(n_tones):
                clear[k] = tones[m, 0, 0, k] * tones[m, 0, 0, k] + tones[m, 0, 1, k] * tones[m, 0, 1, k]
                real[k] = tones[m, 1, 0, k] * tones[m, 1, 0, k] + tones[m, 1, 1, k] * tones[m, 1, 1, k]
                clear_sum += clear[k]
                real_sum += real[k]
            # Downlink interference: every other TRP of the carrier, on the mean of the beams it serves its own UEs with.
            # Uplink interference: UEs served elsewhere, each for its share of its own TRP's uplink time.
            heard_dl = 0.0
            heard_ul = 0.0
            for other in range(n_trp):
                n_served = begin[other + 1] - begin[other]
                if other == t or n_served == 0 or counts[other, CARRIER] != counts[t, CARRIER]:
                    continue
                others = listed[begin[other] : begin[other + 1]]
                if load_dl[other] > 0.0:
                    if dl_key[u, other, s] != served[other]:
                        link = u * n_trp + other
                        total = _heard_dl(
                            offset[link], offset[link + 1], s, others, beam, counts[other, COLUMNS],
                            power, azimuth, elevation, sector_field,
                        )  # fmt: skip
                        if diffuse.shape[0] > 0:
                            total += n_served * diffuse[link, s]
                        dl_key[u, other, s] = served[other]
                        dl_sum[u, other, s] = total
                    heard_dl += figures[other, TX_DL] * load_dl[other] * dl_sum[u, other, s] / n_served
                if load_ul[other] > 0.0:
                    among = trp[u, 0] == other  # a second leg does not hear its own device
                    if among or ul_key[t, b, other] != served[other]:
                        r, c = b // counts[t, COLUMNS], b % counts[t, COLUMNS]
                        total = _heard_ul(
                            t, n_trp, r, c, u, others, sector, offset, power, azimuth, elevation, sector_field, diffuse
                        )
                        if not among:
                            ul_key[t, b, other] = served[other]
                            ul_sum[t, b, other] = total
                    else:
                        total = ul_sum[t, b, other]
                    heard_ul += tx_ul * load_ul[other] * total / n_served
            noise_dl, noise_ul = figures[t, NOISE_DL], figures[t, NOISE_UL]
            dl = figures[t, TX_DL] / (noise_dl + heard_dl)
            ul = tx_ul / (noise_ul + heard_ul)
            out[0, u, leg] = _effective(real, n_tones, dl, evm2)
            out[1, u, leg] = _effective(real, n_tones, ul, evm2)
            # What equals the state itself is not worked out again: no body on the leg, or nothing heard.
            out[2, u, leg] = _effective(clear, n_tones, dl, evm2) if bodies else out[0, u, leg]
            out[3, u, leg] = _effective(clear, n_tones, ul, evm2) if bodies else out[1, u, leg]
            out[4, u, leg] = _effective(real, n_tones, figures[t, TX_DL] / noise_dl, evm2) if heard_dl > 0.0 else out[0, u, leg]
            out[5, u, leg] = _effective(real, n_tones, tx_ul / noise_ul, evm2) if heard_ul > 0.0 else out[1, u, leg]
            out[6, u, leg] = shadow_dl[u]
            out[7, u, leg] = shadow_ul[u]
            out[8, u, leg] = 10.0 * math.log10(clear_sum / real_sum) if real_sum > 0.0 else 0.0


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def states_kernel(  # type: ignore[no-untyped-def]
    offset, n_trp, power, azimuth, elevation, sector_field, diffuse, trp, beam, sector, load_dl, load_ul, figures, counts,
    tx_ul, evm2, shadow_dl, shadow_ul, base, row_of, tones, row_owner, row_part, row_bodies, dl_key, dl_sum, ul_key, ul_sum,
):  # fmt: skip
    """State of the legs of plans (N, U, 2) whose rows ``legs_kernel`` has filled, under the loads (N, T) of each plan's TRPs.

    ``dl_sum`` (U, T, S) and ``ul_sum`` (T, B, T) keep what a device's sector hears from another TRP's beams, and what a beam
    hears from another TRP's devices, for the serving sets that ``dl_key`` and ``ul_key`` tell.

    Returns ``out`` (N, 9, U, 2) in the order of LinkState's float fields, and ``whom`` (N, 2, U, 2), owner and part.
    """
    n_plans, n_ue = trp.shape[0], trp.shape[1]
    out, whom = np.empty((n_plans, 9, n_ue, 2)), np.empty((n_plans, 2, n_ue, 2), np.int64)
    for i in range(n_plans):
        _state(
            offset, n_trp, power, azimuth, elevation, sector_field, diffuse, trp[i], beam[i], sector[i], load_dl[i], load_ul[i],
            figures, counts, tx_ul, evm2, shadow_dl, shadow_ul, base, row_of, tones, row_owner, row_part, row_bodies,
            dl_key, dl_sum, ul_key, ul_sum, out[i], whom[i, 0], whom[i, 1],
        )  # fmt: skip
    return out, whom


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def shadow_kernel(gain, figures, tx_ul, evm2):  # type: ignore[no-untyped-def]
    """Best SNR of any beam pair of any TRP [dB], downlink and uplink (U,), capped by the EVM; ``gain`` (U, T, B, S)."""
    n_ue, n_trp = gain.shape[0], gain.shape[1]
    dl, ul = np.empty(n_ue), np.empty(n_ue)
    for u in range(n_ue):
        best_dl = 0.0
        best_ul = 0.0
        for t in range(n_trp):
            best = 0.0
            for b in range(gain.shape[2]):
                for s in range(gain.shape[3]):
                    best = max(best, gain[u, t, b, s])
            best_dl = max(best_dl, best * figures[t, TX_DL] / figures[t, NOISE_DL])
            best_ul = max(best_ul, best * tx_ul / figures[t, NOISE_UL])
        dl[u] = 10.0 * math.log10(max(best_dl / (1.0 + best_dl * evm2), NO_PATH))
        ul[u] = 10.0 * math.log10(max(best_ul / (1.0 + best_ul * evm2), NO_PATH))
    return dl, ul
