"""Kernels of ``radio.links``: the beam sweep, and the state of the legs in use.

No kernel here calls one of another file: numba's cache of a kernel looks at the kernel's own file only.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

# Linear SINR below which a leg counts as having no path: -200 dB.
NO_PATH = 1e-20


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def sweep_kernel(offset, n_trp, power, azimuth, elevation, sector, rows, columns, n_beams):  # type: ignore[no-untyped-def]
    """Power gain of every beam pair (U, T, B, S), paths added in power; ``power`` (P,) is the paths' without antennas."""
    n_links = offset.shape[0] - 1
    n_sectors = sector.shape[1]
    gain = np.zeros((n_links, n_beams * n_sectors))
    row = np.empty(columns.max() * n_sectors)
    for link in range(n_links):
        t = link % n_trp
        width = columns[t] * n_sectors
        for p in range(offset[link], offset[link + 1]):
            for c in range(columns[t]):
                g = power[p] * azimuth[p, c] * azimuth[p, c]
                for s in range(n_sectors):
                    row[c * n_sectors + s] = g * sector[p, s] * sector[p, s]
            for r in range(rows[t]):
                e = elevation[p, r] * elevation[p, r]
                base = r * width
                for i in range(width):
                    gain[link, base + i] += e * row[i]
    return gain.reshape((n_links // n_trp, n_trp, n_beams, n_sectors))


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _beam_power(first, last, power, azimuth, elevation, sector, r, c, s):  # type: ignore[no-untyped-def]
    """Power-sum gain of one beam pair over the paths first..last."""
    total = 0.0
    for p in range(first, last):
        field = azimuth[p, c] * elevation[p, r] * sector[p, s]
        total += power[p] * field * field
    return total


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _effective(gain, scale, evm2):  # type: ignore[no-untyped-def]
    """Effective SINR [dB] of tones with SINR ``scale * gain``, each capped by the EVM: mean mutual information, inverted."""
    information = 0.0
    for k in range(gain.shape[0]):
        sinr = gain[k] * scale
        information += math.log1p(sinr / (1.0 + sinr * evm2))
    return 10.0 * math.log10(max(math.expm1(information / gain.shape[0]), NO_PATH))


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _check_plan(trp, beam, sector, beams_of_trp, n_sectors):  # type: ignore[no-untyped-def]
    """Index of the first leg (u, leg) whose TRP, beam or sector does not exist, or (-1, -1)."""
    for u in range(trp.shape[0]):
        for leg in range(2):
            t = trp[u, leg]
            if t < 0:
                continue
            if t >= beams_of_trp.shape[0]:
                return u, leg
            if not (0 <= beam[u, leg] < beams_of_trp[t] and 0 <= sector[u, leg] < n_sectors):
                return u, leg
    return -1, -1


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def state_kernel(  # type: ignore[no-untyped-def]
    offset, n_trp, length, amplitude, power, through, azimuth, elevation, sector_field, worst_owner, worst_part,
    trp, beam, sector, load_dl, load_ul, columns, beams_of_trp, tx_dl, tx_ul, noise_dl, noise_ul, evm2,
    tone_first, tone_step, n_tones, shadow_dl, shadow_ul,
):  # fmt: skip
    """State of the legs of a plan, and the first leg that does not exist.

    Returns ``out`` (9, U, 2) in the order of LinkState's float fields, ``owner``, ``part`` (U, 2), and what ``_check_plan`` says;
    where that is not (-1, -1) nothing else is filled.

    ``power`` (P,) holds the paths' power gains with bodies, ``through`` (P,) the bodies' field factors, both without antennas.
    ``tone_first``, ``tone_step``: wave numbers of the first tone and between tones, relative to the carrier's [rad/m].
    """
    n_ue = trp.shape[0]
    out = np.empty((9, n_ue, 2))
    owner, part = np.empty((n_ue, 2), np.int64), np.empty((n_ue, 2), np.int64)
    bad_ue, bad_leg = _check_plan(trp, beam, sector, beams_of_trp, sector_field.shape[1])
    if bad_ue >= 0:
        return out, owner, part, bad_ue, bad_leg
    served = np.zeros(n_trp, np.int64)
    # Row and column beam of the leg that each UE is heard on.
    row, column = np.zeros(n_ue, np.int64), np.zeros(n_ue, np.int64)
    for u in range(n_ue):
        if trp[u, 0] >= 0:
            served[trp[u, 0]] += 1
            row[u], column[u] = beam[u, 0] // columns[trp[u, 0]], beam[u, 0] % columns[trp[u, 0]]
    clear_re, clear_im = np.empty(n_tones), np.empty(n_tones)
    real_re, real_im = np.empty(n_tones), np.empty(n_tones)
    clear, real = np.empty(n_tones), np.empty(n_tones)
    for u in range(n_ue):
        for leg in range(2):
            t = trp[u, leg]
            owner[u, leg] = -1
            part[u, leg] = -1
            if t < 0:
                for i in range(9):
                    out[i, u, leg] = np.nan
                continue
            r, c, s = beam[u, leg] // columns[t], beam[u, leg] % columns[t], sector[u, leg]
            # The leg's own tones: coherent sum over paths.
            clear_re[:] = 0.0
            clear_im[:] = 0.0
            real_re[:] = 0.0
            real_im[:] = 0.0
            strongest = 0.0
            bodies = False
            link = u * n_trp + t
            for p in range(offset[link], offset[link + 1]):
                field = azimuth[p, c] * elevation[p, r] * sector_field[p, s]
                re, im = amplitude[p].real * field, amplitude[p].imag * field
                magnitude = re * re + im * im
                if magnitude > strongest:
                    strongest = magnitude
                    owner[u, leg] = worst_owner[p]
                    part[u, leg] = worst_part[p]
                bodies = bodies or through[p] != 1.0
                turn_re, turn_im = math.cos(tone_step * length[p]), -math.sin(tone_step * length[p])
                a, b = math.cos(tone_first * length[p]), -math.sin(tone_first * length[p])
                re, im = re * a - im * b, re * b + im * a
                for k in range(n_tones):
                    clear_re[k] += re
                    clear_im[k] += im
                    real_re[k] += re * through[p]
                    real_im[k] += im * through[p]
                    re, im = re * turn_re - im * turn_im, re * turn_im + im * turn_re
            clear_sum = 0.0
            real_sum = 0.0
            for k in range(n_tones):
                clear[k] = clear_re[k] * clear_re[k] + clear_im[k] * clear_im[k]
                real[k] = real_re[k] * real_re[k] + real_im[k] * real_im[k]
                clear_sum += clear[k]
                real_sum += real[k]
            # Downlink interference: every other TRP, on the mean of the beams it serves its own UEs with.
            heard_dl = 0.0
            for other in range(n_trp):
                if other == t or served[other] == 0 or load_dl[other] <= 0.0:
                    continue
                first, last = offset[u * n_trp + other], offset[u * n_trp + other + 1]
                total = 0.0
                for v in range(n_ue):
                    if trp[v, 0] == other:
                        total += _beam_power(first, last, power, azimuth, elevation, sector_field, row[v], column[v], s)
                heard_dl += tx_dl[other] * load_dl[other] * total / served[other]
            # Uplink interference: UEs served elsewhere, each for its share of its own TRP's uplink time.
            heard_ul = 0.0
            for v in range(n_ue):
                elsewhere = trp[v, 0]
                if v == u or elsewhere < 0 or elsewhere == t or load_ul[elsewhere] <= 0.0:
                    continue
                first, last = offset[v * n_trp + t], offset[v * n_trp + t + 1]
                heard = _beam_power(first, last, power, azimuth, elevation, sector_field, r, c, sector[v, 0])
                heard_ul += tx_ul * load_ul[elsewhere] / served[elsewhere] * heard
            dl = tx_dl[t] / (noise_dl + heard_dl)
            ul = tx_ul / (noise_ul[t] + heard_ul)
            out[0, u, leg] = _effective(real, dl, evm2)
            out[1, u, leg] = _effective(real, ul, evm2)
            # What equals the state itself is not worked out again: no body on the leg, or nothing heard.
            out[2, u, leg] = _effective(clear, dl, evm2) if bodies else out[0, u, leg]
            out[3, u, leg] = _effective(clear, ul, evm2) if bodies else out[1, u, leg]
            out[4, u, leg] = _effective(real, tx_dl[t] / noise_dl, evm2) if heard_dl > 0.0 else out[0, u, leg]
            out[5, u, leg] = _effective(real, tx_ul / noise_ul[t], evm2) if heard_ul > 0.0 else out[1, u, leg]
            out[6, u, leg] = shadow_dl[u]
            out[7, u, leg] = shadow_ul[u]
            out[8, u, leg] = 10.0 * math.log10(clear_sum / real_sum) if real_sum > 0.0 else 0.0
    return out, owner, part, -1, -1


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def shadow_kernel(gain, tx_dl, tx_ul, noise_dl, noise_ul, evm2):  # type: ignore[no-untyped-def]
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
            best_dl = max(best_dl, best * tx_dl[t] / noise_dl)
            best_ul = max(best_ul, best * tx_ul / noise_ul[t])
        dl[u] = 10.0 * math.log10(max(best_dl / (1.0 + best_dl * evm2), NO_PATH))
        ul[u] = 10.0 * math.log10(max(best_ul / (1.0 + best_ul * evm2), NO_PATH))
    return dl, ul
