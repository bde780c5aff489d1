"""The Rician remainder: what reaches a link besides the paths that are followed (TR 38.901 table 7.5-6, indoor factory).

Machines, cables and girders scatter more than a hall's boxes can tell. The remainder stands for that scattered field:

* Power: free space at the link's distance over the K factor, less what the followed paths other than the line of sight carry
  already, so nothing is counted twice. K is a log-normal field over the hall, one per TRP (mean 7 dB, sigma 8 dB, correlated over
  10 m), so two devices at one place share it. Whether the line of sight itself is hidden by a box makes no difference to the
  scattered field: InF's own NLOS path loss lies about as far below its LOS path loss as 1 / (K + 1) does. So a link that no
  path leads to has one too, unless the device is in a box or outside the hall.
* Antennas: it arrives spread over InF's angles (ASD, ASA, ZSD, ZSA), so it meets one element's pattern, averaged over a normal
  spread around the straight line, and no array gain: elements see it with independent phases. Beams differ in their draw, not in
  their mean. Between slants it keeps the cross-polar ratio XPR.
* Delay: an exponential profile with InF's delay spread, which sets how alike the tones of a carrier are.
* Time: ``RAYS`` rays of equal power. The device's motion turns ray i by ``d_i . position / wavelength`` (level, all round, so it
  decorrelates as Clarke's spectrum does); rays by moving reflectors turn by ``2 v_i t / wavelength`` besides (TR 38.901 7.6.10,
  dual mobility). It is a function of seed, link, beam pair, place and time alone: neither order of calls nor past matters.
* Bodies: a single body hides little of a field from all sides, so none weakens it; that includes a holder's own.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

from radio.config import CarrierConfig, RemainderConfig
from radio.fields import SpatialField
from radio.propagation.antennas import (
    DIPOLE_GAIN,
    TRP_BEAMWIDTH_DEG,
    TRP_ELEMENT_GAIN_DBI,
    TRP_LARGEST_ATTENUATION_DB,
    UE_BEAMWIDTH_DEG,
    UE_DIPOLE,
    UE_ELEMENT_GAIN_DBI,
    UE_ISOTROPIC,
    UE_LARGEST_ATTENUATION_DB,
    UE_QUAD_SECTOR,
    UeAntenna,
)  # fmt: skip
from radio.propagation.geometry import Hall
from radio.types import SPEED_OF_LIGHT_MPS, BoolArray, FloatArray, IntArray, Paths, Ues

RAYS = 16
# Order of the rays' directions, and of which of them move, against their delays: coprime steps through the RAYS.
_DIRECTION = 2.0 * np.pi * (np.arange(RAYS) * 7 % RAYS) / RAYS
_RAY_COS, _RAY_SIN = np.cos(_DIRECTION), np.sin(_DIRECTION)
_MOVES = (np.arange(RAYS) * 5 % RAYS).astype(np.float64)
# Table 7.5-6, InF, LOS and NLOS: cross-polar ratio [dB]; base 10 logarithms of the angle spreads [deg], frequency apart.
_XPR_DB = np.array([12.0, 11.0])
_DELAY_SPREAD = ((26.0, 14.0, -9.35), (30.0, 32.0, -9.44))
# Power gains of the elements at their largest attenuation.
_TRP_FLOOR = 10.0 ** (0.1 * (TRP_ELEMENT_GAIN_DBI - TRP_LARGEST_ATTENUATION_DB))
_UE_FLOOR = 10.0 ** (0.1 * (UE_ELEMENT_GAIN_DBI - UE_LARGEST_ATTENUATION_DB))
# Gauss-Hermite points and weights of a standard normal variable.
_NODES = np.array([-2.8569700138728, -1.3556261799742659, 0.0, 1.3556261799742659, 2.8569700138728])
_WEIGHTS = np.array([0.011257411327720691, 0.22207592200561266, 0.5333333333333333, 0.22207592200561266, 0.011257411327720691])


def delay_spread_s(volume_m3: float, surface_m2: float, line_of_sight: bool) -> float:
    """Median RMS delay spread of a hall [s] (TR 38.901 table 7.5-6, InF: ``lgDS = lg(a V/S + b) + c``).

    Parameters
    ----------
    volume_m3, surface_m2 : the hall's volume, and the surface of its walls, floor and ceiling.
    line_of_sight : LOS or NLOS column of the table.
    """
    a, b, c = _DELAY_SPREAD[0 if line_of_sight else 1]
    return float((a * volume_m3 / surface_m2 + b) * 10.0**c)


def angle_spread_deg(frequency_hz: float) -> FloatArray:
    """Median angle spreads of InF [deg]: (2, 4), LOS and NLOS by ASD, ZSD, ASA, ZSA (TR 38.901 table 7.5-6)."""
    lg = math.log10(1.0 + frequency_hz / 1e9)
    spread: FloatArray = 10.0 ** np.array([[1.56, 1.35, 1.78 - 0.18 * lg, 1.5 - 0.2 * lg], [1.57, 1.2, 1.72, 1.45 - 0.13 * lg]])
    return spread


def ray_delays() -> FloatArray:
    """Delays of the rays in units of the delay spread (RAYS,): middles of equal shares of an exponential profile, of unit RMS."""
    delay = -np.log1p(-(np.arange(RAYS) + 0.5) / RAYS)
    unit: FloatArray = delay / delay.std()
    return unit


class Remainder:
    """The scattered rest of the channel between the TRPs of a configuration and UEs in a hall.

    Parameters
    ----------
    config : the remainder's section.
    hall : the hall; its size makes the delay spread, and nothing is heard inside its boxes.
    trp_position_m : (T, 3) TRPs [m].
    trp_axes : (T, 3, 3) axes of their panels.
    trp_power : (T,) power gain of their ``gain_offset_db``.
    slant_deg : (T,) slant of a TRP's elements against the UE's antenna [deg].
    carriers : carrier of each TRP.
    ue : the UEs' antenna.
    seed : seed of the K factors and of the rays.
    of_path : the reference is the line of sight's own power and nothing is subtracted (statistical channel), instead of free
        space less the other paths.
    k_field : field of K to share with a statistical channel, made here when absent.
    """

    def __init__(
        self,
        config: RemainderConfig,
        hall: Hall,
        trp_position_m: FloatArray,
        trp_axes: FloatArray,
        trp_power: FloatArray,
        slant_deg: FloatArray,
        carriers: tuple[CarrierConfig, ...],
        ue: UeAntenna,
        seed: int,
        *,
        of_path: bool = False,
        k_field: SpatialField | None = None,
    ) -> None:
        self._config = config
        self._trp_position_m, self._trp_axes, self._trp_power = trp_position_m, trp_axes, trp_power
        self._ue = ue
        self._of_path = of_path
        frequency_hz = np.array([c.frequency_hz for c in carriers])
        self._wavelength_m = SPEED_OF_LIGHT_MPS / frequency_hz
        self._field = k_field or rician_k_field(config, hall.size_m, len(carriers), seed)
        self._size_m = np.asarray(hall.size_m, dtype=np.float64)
        turn = np.column_stack([np.cos(hall.box_yaw_rad), np.sin(hall.box_yaw_rad)])
        self._boxes = np.hstack([hall.box_center_m.reshape(-1, 3), hall.box_half_m.reshape(-1, 3), turn])
        spread_deg = np.stack([angle_spread_deg(f) for f in frequency_hz])
        self._trp_shape = spread_shape(TRP_BEAMWIDTH_DEG, TRP_ELEMENT_GAIN_DBI, spread_deg[..., :2])
        self._ue_shape = spread_shape(UE_BEAMWIDTH_DEG, UE_ELEMENT_GAIN_DBI, spread_deg[..., 2:])
        self._ue_zenith_rad = np.radians(spread_deg[..., 3])
        slant = np.radians(slant_deg)[:, None]
        self._copolar = np.cos(slant) ** 2 + np.sin(slant) ** 2 * 10.0 ** (-_XPR_DB / 10.0)
        length, width, height = (float(s) for s in hall.size_m)
        surface = 2.0 * (length * width + length * height + width * height)
        self.delay_spread_s = tuple(
            1e-9 * config.delay_spread_ns if config.delay_spread_ns else delay_spread_s(length * width * height, surface, los)
            for los in (True, False)
        )
        self._key = np.uint64(np.random.SeedSequence([seed, 0x52]).generate_state(1, np.uint64)[0])

    def tone_turns(self, tone_hz: FloatArray) -> FloatArray:
        """Phases that the rays' delays give the tones.

        Parameters
        ----------
        tone_hz : (T, K) tones relative to each TRP's carrier [Hz].

        Returns
        -------
        (T, 2, RAYS, K, 2) cosine and sine, LOS and NLOS.
        """
        delay_s = np.array(self.delay_spread_s)[:, None] * ray_delays()
        phase = -2.0 * np.pi * delay_s[None, :, :, None] * tone_hz[:, None, None, :]
        return np.stack([np.cos(phase), np.sin(phase)], axis=-1)

    def mean_gain(self, paths: Paths, ues: Ues, needed: BoolArray) -> tuple[FloatArray, IntArray]:
        """Mean power gain of the links' remainders.

        Parameters
        ----------
        paths, ues : paths and the UEs they were computed for.
        needed : (L,) links to look at.

        Returns
        -------
        gain : (L, S) linear, both antennas included, the same for every beam; 0 where the link is not needed.
        nlos : (L,) 1 where the link has no line of sight, else 0.
        """
        config = self._config
        out: tuple[FloatArray, IntArray] = mean_kernel(
            paths.offset, paths.n_trp, paths.order, paths.amplitude, needed,
            self._trp_position_m, ues.position_m, ues.heading_rad, self._trp_axes, self._trp_power, self._wavelength_m,
            self._copolar, self._trp_shape, self._ue_shape, self._ue_zenith_rad,
            self._field.at(ues.position_m), config.k_db, config.k_sigma_db, config.k_floor_db, self._of_path,
            self._size_m, self._boxes,
            self._ue.kind, self._ue.axes, self._ue.n_sectors,
        )  # fmt: skip
        return out

    def add(
        self,
        tones: FloatArray,
        link: IntArray,
        pair: IntArray,
        first: int,
        last: int,
        mean: FloatArray,
        nlos: IntArray,
        turns: FloatArray,
        position_m: FloatArray,
        time_us: int,
    ) -> None:
        """Add the remainder to the tones of beam pairs.

        Parameters
        ----------
        tones : (M, 2, 2, K) fields without and with bodies, real and imaginary; rows ``first`` to ``last`` are added to.
        link, pair : (M,) link and beam pair (``beam * S + sector``) of each row.
        mean, nlos : as ``mean_gain`` gives them.
        turns : as ``tone_turns`` gives them.
        position_m : (U, 3) UEs [m].
        time_us : instant [us].
        """
        tones_kernel(
            tones, link, pair, first, last, mean, nlos, turns, position_m, self._wavelength_m,
            self._config.body_speed_mps, self._config.moving_share, 1e-6 * time_us, self._key,
        )  # fmt: skip


def rician_k_field(config: RemainderConfig, size_m: FloatArray, n_trp: int, seed: int) -> SpatialField:
    """Return the standard normal fields (one per TRP) that K factors are made of."""
    return SpatialField(size_m, config.correlation_m, [np.random.SeedSequence([seed, 0x4B, t]) for t in range(n_trp)])


def rician_k(config: RemainderConfig, normal: FloatArray) -> FloatArray:
    """Linear K factors of standard normal values."""
    k: FloatArray = 10.0 ** (np.maximum(config.k_db + config.k_sigma_db * normal, config.k_floor_db) / 10.0)
    return k


def spread_shape(beamwidth_deg: float, gain_dbi: float, spread_deg: FloatArray) -> FloatArray:
    """Pattern of an element of table 7.3-1's shape towards a normal spread of directions.

    Above its largest attenuation the pattern is a normal curve in both angles, so the mean over a spread is one too, wider and
    lower.

    Parameters
    ----------
    beamwidth_deg, gain_dbi : of the element.
    spread_deg : (..., 2) standard deviations in azimuth and elevation [deg].

    Returns
    -------
    (..., 3) a, b, g of the power gain ``g exp(-a azimuth**2 - b elevation**2)``, angles in rad.
    """
    own = beamwidth_deg**2 / (2.4 * math.log(10.0))  # variance of 10**(-1.2 (angle / beamwidth)**2)
    variance = own + np.asarray(spread_deg) ** 2
    fall = 0.5 / np.radians(np.sqrt(variance)) ** 2
    gain = 10.0 ** (0.1 * gain_dbi) * own / np.sqrt(variance.prod(axis=-1, keepdims=True))
    shape: FloatArray = np.concatenate([fall, gain], axis=-1)
    return shape


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _towards(ahead, left, up, shape, floor):  # type: ignore[no-untyped-def]
    """Power gain of a ``spread_shape`` around a direction in the panel's own axes."""
    azimuth, elevation = math.atan2(left, ahead), math.asin(min(1.0, max(-1.0, up)))
    return max(shape[2] * math.exp(-shape[0] * azimuth * azimuth - shape[1] * elevation * elevation), floor)


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _dipole_gain(elevation, spread):  # type: ignore[no-untyped-def]
    """Power gain of a vertical half-wave dipole towards a normal spread of elevations [rad]."""
    total = 0.0
    for i in range(_NODES.shape[0]):
        e = elevation + spread * _NODES[i]
        level2 = max(math.cos(e) ** 2, 1e-12)
        total += _WEIGHTS[i] * DIPOLE_GAIN * math.cos(0.5 * math.pi * math.sin(e)) ** 2 / level2
    return total


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _in_a_box(place, size_m, boxes):  # type: ignore[no-untyped-def]
    """Whether a place lies in a box or outside the hall; a box is centre, half sizes, cosine and sine of its yaw."""
    for c in range(3):
        if not 0.0 <= place[c] <= size_m[c]:
            return True
    for k in range(boxes.shape[0]):
        x, y = place[0] - boxes[k, 0], place[1] - boxes[k, 1]
        along, across = x * boxes[k, 6] + y * boxes[k, 7], y * boxes[k, 6] - x * boxes[k, 7]
        if abs(along) < boxes[k, 3] and abs(across) < boxes[k, 4] and abs(place[2] - boxes[k, 2]) < boxes[k, 5]:
            return True
    return False


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def mean_kernel(  # type: ignore[no-untyped-def]
    offset, n_trp, order, amplitude, needed, trp_position, position, heading, trp_axes, trp_power, wavelength, copolar,
    trp_shape, ue_shape, ue_zenith,
    normal, k_db, k_sigma_db, k_floor_db, of_path, size_m, boxes, ue_kind, ue_axes, n_sectors,
):  # fmt: skip
    """Return ``Remainder.mean_gain`` of every link."""
    n_links = offset.shape[0] - 1
    gain = np.zeros((n_links, n_sectors))
    nlos = np.ones(n_links, np.int64)
    lost = False
    for link in range(n_links):
        u, t = link // n_trp, link % n_trp
        first, last = offset[link], offset[link + 1]
        if t == 0:
            lost = not of_path and _in_a_box(position[u], size_m, boxes)
        if lost or not needed[link]:
            continue
        straight, others = 0.0, 0.0
        for p in range(first, last):
            power = amplitude[p].real * amplitude[p].real + amplitude[p].imag * amplitude[p].imag
            if order[p] == 0:
                straight = power
                nlos[link] = 0
            else:
                others += power
        x = position[u, 0] - trp_position[t, 0]
        y = position[u, 1] - trp_position[t, 1]
        z = position[u, 2] - trp_position[t, 2]
        distance2 = x * x + y * y + z * z
        k = 10.0 ** (0.1 * max(k_db + k_sigma_db * normal[u, t], k_floor_db))
        if of_path:
            rest = straight / k
        else:
            # At less than a wavelength "free space" would grow beyond what was sent.
            free = (wavelength[t] / (4.0 * math.pi)) ** 2 / max(distance2, wavelength[t] * wavelength[t])
            rest = max(free * copolar[t, nlos[link]] / k - others, 0.0)
        if rest <= 0.0:
            continue
        distance = math.sqrt(max(distance2, 1e-12))
        x, y, z = x / distance, y / distance, z / distance
        ahead = x * trp_axes[t, 0, 0] + y * trp_axes[t, 0, 1] + z * trp_axes[t, 0, 2]
        left = x * trp_axes[t, 1, 0] + y * trp_axes[t, 1, 1] + z * trp_axes[t, 1, 2]
        up = x * trp_axes[t, 2, 0] + y * trp_axes[t, 2, 1] + z * trp_axes[t, 2, 2]
        state = nlos[link]
        rest *= trp_power[t] * _towards(ahead, left, up, trp_shape[t, state], _TRP_FLOOR)
        # From the device the straight line runs back.
        if ue_kind == UE_ISOTROPIC:
            gain[link, 0] = rest
        elif ue_kind == UE_DIPOLE:
            gain[link, 0] = rest * _dipole_gain(-math.asin(min(1.0, max(-1.0, z))), ue_zenith[t, state])
        elif ue_kind == UE_QUAD_SECTOR:
            a, b, peak = ue_shape[t, state, 0], ue_shape[t, state, 1], ue_shape[t, state, 2]
            elevation = math.asin(min(1.0, max(-1.0, z)))
            rest_level = peak * math.exp(-b * elevation * elevation)
            around = math.atan2(-y, -x) - heading[u]
            for s in range(n_sectors):
                angle = around - 0.5 * math.pi * s
                angle -= 2.0 * math.pi * np.floor(angle / (2.0 * math.pi) + 0.5)
                gain[link, s] = rest * max(rest_level * math.exp(-a * angle * angle), _UE_FLOOR)
        else:
            turn_cos, turn_sin = math.cos(heading[u]), math.sin(heading[u])
            x, y, z = -x * turn_cos - y * turn_sin, -y * turn_cos + x * turn_sin, -z
            ahead = x * ue_axes[0, 0] + y * ue_axes[0, 1] + z * ue_axes[0, 2]
            left = x * ue_axes[1, 0] + y * ue_axes[1, 1] + z * ue_axes[1, 2]
            up = x * ue_axes[2, 0] + y * ue_axes[2, 1] + z * ue_axes[2, 2]
            gain[link, :] = rest * _towards(ahead, left, up, ue_shape[t, state], _UE_FLOOR)
    return gain, nlos


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _mix(x):  # type: ignore[no-untyped-def]
    """Finaliser of splitmix64 (Steele, Lea, Flood 2014): a 64 bit hash of 64 bits."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _share(x):  # type: ignore[no-untyped-def]
    """Return the number in [0, 1) of a hash."""
    return float(x >> np.uint64(11)) * 2.0**-53


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def tones_kernel(  # type: ignore[no-untyped-def]
    tones, link, pair, first, last, mean, nlos, turns, position, wavelength, body_speed, moving_share, time_s, key
):
    """Add the remainder of rows ``first`` to ``last``; see ``Remainder.add``."""
    n_trp, n_sectors = wavelength.shape[0], mean.shape[1]
    n_tones = tones.shape[3]
    phase = np.empty(RAYS)
    re, im = np.empty(n_tones), np.empty(n_tones)
    for row in range(first, last):
        gain = mean[link[row], pair[row] % n_sectors]
        if gain <= 0.0:
            continue
        u, t = link[row] // n_trp, link[row] % n_trp
        own = _mix(_mix(key ^ np.uint64(link[row])) ^ np.uint64(pair[row]))
        around = 2.0 * math.pi * _share(_mix(own ^ np.uint64(1)))
        c, s = math.cos(around) / wavelength[t], math.sin(around) / wavelength[t]
        along, across = position[u, 0] * c + position[u, 1] * s, position[u, 1] * c - position[u, 0] * s
        which = _share(_mix(own ^ np.uint64(2)))
        doppler = 2.0 * body_speed * time_s / wavelength[t]
        for i in range(RAYS):
            phase[i] = along * _RAY_COS[i] + across * _RAY_SIN[i] + _share(_mix(own + np.uint64(2 * i + 3)))
            if _MOVES[i] + which < moving_share * RAYS:
                phase[i] += doppler * (2.0 * _share(_mix(own + np.uint64(2 * i + 4))) - 1.0)
        re[:] = 0.0
        im[:] = 0.0
        for i in range(RAYS):
            angle = 2.0 * math.pi * (phase[i] - math.floor(phase[i]))
            a, b = math.cos(angle), math.sin(angle)
            for k in range(n_tones):
                tc, ts = turns[t, nlos[link[row]], i, k, 0], turns[t, nlos[link[row]], i, k, 1]
                re[k] += a * tc - b * ts
                im[k] += a * ts + b * tc
        scale = math.sqrt(gain / RAYS)
        for k in range(n_tones):
            tones[row, 0, 0, k] += scale * re[k]
            tones[row, 0, 1, k] += scale * im[k]
            tones[row, 1, 0, k] += scale * re[k]
            tones[row, 1, 1, k] += scale * im[k]
