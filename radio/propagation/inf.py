"""The statistical indoor factory channel of TR 38.901 (InF), for halls whose geometry is not known, and for calibration.

Path loss and shadow fading are those of table 7.4.1-1, the LOS probability that of table 7.4.2-1. A link in sight is one straight
path with the share K / (K + 1) of the power (``remainder`` brings the rest); a link out of sight is ``CLUSTERS`` paths by
way of scatterers, with InF's departure spreads and delay scaling. So beams, bodies and tones act on them as on paths of a known
hall. A blocker takes power from paths; it does not change whether a link is in sight (clause 7.6.4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numba as nb
import numpy as np

from radio.config import CarrierConfig, InfConfig, RadioConfig
from radio.fields import SpatialField
from radio.propagation.remainder import angle_spread_deg, delay_spread_s, rician_k
from radio.types import SPEED_OF_LIGHT_MPS, BoolArray, FloatArray, Paths

Scenario: TypeAlias = Literal["SL", "DL", "SH", "DH", "HH"]

# Table 7.4.1-1: loss = a + b lg(d / m) + c lg(f / GHz), and its shadow fading's standard deviation [dB].
_LOS = (31.84, 21.50, 19.00)
_NLOS = {"SL": (33.0, 25.5, 20.0), "DL": (18.6, 35.7, 20.0), "SH": (32.4, 23.0, 20.0), "DH": (33.63, 21.9, 20.0)}
SHADOW_LOS_DB = 4.3
SHADOW_NLOS_DB = {"SL": 5.7, "DL": 7.2, "SH": 5.9, "DH": 4.0, "HH": 4.3}
SHADOW_CORRELATION_M = 10.0  # table 7.5-6
NEAREST_M = 1.0  # lower end of table 7.4.1-1
# Table 7.8-7 (sparse, dense): share of the floor, height [m], size [m].
_CLUTTER = {"S": (0.2, 2.0, 10.0), "D": (0.6, 6.0, 2.0), "H": (0.2, 2.0, 10.0)}
# Table 7.5-6, InF NLOS: delay scaling, and the cross-polar ratio [dB] of either state.
_DELAY_SCALING = 3.0
_XPR_DB = (12.0, 11.0)
CLUSTERS = 6
_SHORTEST_DETOUR_M = 0.05


@dataclass(frozen=True, slots=True)
class Clutter:
    """What stands about in a hall: share of the floor, height [m], and size [m]."""

    density: float
    height_m: float
    size_m: float


def clutter_of(config: InfConfig) -> Clutter:
    """Return a scenario's clutter, TR 38.901 table 7.8-7's where the configuration says nothing."""
    density, height_m, size_m = _CLUTTER[config.scenario[0]]
    return Clutter(
        density if config.clutter_density is None else config.clutter_density,
        height_m if config.clutter_height_m is None else config.clutter_height_m,
        size_m if config.clutter_size_m is None else config.clutter_size_m,
    )


def path_loss_db(scenario: Scenario, frequency_hz: float, distance_m: FloatArray, line_of_sight: BoolArray) -> FloatArray:
    """Path loss of TR 38.901 table 7.4.1-1 without shadow fading [dB].

    Parameters
    ----------
    scenario : SL, DL, SH, DH or HH (which is always in sight).
    frequency_hz : carrier frequency [Hz].
    distance_m : (...) distance in three dimensions [m]; less than 1 m is taken as 1 m.
    line_of_sight : (...) whether each link is in sight.
    """
    lg_d = np.log10(np.maximum(np.asarray(distance_m, dtype=np.float64), NEAREST_M))
    lg_f = math.log10(frequency_hz / 1e9)

    def line(a: float, b: float, c: float) -> FloatArray:
        loss: FloatArray = a + b * lg_d + c * lg_f
        return loss

    los = line(*_LOS)
    if scenario == "HH":
        return los
    nlos = np.maximum(line(*_NLOS[scenario]), los)
    if scenario == "DL":
        nlos = np.maximum(nlos, line(*_NLOS["SL"]))
    loss: FloatArray = np.where(line_of_sight, los, nlos)
    return loss


def los_probability(
    scenario: Scenario,
    distance_2d_m: FloatArray,
    clutter: Clutter,
    trp_height_m: FloatArray | float,
    ue_height_m: FloatArray | float,
) -> FloatArray:
    """Probability of a line of sight, TR 38.901 table 7.4.2-1: ``exp(-d / k)``.

    Parameters
    ----------
    scenario : SL, DL, SH, DH or HH.
    distance_2d_m : (...) level distance [m].
    clutter : clutter of the hall.
    trp_height_m, ue_height_m : heights of the antennas [m], broadcast with the distance. Where a high TRP's device stands above
        the clutter, nothing hides it.
    """
    distance = np.asarray(distance_2d_m, dtype=np.float64)
    if scenario == "HH":
        return np.ones_like(distance)
    k = -clutter.size_m / math.log(1.0 - clutter.density)
    if scenario in ("SL", "DL"):
        low: FloatArray = np.exp(-distance / k)
        return low
    below = clutter.height_m - np.asarray(ue_height_m, dtype=np.float64)
    rise = np.maximum(np.asarray(trp_height_m, dtype=np.float64) - ue_height_m, 0.0)
    # exp(-d / (k rise / below)); a TRP no higher than the device never sees over the clutter.
    steep = np.divide(np.maximum(below, 0.0), rise, out=np.full(np.broadcast(below, rise).shape, np.inf), where=rise > 0.0)
    steep = np.where(below <= 0.0, 0.0, steep)
    with np.errstate(invalid="ignore"):
        share: FloatArray = np.where(steep == 0.0, 1.0, np.exp(-np.where(distance > 0.0, distance * steep, 0.0) / k))
    return share


class StatisticalInf:
    """Draws the paths of links in a hall that is known by its clutter alone.

    Parameters
    ----------
    config : the radio section; its ``inf`` and ``remainder`` are used.
    size_m : (3,) size of the hall [m].
    trp_position_m : (T, 3) TRPs [m].
    carriers : carrier of each TRP.
    slant_deg : (T,) slant of a TRP's elements against the UE's antenna [deg].
    seed : seed of the fading. Equal seeds give equal channels at equal places; nothing depends on the order of calls.
    k_field : the remainder's field of K factors, one per TRP.
    """

    def __init__(
        self,
        config: RadioConfig,
        size_m: FloatArray,
        trp_position_m: FloatArray,
        carriers: tuple[CarrierConfig, ...],
        slant_deg: FloatArray,
        seed: int,
        k_field: SpatialField,
    ) -> None:
        self._config = config
        self._clutter = clutter_of(config.inf)
        self._trp_m = np.ascontiguousarray(trp_position_m, dtype=np.float64)
        self._frequency_hz = [c.frequency_hz for c in carriers]
        self._wavelength_m = SPEED_OF_LIGHT_MPS / np.array(self._frequency_hz)
        self._seed = seed
        self._k_field = k_field
        n = len(carriers)

        def field(correlation_m: float, what: int) -> SpatialField:
            return SpatialField(size_m, correlation_m, [np.random.SeedSequence([seed, what, t]) for t in range(n)])

        # Table 7.6.3.1-2: whether a link is in sight is correlated over half the clutter's size.
        self._sight = field(self._clutter.size_m / 2.0, 0x4C)
        self._shadow = field(SHADOW_CORRELATION_M, 0x53), field(SHADOW_CORRELATION_M, 0x4E)
        slant = np.radians(slant_deg)
        self._copolar = np.stack(
            [np.abs(np.cos(slant)), np.sqrt(np.cos(slant) ** 2 + np.sin(slant) ** 2 * 10.0 ** (-_XPR_DB[1] / 10.0))], axis=1
        )
        spread = np.stack([angle_spread_deg(f)[1] for f in self._frequency_hz])
        self._spread_rad = np.radians(spread[:, :2])
        length, width, height = (float(s) for s in size_m)
        surface = 2.0 * (length * width + length * height + width * height)
        ns = config.remainder.delay_spread_ns
        self._delay_spread_s = 1e-9 * ns if ns else delay_spread_s(length * width * height, surface, line_of_sight=False)
        self._clusters: FloatArray = np.zeros((0, n, CLUSTERS, 5))

    def find(self, ue_position_m: FloatArray) -> Paths:
        """Return the paths of every link to UEs at ``ue_position_m`` (U, 3) [m].

        Raises
        ------
        ValueError
            If a position is not finite.
        """
        ue = np.ascontiguousarray(ue_position_m, dtype=np.float64)
        if not np.isfinite(ue).all():
            i = int(np.argwhere(~np.isfinite(ue))[0, 0])
            raise ValueError(f"position_m of UE {i} is {ue[i].tolist()}, wanted three finite numbers in m")
        scenario: Scenario = self._config.inf.scenario
        away = ue[:, None, :] - self._trp_m
        level = np.hypot(away[..., 0], away[..., 1])
        distance = np.hypot(level, away[..., 2])
        share = los_probability(scenario, level, self._clutter, self._trp_m[:, 2], ue[:, 2:])
        los = standard_normal_cdf(self._sight.at(ue)) < share
        shadow = np.where(los, SHADOW_LOS_DB * self._shadow[0].at(ue), SHADOW_NLOS_DB[scenario] * self._shadow[1].at(ue))
        loss = np.empty(los.shape)
        for t, frequency_hz in enumerate(self._frequency_hz):
            loss[:, t] = path_loss_db(scenario, frequency_hz, distance[:, t], los[:, t])
        gain = 10.0 ** (-(loss + shadow) / 10.0)
        if self._config.remainder.enabled:
            k = rician_k(self._config.remainder, self._k_field.at(ue))
            gain = np.where(los, gain * k / (k + 1.0), gain)
        self._draw(len(ue))
        offset, order, vertex, length_m, amplitude, transfer, departure, arrival = paths_kernel(
            self._trp_m, ue, los, np.sqrt(gain), self._wavelength_m, self._copolar, self._clusters
        )
        return Paths(
            n_ue=len(ue),
            n_trp=len(self._trp_m),
            wavelength_m=self._wavelength_m,
            offset=offset,
            order=order,
            vertex_m=vertex,
            length_m=length_m,
            transfer=transfer,
            amplitude=amplitude,
            departure=departure,
            arrival=arrival,
            facet=np.full((len(order), 2), -1),
        )

    def _draw(self, n_ue: int) -> None:
        """Draw the scatterers of further UEs: turn and tilt against the straight line [rad], detour [m], field share, phase."""
        for u in range(len(self._clusters), n_ue):
            rng = np.random.default_rng(np.random.SeedSequence([self._seed, 0x43, u]))
            shape = (self._trp_m.shape[0], CLUSTERS)
            angle = rng.standard_normal((*shape, 2)) * self._spread_rad[:, None, :]
            # Equations 7.5-1 and 7.5-5 without their shadowing of single clusters.
            delay_s = -_DELAY_SCALING * self._delay_spread_s * np.log(1.0 - rng.random(shape))
            delay_s -= delay_s.min(axis=1, keepdims=True)
            power = np.exp(-delay_s * (_DELAY_SCALING - 1.0) / (_DELAY_SCALING * self._delay_spread_s))
            power /= power.sum(axis=1, keepdims=True)
            drawn = np.empty((1, *shape, 5))
            drawn[0, :, :, :2] = angle
            drawn[0, :, :, 2] = _SHORTEST_DETOUR_M + delay_s * SPEED_OF_LIGHT_MPS
            drawn[0, :, :, 3] = np.sqrt(power)
            drawn[0, :, :, 4] = rng.random(shape)
            self._clusters = np.concatenate((self._clusters, drawn))


def standard_normal_cdf(x: FloatArray) -> FloatArray:
    """Return the standard normal distribution function."""
    out: FloatArray = cdf_kernel(x)
    return out


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def cdf_kernel(x):  # type: ignore[no-untyped-def]
    """Return ``standard_normal_cdf``."""
    out = np.empty(x.shape)
    for i in range(x.size):
        out.flat[i] = 0.5 * math.erfc(-x.flat[i] / math.sqrt(2.0))
    return out


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def paths_kernel(trp, ue, los, field, wavelength, copolar, clusters):  # type: ignore[no-untyped-def]
    """Arrays of ``Paths`` of links with field gains ``field`` (U, T), in sight or by way of ``clusters`` (U, T, CLUSTERS, 5)."""
    n_ue, n_trp, n_clusters = ue.shape[0], trp.shape[0], clusters.shape[2]
    offset = np.zeros(n_ue * n_trp + 1, np.int64)
    for link in range(n_ue * n_trp):
        offset[link + 1] = offset[link] + (1 if los[link // n_trp, link % n_trp] else n_clusters)
    n = offset[-1]
    order = np.zeros(n, np.int64)
    vertex = np.empty((n, 4, 3))
    length = np.empty(n)
    amplitude = np.empty(n, np.complex128)
    transfer = np.zeros((n, 2, 2), np.complex128)
    departure, arrival = np.empty((n, 3)), np.empty((n, 3))
    ranked = np.empty(n_clusters)
    for link in range(n_ue * n_trp):
        u, t = link // n_trp, link % n_trp
        straight = ue[u] - trp[t]
        distance = max(math.sqrt((straight**2).sum()), 1e-3)
        straight = straight / distance
        first = offset[link]
        if not los[u, t]:
            for c in range(n_clusters):
                ranked[c] = -clusters[u, t, c, 3]
        by_power = np.argsort(ranked)
        for p in range(first, offset[link + 1]):
            vertex[p, 0] = trp[t]
            vertex[p, 2] = ue[u]
            vertex[p, 3] = ue[u]
            gain, phase, state = field[u, t], 0.0, 0
            if los[u, t]:
                vertex[p, 1] = ue[u]
                length[p] = distance
                departure[p] = straight
                arrival[p] = -straight
            else:
                turn, tilt, detour, share, phase = clusters[u, t, by_power[p - first]]
                around = math.atan2(straight[1], straight[0]) + turn
                upright = math.asin(min(1.0, max(-1.0, straight[2]))) + tilt
                departure[p, 0] = math.cos(around) * math.cos(upright)
                departure[p, 1] = math.sin(around) * math.cos(upright)
                departure[p, 2] = math.sin(upright)
                # The scatterer lies on the ellipsoid around both ends with this path length, in that direction from the TRP.
                length[p] = distance + detour
                cos_between = (departure[p] * straight).sum()
                out_m = (length[p] ** 2 - distance**2) / (2.0 * (length[p] - distance * cos_between))
                vertex[p, 1] = trp[t] + out_m * departure[p]
                arrival[p] = (vertex[p, 1] - ue[u]) / (length[p] - out_m)
                order[p] = 1
                gain *= share
                state = 1
            angle = 2.0 * math.pi * (phase - length[p] / wavelength[t])
            transfer[p, 0, 0] = gain * complex(math.cos(angle), math.sin(angle))
            transfer[p, 1, 1] = transfer[p, 0, 0]
            amplitude[p] = transfer[p, 0, 0] * copolar[t, state]
    return offset, order, vertex, length, amplitude, transfer, departure, arrival


@dataclass(frozen=True, slots=True)
class CouplingLoss:
    """Samples of the calibration layout.

    Attributes
    ----------
    coupling_loss_db : (n,) loss to the serving TRP, the strongest, between isotropic antennas [dB].
    sir_db : (n,) its power over that of all other TRPs, all sending at full power [dB].
    """

    coupling_loss_db: FloatArray
    sir_db: FloatArray


def coupling_loss_samples(scenario: Scenario, frequency_hz: float, n_ue: int, rng: np.random.Generator) -> CouplingLoss:
    """Drop UEs into the calibration layout of TR 38.901 table 7.8-7.

    18 TRPs in a grid of 6 x 3, 20 m apart (SL, DH) or 50 m (DL, SH; HH as SH), half of that from the walls; TRPs at 1.5 m (L) or
    8 m (H); UEs at 1.5 m, uniform over the floor, 1 m or more from every TRP; each link's state and shadow fading drawn alone.

    Parameters
    ----------
    scenario : SL, DL, SH, DH or HH.
    frequency_hz : carrier frequency [Hz].
    n_ue : UEs to drop.
    rng : generator.
    """
    spacing_m = 20.0 if scenario in ("SL", "DH") else 50.0
    trp_m, ue_m = (1.5 if scenario[1] == "L" else 8.0), 1.5
    grid_x, grid_y = np.meshgrid((np.arange(6) + 0.5) * spacing_m, (np.arange(3) + 0.5) * spacing_m, indexing="ij")
    site = np.stack([grid_x.ravel(), grid_y.ravel()], axis=1)
    clutter = clutter_of(InfConfig(scenario=scenario))
    loss = np.empty((n_ue, len(site)))
    done = 0
    while done < n_ue:
        place = rng.uniform([0.0, 0.0], [6 * spacing_m, 3 * spacing_m], (n_ue - done, 2))
        level = np.hypot(*(place[:, None, :] - site).transpose(2, 0, 1))
        level = level[(level >= NEAREST_M).all(axis=1)]
        los = rng.random(level.shape) < los_probability(scenario, level, clutter, trp_m, ue_m)
        sigma = np.where(los, SHADOW_LOS_DB, SHADOW_NLOS_DB[scenario])
        drop = path_loss_db(scenario, frequency_hz, np.hypot(level, trp_m - ue_m), los) + sigma * rng.standard_normal(level.shape)
        loss[done : done + len(drop)] = drop
        done += len(drop)
    gain = 10.0 ** (-loss / 10.0)
    best = gain.max(axis=1)
    return CouplingLoss(loss.min(axis=1), 10.0 * np.log10(best / (gain.sum(axis=1) - best)))
