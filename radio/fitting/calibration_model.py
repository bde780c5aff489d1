"""Forward model of calibration: the RSRP that each row of a log should show, as a function of the parameters.

The geometry of the paths does not depend on any parameter, so it is found once. What is left per evaluation is cheap: reflection
coefficients of the materials, the panel's gain towards every path, and a sum of powers:

    RSRP = P_tx / (12 N_RB) + gain offsets + 10 lg( sum over paths |A(materials)|^2 G_beam(azimuth, downtilt) / L_bodies(scale) )

with the strongest beam of the codebook, or the one that the log names. Paths add in power, because a row of a log is a mean over
some decimetres or over the carrier's bandwidth, and the phase between paths is lost to the position error anyway.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt

from radio.config import RadioConfig
from radio.fitting.calibration_csv import MeasurementLog
from radio.links import Channel
from radio.propagation.antennas import panel_axes, panel_factors, ue_gain, ue_sectors
from radio.propagation.geometry import Hall, PreparedHall
from radio.propagation.materials import slab
from radio.types import Blockers, ComplexArray, FloatArray, IntArray, Paths, Ues

# Paths that are weak with the materials of the scenario may be strong with those of the fit.
LARGEST_PATH_COUNT = 14
REACH_DB = 45.0
# A facet of |permittivity| above this reflects all there is at any angle; nothing of it can be fitted.
CONDUCTOR_PERMITTIVITY = 1e4
BODY_SCALES = np.array([0.4, 0.7, 0.85, 1.0, 1.15, 1.3, 1.6])
SMALLEST_POWER = 1e-30
SUBCARRIERS_PER_BLOCK = 12


@dataclass(frozen=True, slots=True)
class Parameter:
    """One unknown of the fit, as an offset from the scenario's value.

    Attributes
    ----------
    kind : ``common_gain``, ``power``, ``azimuth``, ``downtilt``, ``permittivity``, ``conductivity`` or ``body_scale``.
    subject : TRP or material, empty for the log as a whole.
    index : number of the TRP or material, -1 without a subject.
    unit : unit of the offset: dB, deg, or "ln" for a natural logarithm of a ratio; ``body_scale`` counts as a ratio less 1.
    prior_sd : standard deviation of the offset before the log was seen.
    bound : the fit stays within plus and minus this.
    """

    kind: str
    subject: str
    index: int
    unit: str
    prior_sd: float
    bound: float

    @property
    def name(self) -> str:
        """Name in reports, for example ``azimuth of aisle-south``."""
        word = {"common_gain": "common gain", "power": "transmit power", "body_scale": "body scale"}.get(self.kind, self.kind)
        return f"{word} of {self.subject}" if self.subject else word


@dataclass(frozen=True, slots=True)
class PathTable:
    """What of the paths' geometry their field needs.

    Attributes
    ----------
    spread : (P,) free-space field gain, wavelength over 4 pi length.
    share : (P, 2, 2) part of the field that takes TE (0) or TM (1) at the first and at the second bounce; a path without that
        bounce has all in entry 0.
    cos_incidence : (P, 2) cosine of the angle of incidence at each bounce, 1 where there is none.
    groups : bounces on the same stuff: bounce, carrier, material, thickness [m], and the paths concerned.
    """

    spread: FloatArray
    share: FloatArray
    cos_incidence: FloatArray
    groups: tuple[tuple[int, int, int, float, IntArray], ...]


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _site_power(offset, trp, beam, weight, departure, axes, rows, columns, seen):  # type: ignore[no-untyped-def]
    """Power gain of every site on its strongest (or given) beam and sector; ``seen`` (P,) takes the antennas' share per path."""
    n_sites, n_sectors = trp.shape[0], weight.shape[1]
    largest_columns, largest_rows = columns.max(), rows.max()
    out = np.zeros(n_sites)
    longest = 1
    for s in range(n_sites):
        longest = max(longest, offset[s + 1] - offset[s])
    across = np.empty((longest, largest_columns))
    upright = np.empty((longest, largest_rows))
    power = np.empty((n_sectors, largest_rows, largest_columns))
    for s in range(n_sites):
        t, first, last = trp[s], offset[s], offset[s + 1]
        power[:] = 0.0
        for p in range(first, last):
            q = p - first
            panel_factors(departure[p, 0], departure[p, 1], departure[p, 2], axes, t, rows[t], columns[t], across, upright, q)
            for c in range(columns[t]):
                across[q, c] *= across[q, c]
            for r in range(rows[t]):
                upright[q, r] *= upright[q, r]
                for k in range(n_sectors):
                    scale = weight[p, k] * upright[q, r]
                    for c in range(columns[t]):
                        power[k, r, c] += scale * across[q, c]
        best, best_row, best_column, best_sector = -1.0, 0, 0, 0
        for r in range(rows[t]):
            for c in range(columns[t]):
                if beam[s] >= 0 and r * columns[t] + c != beam[s]:
                    continue
                for k in range(n_sectors):
                    if power[k, r, c] > best:
                        best, best_row, best_column, best_sector = power[k, r, c], r, c, k
        for p in range(first, last):
            seen[p] = weight[p, best_sector] * upright[p - first, best_row] * across[p - first, best_column]
        out[s] = best
    return out


class ForwardModel:
    """RSRP of a log's rows against the parameters.

    Parameters
    ----------
    config : radio section of the scenario.
    hall : the hall.
    log : the measurements.
    parameters : unknowns, in the order of the vectors given to :meth:`predict` and :meth:`jacobian`.
    rsrp_per : ``resource_element`` (TS 38.215 SS-RSRP) or ``carrier`` where the log holds the power of the whole carrier.
    bodies : gives the bodies in the hall at a time [s], None where the log has none.

    Attributes
    ----------
    covered : (N,) rows of the log that have a value and where the model finds a path; all else returns only those, in order.
    trp : (n,) TRP of each covered row.
    measured_dbm : (n,) their RSRP [dBm].
    time_s : (n,) their time [s].
    material_names, nominal_permittivity : materials in use and their permittivity in the scenario (C, M).
    frequency_hz : (C,) carriers in use [Hz].
    departure_spread_deg : (T,) largest angle between two of the covered rows' directions as seen from each TRP [deg], 0 for none.
    """

    def __init__(
        self,
        config: RadioConfig,
        hall: Hall,
        log: MeasurementLog,
        parameters: tuple[Parameter, ...],
        rsrp_per: str = "resource_element",
        bodies: Callable[[float], Blockers] | None = None,
    ) -> None:
        self.parameters = parameters
        self._config = config
        self._last: tuple[FloatArray, FloatArray, FloatArray] | None = None
        wide = config.paths.model_copy(update={"max_paths": LARGEST_PATH_COUNT, "reach_db": REACH_DB})
        channel = Channel(config.model_copy(update={"paths": wide}), hall)
        names, nominal = hall_materials(hall, channel.prepared)
        self.material_names, self.nominal_permittivity = names, nominal
        self.frequency_hz = channel.prepared.frequency_hz
        self._rows = np.array([t.panel.rows for t in config.trps], dtype=np.int64)
        self._columns = np.array([t.panel.columns for t in config.trps], dtype=np.int64)
        # TS 38.215 5.1.1: power of one resource element, of 12 subcarriers in each resource block.
        elements = [config.carrier_of(t).resource_blocks * SUBCARRIERS_PER_BLOCK for t in config.trps]
        share = np.array(elements if rsrp_per == "resource_element" else [1] * len(elements), dtype=np.float64)
        self._base_dbm = np.array([t.tx_power_dbm + t.gain_offset_db for t in config.trps]) - 10.0 * np.log10(share)

        heard = ~np.isnan(log.rsrp_dbm)
        place, of_row = np.unique(
            np.column_stack([log.position_m, np.nan_to_num(log.heading_rad)])[heard], axis=0, return_inverse=True
        )
        of_row = of_row.ravel()
        ues = Ues(np.ascontiguousarray(place[:, :3]), np.ascontiguousarray(place[:, 3]), np.full(len(place), -1))
        paths = channel.paths(ues)
        link = of_row * paths.n_trp + log.trp[heard]
        reached = np.diff(paths.offset)[link] > 0
        self.covered = np.zeros(len(heard), np.bool_)
        self.covered[np.flatnonzero(heard)[reached]] = True
        self.trp = log.trp[self.covered]
        self.measured_dbm = log.rsrp_dbm[self.covered]
        self.time_s = log.time_s[self.covered]

        # A site is what rows share: link and beam, and with bodies the time.
        key = np.column_stack([link[reached], log.beam[self.covered], np.zeros(len(self.trp), np.int64)])
        if bodies is not None:
            key[:, 2] = np.unique(self.time_s, return_inverse=True)[1].ravel()
        site, first_row, self._site = np.unique(key, axis=0, return_index=True, return_inverse=True)
        self._site = self._site.ravel()
        self._site_trp = np.ascontiguousarray(site[:, 0] % paths.n_trp)
        self._site_beam = np.ascontiguousarray(site[:, 1])
        count = np.diff(paths.offset)[site[:, 0]]
        self._offset = np.concatenate([[0], np.cumsum(count)])
        pick = np.repeat(paths.offset[site[:, 0]] - self._offset[:-1], count) + np.arange(self._offset[-1])
        self._path_site = np.repeat(np.arange(len(site)), count)
        self._departure = np.ascontiguousarray(paths.departure[pick])
        table = path_table(paths, hall, channel.prepared, config, site[self._path_site, 0], pick)
        self._coefficient = PathCoefficient(table, channel.prepared.wavelength_m)
        headed = np.isfinite(log.heading_rad).all()
        heading = ues.heading_rad[site[self._path_site, 0] // paths.n_trp]
        self._ue = _receiver(config, paths.arrival[pick], heading) if headed else np.ones((len(pick), 1))
        self._body_db = None if bodies is None else self._bodies(channel, paths, site, self.time_s[first_row], bodies)
        self.departure_spread_deg = np.array(
            [_spread_deg(place[of_row[reached][self.trp == t], :3], config.trps[t].position_m) for t in range(len(config.trps))]
        )

    @property
    def n_rows(self) -> int:
        """Number of covered rows n."""
        return len(self.trp)

    def predict(self, x: FloatArray) -> FloatArray:
        """RSRP of the covered rows (n,) [dBm] at parameter offsets ``x`` (K,)."""
        power, _ = self._power(x)
        return self._dbm(x, power)

    def jacobian(self, x: FloatArray, angle_step_deg: float = 0.05) -> FloatArray:
        """Return the derivative of :meth:`predict` (n, K), by central differences where it is not exact."""
        out = np.zeros((self.n_rows, len(x)))
        angle_steps: dict[str, FloatArray] = {}
        for k, parameter in enumerate(self.parameters):
            kind = parameter.kind
            if kind == "common_gain":
                out[:, k] = 1.0
            elif kind == "power":
                out[self.trp == parameter.index, k] = 1.0
            elif kind in ("azimuth", "downtilt"):
                # All TRPs are turned at once: a row hears one.
                if kind not in angle_steps:
                    step, up, down = angle_step_deg, x.copy(), x.copy()
                    for j, other in enumerate(self.parameters):
                        if other.kind == kind:
                            up[j] += step
                            down[j] -= step
                    angle_steps[kind] = (self.predict(up) - self.predict(down)) / (2.0 * step)
                mine = self.trp == parameter.index
                out[mine, k] = angle_steps[kind][mine]
            else:
                up, down = self.scan(x, k, x[k] + np.array([0.01, -0.01]))
                out[:, k] = (up - down) / 0.02
        return out

    def scan(self, x: FloatArray, k: int, values: FloatArray) -> FloatArray:
        """RSRP (V, n) [dBm] where parameter ``k``, of a material or the bodies, takes ``values``, on the beams of ``x``."""
        power, seen = self._power(x)
        per_path = seen / np.maximum(self._path_power(x), SMALLEST_POWER)
        moved, out = x.copy(), np.empty((len(values), self.n_rows))
        for i, value in enumerate(values):
            moved[k] = value
            out[i] = self._dbm(x, np.bincount(self._path_site, per_path * self._path_power(moved), len(power)))
        return out

    def _values(self, x: FloatArray, kind: str, size: int) -> FloatArray:
        out = np.zeros(size)
        for k, parameter in enumerate(self.parameters):
            if parameter.kind == kind:
                out[parameter.index] = x[k]
        return out

    def _scalar(self, x: FloatArray, kind: str) -> float:
        return float(sum(x[k] for k, parameter in enumerate(self.parameters) if parameter.kind == kind))

    def _path_power(self, x: FloatArray) -> FloatArray:
        """Power gain of every path (P,) without antennas; what depends on the same materials as before is not computed again."""
        count = len(self.material_names)
        real = self.nominal_permittivity.real * np.exp(self._values(x, "permittivity", count))[None, :]
        imag = self.nominal_permittivity.imag * np.exp(self._values(x, "conductivity", count))[None, :]
        power = np.abs(self._coefficient(real + 1j * imag)) ** 2
        if self._body_db is not None:
            power = power * 10.0 ** (-_at_scale(self._body_db, 1.0 + self._scalar(x, "body_scale")) / 10.0)
        return power

    def _power(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        if self._last is not None and np.array_equal(self._last[0], x):
            return self._last[1:]
        trps = self._config.trps
        azimuth, downtilt = self._values(x, "azimuth", len(trps)), self._values(x, "downtilt", len(trps))
        axes = np.stack([panel_axes(t.azimuth_deg + azimuth[i], t.downtilt_deg + downtilt[i]) for i, t in enumerate(trps)])
        seen = np.zeros(len(self._departure))
        weight = self._path_power(x)[:, None] * self._ue
        power = _site_power(
            self._offset, self._site_trp, self._site_beam, weight, self._departure, axes, self._rows, self._columns, seen
        )
        self._last = (x.copy(), power, seen)
        return power, seen

    def _dbm(self, x: FloatArray, power: npt.NDArray[Any]) -> FloatArray:
        offset = self._base_dbm + self._values(x, "power", len(self._base_dbm)) + self._scalar(x, "common_gain")
        out: FloatArray = offset[self.trp] + 10.0 * np.log10(np.maximum(power, SMALLEST_POWER))[self._site]
        return out

    def _bodies(
        self, channel: Channel, paths: Paths, site: IntArray, time_s: FloatArray, bodies: Callable[[float], Blockers]
    ) -> FloatArray:
        """Loss of every path at every scale of ``BODY_SCALES`` (P, scales) [dB]."""
        out = np.zeros((self._offset[-1], len(BODY_SCALES)))
        for when in np.unique(time_s):
            of_time = np.flatnonzero(time_s == when)
            blockers = bodies(float(when))
            for u in np.unique(site[of_time, 0] // paths.n_trp):
                one, ues = _paths_of(paths, int(u))
                for j, scale in enumerate(BODY_SCALES):
                    loss = channel.blockage(one, replace(blockers, half_width_m=blockers.half_width_m * scale), ues).loss_db
                    for s in of_time[site[of_time, 0] // paths.n_trp == u]:
                        t = int(self._site_trp[s])
                        out[self._offset[s] : self._offset[s + 1], j] = loss[one.offset[t] : one.offset[t + 1]]
        return out


def hall_materials(hall: Hall, prepared: PreparedHall) -> tuple[tuple[str, ...], ComplexArray]:
    """Materials in use and their permittivity per carrier (C, M), in the order of their first facet."""
    per_facet = _facet_materials(hall, prepared)
    names = tuple(dict.fromkeys(per_facet))
    return names, np.stack([prepared.permittivity[:, per_facet.index(name)] for name in names], axis=1)


def _facet_materials(hall: Hall, prepared: PreparedHall) -> list[str]:
    own = [hall.wall_material] * 4 + [hall.floor_material, hall.ceiling_material]
    return own + [hall.box_material[int(k)] for k in prepared.facet_box[6:]]


def path_table(
    paths: Paths, hall: Hall, prepared: PreparedHall, config: RadioConfig, link: IntArray, pick: IntArray
) -> PathTable:
    """Split the field of the paths ``pick`` (P,) of links ``link`` (P,) into its TE and TM parts at each bounce."""
    order, facet = paths.order[pick], paths.facet[pick]
    trp = link % paths.n_trp
    names, _ = hall_materials(hall, prepared)
    material_of = np.array([names.index(n) for n in _facet_materials(hall, prepared)], dtype=np.int64)
    carrier = np.array(config.trp_carrier, dtype=np.int64)[trp]
    n = len(pick)
    cos_incidence = np.ones((n, 2))
    direction = paths.departure[pick]
    # field[:, a, b] is the part that has taken a at the first and b at the second bounce.
    field = np.zeros((n, 2, 2, 3))
    field[:, 0, 0] = _slanted(direction, np.radians([t.polarisation_deg for t in config.trps])[trp])
    for bounce in range(2):
        hit = np.flatnonzero(order > bounce)
        if hit.size == 0:
            continue
        k, normal = direction[hit], prepared.normal[facet[hit, bounce]]
        across = np.cross(k, normal)
        flat = np.linalg.norm(across, axis=1) < 1e-9
        # At normal incidence any direction across the ray will do.
        across[flat] = np.cross(k[flat], np.where(np.abs(k[flat, 2:3]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]]))
        across /= np.linalg.norm(across, axis=1)[:, None]
        dot = np.einsum("pi,pi->p", k, normal)
        after = k - 2.0 * dot[:, None] * normal
        cos_incidence[hit, bounce] = np.minimum(np.abs(dot), 1.0)
        before = field[hit]
        te = np.einsum("pabi,pi->pab", before, across)[..., None] * across[:, None, None]
        tm = np.einsum("pabi,pi->pab", before, np.cross(k, across))[..., None] * np.cross(after, across)[:, None, None]
        new = np.zeros_like(before)
        if bounce == 0:
            new[:, 0, 0], new[:, 1, 0] = te[:, 0, 0], tm[:, 0, 0]
        else:
            new[:, :, 0], new[:, :, 1] = te[:, :, 0], tm[:, :, 0]
        field[hit] = new
        direction = direction.copy()
        direction[hit] = after
    receive = _slanted(paths.arrival[pick], np.full(n, np.radians(config.ue.polarisation_deg)))
    groups: list[tuple[int, int, int, float, IntArray]] = []
    for bounce in range(2):
        hit = np.flatnonzero(order > bounce)
        kind = np.column_stack([carrier[hit], material_of[facet[hit, bounce]], prepared.thickness_m[facet[hit, bounce]]])
        for c, m, thickness in np.unique(kind, axis=0):
            groups.append((bounce, int(c), int(m), float(thickness), hit[(kind == (c, m, thickness)).all(axis=1)]))
    return PathTable(
        paths.wavelength_m[trp] / (4.0 * np.pi * paths.length_m[pick]),
        np.einsum("pabi,pi->pab", field, receive),
        cos_incidence,
        tuple(groups),
    )


class PathCoefficient:
    """Complex field gain of every path without its phase of travel, for varying materials.

    Parameters
    ----------
    table : the paths.
    wavelength_m : (C,) carriers [m].
    """

    def __init__(self, table: PathTable, wavelength_m: FloatArray) -> None:
        self._table, self._wavelength_m = table, wavelength_m
        self._factor = np.zeros((2, 2, len(table.spread)), np.complex128)
        self._factor[:, 0] = 1.0
        self._known: list[complex | None] = [None] * len(table.groups)
        self._gain: ComplexArray = np.zeros(0, np.complex128)

    def __call__(self, eps: ComplexArray) -> ComplexArray:
        """Return the gains (P,) at permittivities ``eps`` (C, M), computing anew only bounces on what has changed."""
        table, changed = self._table, len(self._gain) == 0
        for g, (bounce, c, m, thickness, paths) in enumerate(table.groups):
            wanted = complex(eps[c, m])
            if self._known[g] != wanted:
                angles = table.cos_incidence[paths, bounce]
                te, tm = slab(wanted, angles, thickness, float(self._wavelength_m[c]))
                self._factor[bounce, 0, paths], self._factor[bounce, 1, paths] = te, tm
                self._known[g], changed = wanted, True
        if changed:
            share, (first, second) = table.share, self._factor
            through = first[0] * (share[:, 0, 0] * second[0] + share[:, 0, 1] * second[1])
            through += first[1] * (share[:, 1, 0] * second[0] + share[:, 1, 1] * second[1])
            self._gain = table.spread * through
        return self._gain


def _slanted(direction: FloatArray, slant_rad: FloatArray) -> FloatArray:
    """Field of an antenna towards unit vectors (P, 3): the theta-hat vector turned towards phi-hat by its slant (P,)."""
    flat = np.hypot(direction[:, 0], direction[:, 1])
    upright = flat < 1e-12
    cos_phi = np.where(upright, 1.0, direction[:, 0] / np.where(upright, 1.0, flat))
    sin_phi = np.where(upright, 0.0, direction[:, 1] / np.where(upright, 1.0, flat))
    theta = np.column_stack([direction[:, 2] * cos_phi, direction[:, 2] * sin_phi, -flat])
    phi = np.column_stack([-sin_phi, cos_phi, np.zeros(len(flat))])
    out: FloatArray = np.cos(slant_rad)[:, None] * theta + np.sin(slant_rad)[:, None] * phi
    return out


def _receiver(config: RadioConfig, arrival: FloatArray, heading_rad: FloatArray) -> FloatArray:
    """Gain (P, S) of the device's antenna, seen in its own frame so that one call serves all headings."""
    if ue_sectors(config.ue) == 1:
        return ue_gain(arrival, 0.0, config.ue)
    cos, sin = np.cos(heading_rad), np.sin(heading_rad)
    own = np.column_stack([arrival[:, 0] * cos + arrival[:, 1] * sin, arrival[:, 1] * cos - arrival[:, 0] * sin, arrival[:, 2]])
    return ue_gain(own, 0.0, config.ue)


def _paths_of(paths: Paths, u: int) -> tuple[Paths, Ues]:
    """Paths of one UE."""
    first, last = paths.offset[u * paths.n_trp], paths.offset[(u + 1) * paths.n_trp]
    part = slice(int(first), int(last))
    one = replace(
        paths,
        n_ue=1,
        offset=paths.offset[u * paths.n_trp : (u + 1) * paths.n_trp + 1] - first,
        order=paths.order[part],
        vertex_m=paths.vertex_m[part],
        length_m=paths.length_m[part],
        transfer=paths.transfer[part],
        amplitude=paths.amplitude[part],
        departure=paths.departure[part],
        arrival=paths.arrival[part],
        facet=paths.facet[part],
    )
    return one, Ues(np.zeros((1, 3)), np.zeros(1), np.full(1, -1))


def _at_scale(loss_db: FloatArray, scale: float) -> FloatArray:
    """Interpolate the losses at ``BODY_SCALES`` linearly."""
    scale = min(max(scale, float(BODY_SCALES[0])), float(BODY_SCALES[-1]))
    j = min(int(np.searchsorted(BODY_SCALES, scale, side="right")) - 1, len(BODY_SCALES) - 2)
    part = (scale - BODY_SCALES[j]) / (BODY_SCALES[j + 1] - BODY_SCALES[j])
    out: FloatArray = (1.0 - part) * loss_db[:, j] + part * loss_db[:, j + 1]
    return out


def _spread_deg(position_m: FloatArray, trp_position_m: tuple[float, float, float]) -> float:
    """Angle across the cone that the positions fill as seen from a TRP [deg]: twice the largest angle from their mean."""
    if len(position_m) == 0:
        return 0.0
    way = position_m - np.array(trp_position_m)
    way /= np.linalg.norm(way, axis=1)[:, None]
    mean = way.mean(axis=0)
    mean /= np.linalg.norm(mean)
    return 2.0 * math.degrees(math.acos(min(1.0, max(-1.0, float((way @ mean).min())))))
