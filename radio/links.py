"""The channel of a hall: paths, bodies and antennas put together into gains and SINRs.

A ``Channel`` is made once from the configuration and the hall, and is then asked every tick:

    paths = channel.paths(ues)
    blockage = channel.blockage(paths, blockers, ues)
    sweep = channel.sweep(paths, ues, blockage.loss_db, time_us)       # what a network measures
    state = channel.state(paths, ues, blockage, plan, load_dl, load_ul, empty, time_us=time_us)    # what a plan meets

TRPs are on one of the configuration's carriers each; TRPs of different carriers do not hear each other.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from radio.bodies.blockage import blockage_db
from radio.config import RadioConfig
from radio.figures.beam_search import wide_fields
from radio.legs import LegTable
from radio.links_kernels import shadow_kernel, states_kernel, sweep_kernel
from radio.propagation.antennas import factors_kernel, panel_axes, ue_antenna
from radio.propagation.geometry import Hall, PreparedHall, prepare_hall
from radio.propagation.inf import StatisticalInf
from radio.propagation.paths import NO_PATHS, PathFinder
from radio.propagation.remainder import Remainder, rician_k_field
from radio.types import (
    SPEED_OF_LIGHT_MPS,
    Blockage,
    Blockers,
    BoolArray,
    ComplexArray,
    FloatArray,
    IntArray,
    LinkState,
    LinkStates,
    Paths,
    Plan,
    Sweep,
    Ues,
)

BOLTZMANN_J_PER_K = 1.380649e-23
NOISE_TEMPERATURE_K = 290.0
# Gain that stands for "nothing arrives" where a gain is turned into dB.
SMALLEST_GAIN = 1e-30

_Factors = tuple[FloatArray, FloatArray, FloatArray]


class Channel:
    """Radio channel between the TRPs of a configuration and UEs anywhere in a hall.

    Parameters
    ----------
    config : the radio section of a scenario.
    hall : the hall.
    seed : seed of what is drawn: the remainder's K factors and phases, the statistical channel's fading.

    Attributes
    ----------
    config, hall, prepared : configuration, hall, and the hall's facets at the carriers' frequencies.
    trp_carrier : (T,) index of each TRP's carrier among ``config.used_carriers``.
    wavelength_m : (T,) wavelength of each TRP's carrier [m].
    n_trp, n_beams, n_sectors : T, B (of the largest panel; a smaller panel's missing beams have no gain) and S.
    trp_position_m : (T, 3) TRPs [m].
    beams_of_trp : (T,) beams of each TRP's own codebook.
    noise_dl_w : (T,) noise of a UE's receiver over each TRP's carrier, k T B times its noise figure [W].
    noise_ul_w : (T,) the same of the TRPs' receivers [W].

    Raises
    ------
    ValueError
        If a TRP lies outside the hall or inside a box, or a material is unknown or undefined at a carrier's frequency.
    """

    config: RadioConfig
    hall: Hall
    prepared: PreparedHall

    def __init__(self, config: RadioConfig, hall: Hall, seed: int = 0) -> None:
        self.config = config
        self.hall = hall
        _check_trps(config, hall)
        trps = config.trps
        carriers = tuple(config.carrier_of(t) for t in trps)
        self.n_trp = len(trps)
        self.trp_carrier: IntArray = np.array(config.trp_carrier, dtype=np.int64)
        self.wavelength_m: FloatArray = np.array([SPEED_OF_LIGHT_MPS / c.frequency_hz for c in carriers])
        self.trp_position_m = np.array([t.position_m for t in trps], dtype=np.float64)
        self.prepared = _prepare(config, hall)

        self._ue = ue_antenna(config.ue)
        self.n_sectors = self._ue.n_sectors
        self._axes = np.stack([panel_axes(t.azimuth_deg, t.downtilt_deg) for t in trps])
        self._rows = np.array([t.panel.rows for t in trps], dtype=np.int64)
        self._columns = np.array([t.panel.columns for t in trps], dtype=np.int64)
        self._trp_field = 10.0 ** (np.array([t.gain_offset_db for t in trps]) / 20.0)
        self.beams_of_trp = self._rows * self._columns
        self.n_beams = int(self.beams_of_trp.max())

        thermal_w = BOLTZMANN_J_PER_K * NOISE_TEMPERATURE_K * np.array([c.bandwidth_hz for c in carriers])
        self.noise_dl_w: FloatArray = thermal_w * 10.0 ** (config.ue.noise_figure_db / 10.0)
        self.noise_ul_w: FloatArray = thermal_w * 10.0 ** (np.array([t.noise_figure_db for t in trps]) / 10.0)
        self._tx_dl_w = 10.0 ** ((np.array([t.tx_power_dbm for t in trps]) - 30.0) / 10.0)
        self._nominal_dl_w = self._tx_dl_w.copy()
        self._tx_ul_w = float(10.0 ** ((config.ue.tx_power_dbm - 30.0) / 10.0))
        self._evm2 = (config.ue.evm_percent / 100.0) ** 2

        # Tones at the centres of equal slices of the channel, relative to the carrier.
        n_tones = [c.tones or config.paths.tones for c in carriers]
        step_hz = np.array([c.bandwidth_hz / n for c, n in zip(carriers, n_tones, strict=True)])
        first_hz = np.array([(s - c.bandwidth_hz) / 2.0 for c, s in zip(carriers, step_hz, strict=True)])
        self._figures = np.column_stack(
            [self._tx_dl_w, self.noise_dl_w, self.noise_ul_w, first_hz / SPEED_OF_LIGHT_MPS, step_hz / SPEED_OF_LIGHT_MPS]
        )
        self._counts = np.column_stack([self._columns, self.beams_of_trp, self.trp_carrier, n_tones]).astype(np.int64)

        k_field = rician_k_field(config.remainder, hall.size_m, self.n_trp, seed)
        statistical = config.channel == "statistical_inf"
        slant_deg = np.array([t.polarisation_deg - config.ue.polarisation_deg for t in trps])
        limits = config.paths
        self._finder: PathFinder | StatisticalInf
        if statistical:
            self._finder = StatisticalInf(config, hall.size_m, self.trp_position_m, carriers, slant_deg, seed, k_field)
        else:
            self._finder = PathFinder(
                self.prepared,
                self.trp_position_m,
                trp_carrier=config.trp_carrier,
                trp_slant_rad=[math.radians(t.polarisation_deg) for t in trps],
                ue_slant_rad=math.radians(config.ue.polarisation_deg),
                max_paths=limits.max_paths,
                reach_db=limits.reach_db,
                max_order=limits.max_order,
            )
        self._remainder: Remainder | None = None
        if config.remainder.enabled:
            self._remainder = Remainder(
                config.remainder, hall, self.trp_position_m, self._axes, self._trp_field**2, slant_deg, carriers, self._ue,
                seed, of_path=statistical, k_field=k_field,
            )  # fmt: skip
            tone_hz = first_hz[:, None] + step_hz[:, None] * np.arange(max(n_tones), dtype=np.float64)
            self._tone_turns = self._remainder.tone_turns(tone_hz)

        # What several calls of one tick share, kept for the last inputs; structs are frozen, so identity is enough.
        self._current: Paths = NO_PATHS  # the paths to remember
        self._factors_of: list[tuple[Paths, Ues, _Factors]] = []
        self._last_factors: tuple[Paths, FloatArray, _Factors] = (NO_PATHS, np.zeros(0), (np.zeros((0, 1)),) * 3)
        self._diffuse_of: list[tuple[Paths, Ues, FloatArray, IntArray]] = []
        self._last_blockage: tuple[Paths, Blockage] | None = None
        self._shadow_of: tuple[Sweep, FloatArray, FloatArray] | None = None
        self._empty_of: tuple[Paths, Ues, Sweep] | None = None
        self._table = LegTable(0, 0, 0, 0, 1)
        self._table_of: tuple[Paths, Blockage, Ues, int] | None = None
        self._power: FloatArray = np.zeros(0)
        self._all: BoolArray = np.zeros(0, np.bool_)
        self._no_diffuse = np.zeros((0, self.n_sectors)), np.zeros(0, np.int64)

    def paths(self, ues: Ues, needed: BoolArray | None = None, *, remember: bool = True) -> Paths:
        """Propagation paths between every TRP and every UE.

        Parameters
        ----------
        ues : UEs at one instant. One that is outside the hall or inside a box has no path.
        needed : (U * T,) links whose paths have to be those of this instant, None for all. The others may be those of the last
            call, see ``radio.propagation.paths.PathFinder.find``; the statistical channel finds all.
        remember : False for a glance ahead, which leaves no trace in what the next calls keep from the last one: paths, and the
            antennas' gains and the bodies' losses along them. Links that are not needed then have no paths.

        Raises
        ------
        ValueError
            If a UE's position or heading is not finite.
        """
        if not np.isfinite(ues.heading_rad).all():
            u = int(np.argwhere(~np.isfinite(ues.heading_rad))[0, 0])
            raise ValueError(f"heading_rad of UE {u} is {ues.heading_rad[u]}, wanted a finite angle in rad")
        if isinstance(self._finder, PathFinder):
            found = self._finder.find(ues.position_m, needed, remember=remember)
        else:
            found = self._finder.find(ues.position_m)
        if remember:
            self._current = found
        return found

    def blockage(self, paths: Paths, blockers: Blockers, ues: Ues, needed: BoolArray | None = None) -> Blockage:
        """Loss by moving bodies along every path; see ``radio.bodies.blockage.blockage_db``.

        Parameters
        ----------
        paths, ues : paths and the UEs they were computed for.
        blockers : moving bodies.
        needed : links (U * T,) to compute, None for all. The others keep what was found last for paths that were to be
            remembered, where they are the same.
        """
        section = self.config.blockage
        if section.body_scale != 1.0:
            blockers = dataclasses.replace(blockers, half_width_m=blockers.half_width_m * section.body_scale)
        keep = None if needed is None or self._last_blockage is None else (needed, *self._last_blockage)
        found = blockage_db(paths, blockers, ues.owner, section.model, section.effort, keep)
        if paths is self._current:
            self._last_blockage = paths, found
        return found

    def sweep(self, paths: Paths, ues: Ues, loss_db: FloatArray | None, time_us: int, needed: BoolArray | None = None) -> Sweep:
        """Power gain of every beam pair.

        Parameters
        ----------
        paths, ues : paths and the UEs they were computed for.
        loss_db : (P,) body loss of each path [dB], None for the hall without bodies.
        time_us : instant of the measurement [us].
        needed : (U * T,) links to sweep, None for all. The others have no gain.

        Returns
        -------
        Sweep
            ``gain`` (U, T, B, S), linear, both antennas included, paths added in power, the remainder by its mean.
        """
        azimuth, elevation, sector = self._factors(paths, ues)
        power = _squared(paths.amplitude)
        if loss_db is not None:
            power *= np.exp(loss_db * (-0.1 * math.log(10.0)))
        diffuse, _ = self._diffuse(paths, ues, needed)
        gain = sweep_kernel(
            paths.offset, paths.n_trp, power, azimuth, elevation, sector, diffuse, self._rows, self._columns, self.n_beams,
            self._every(paths) if needed is None else needed,
        )  # fmt: skip
        return Sweep(time_us, gain)

    def wide_sweep(self, paths: Paths, ues: Ues, loss_db: FloatArray | None, time_us: int) -> Sweep:
        """Power gain of wide beams (U, T, B / 4, S): parameters as ``sweep``; see ``radio.figures.beam_search.wide_fields``."""
        azimuth, elevation, sector = self._factors(paths, ues)
        power = _squared(paths.amplitude) * (1.0 if loss_db is None else np.exp(loss_db * (-0.1 * math.log(10.0))))
        gain = sweep_kernel(
            paths.offset, paths.n_trp, power, wide_fields(azimuth), wide_fields(elevation), sector,
            self._diffuse(paths, ues)[0], self._rows // 2, self._columns // 2, self.n_beams // 4, self._every(paths),
        )  # fmt: skip
        return Sweep(time_us, gain)

    def state(
        self,
        paths: Paths,
        ues: Ues,
        blockage: Blockage,
        plan: Plan,
        load_dl: FloatArray,
        load_ul: FloatArray,
        empty_sweep: Sweep | None = None,
        *,
        time_us: int = 0,
    ) -> LinkState:
        """Radio state of the legs that a plan uses.

        Parameters
        ----------
        paths, ues : paths and the UEs they were computed for.
        blockage : loss by bodies along those paths.
        plan : what the policy ordered.
        load_dl, load_ul : (T,) share of the time that each TRP's downlink and uplink is in use, 0..1.
        empty_sweep : sweep of the hall without bodies at the same places, computed here when absent.
        time_us : instant [us], which moves the remainder's reflectors.

        Returns
        -------
        LinkState
            Every SINR is wideband-effective and capped by the EVM; a leg without any path has -200 dB.

        Raises
        ------
        ValueError
            As ``states``.
        """
        return self.states(paths, ues, blockage, (plan,), (load_dl,), (load_ul,), empty_sweep, time_us=time_us)[0]

    def states(
        self,
        paths: Paths,
        ues: Ues,
        blockage: Blockage,
        plans: Sequence[Plan],
        load_dl: Sequence[FloatArray],
        load_ul: Sequence[FloatArray],
        empty_sweep: Sweep | None = None,
        *,
        time_us: int = 0,
    ) -> LinkStates:
        """Radio state of the legs of several plans, each with the loads that it makes; parameters as ``state``.

        Raises
        ------
        ValueError
            If the plan names a TRP, beam or sector that does not exist, or an array has the wrong shape.

        Notes
        -----
        Signal: paths, each times the field that bodies leave of it, and the remainder added as fields at the carrier's tones.
        Interference, from TRPs of the same carrier alone: paths added in power; downlink from every other TRP with UEs, on
        the mean of its UEs' primary beams, times its load; uplink from every other UE whose primary leg is on another TRP,
        times that TRP's uplink load over its number of UEs. The effective SINR inverts the mean of ``log2(1 + sinr)`` over
        the tones. ``clear_*`` keep the remainder: it is there with and without bodies.
        """
        wanted = ((paths.n_ue, 2),) * 3 + ((self.n_trp,),) * 2 + (paths.length_m.shape,)
        for plan, dl, ul in zip(plans, load_dl, load_ul, strict=True):
            shapes = (plan.trp.shape, plan.beam.shape, plan.sector.shape, dl.shape, ul.shape, blockage.loss_db.shape)
            if shapes != wanted:
                raise ValueError(
                    f"plan.trp, plan.beam, plan.sector, load_dl, load_ul, blockage.loss_db have shapes {shapes}, wanted {wanted}"
                )
        trp = np.array([p.trp for p in plans], dtype=np.int64)
        beam = np.array([p.beam for p in plans], dtype=np.int64)
        sector_used = np.array([p.sector for p in plans], dtype=np.int64)
        azimuth, elevation, sector = self._factors(paths, ues)
        diffuse, nlos = self._diffuse(paths, ues)
        shadow_dl, shadow_ul = self._shadow(paths, ues, empty_sweep)
        table = self._legs(paths, blockage, ues, time_us, len(plans))
        before = table.used
        wrong = table.sum_paths(paths, blockage, azimuth, elevation, sector, trp, beam, sector_used, self._figures, self._counts)
        if wrong >= 0:
            i, u, leg = np.unravel_index(wrong, trp.shape)
            raise ValueError(
                f"plan of UE {u} leg {leg} names TRP {trp[i, u, leg]}, beam {beam[i, u, leg]}, sector {sector_used[i, u, leg]}; "
                f"there are {self.n_trp} TRPs with {self.beams_of_trp.tolist()} beams, and {self.n_sectors} sectors"
            )
        if self._remainder is not None and table.used > before:
            self._remainder.add(
                table.tones, table.link, table.pair, before, table.used, diffuse, nlos, self._tone_turns, ues.position_m, time_us
            )
        out, whom = states_kernel(
            paths.offset, paths.n_trp, self._power, azimuth, elevation, sector, diffuse, trp, beam, sector_used,
            np.array(load_dl, dtype=np.float64), np.array(load_ul, dtype=np.float64), self._figures, self._counts,
            self._tx_ul_w, self._evm2, shadow_dl, shadow_ul, table.base, table.row_of, table.tones,
            table.owner, table.part, table.bodies, table.dl_key, table.dl_sum, table.ul_key, table.ul_sum,
        )  # fmt: skip
        return LinkStates(out, whom)

    def correct_power(self, power_db: FloatArray) -> None:
        """Let every TRP send that much stronger than configured, (T,) [dB], from now on; zeros take it back."""
        self._tx_dl_w[:] = self._nominal_dl_w * 10.0 ** (np.asarray(power_db, np.float64) / 10.0)
        self._figures[:, 0] = self._tx_dl_w
        self._shadow_of = None

    def snr_dl_db(self, gain: FloatArray, trp_axis: int = 1) -> FloatArray:
        """Downlink SNR without interference and before the EVM cap [dB].

        Parameters
        ----------
        gain : power gains with TRPs along ``trp_axis``: a sweep's (U, T, B, S), or (U, T) of chosen beam pairs.
        trp_axis : axis of ``gain`` that counts TRPs.

        Returns
        -------
        (...) SNR [dB] in the shape of ``gain``; a gain of 0 is taken as -300 dB.
        """
        return self._snr_db(gain, self._tx_dl_w / self.noise_dl_w, trp_axis)

    def snr_ul_db(self, gain: FloatArray, trp_axis: int = 1) -> FloatArray:
        """Uplink SNR without interference and before the EVM cap [dB]; parameters as ``snr_dl_db``."""
        return self._snr_db(gain, self._tx_ul_w / self.noise_ul_w, trp_axis)

    def cap_sinr_db(self, sinr_db: FloatArray) -> FloatArray:
        """SINR [dB] after the EVM ceiling, ``1 / (1 / sinr + evm**2)``."""
        capped: FloatArray = -10.0 * np.log10(10.0 ** (-np.asarray(sinr_db) / 10.0) + self._evm2)
        return capped

    def _snr_db(self, gain: FloatArray, ratio: FloatArray, trp_axis: int) -> FloatArray:
        shape = [1] * gain.ndim
        shape[trp_axis] = self.n_trp
        snr: FloatArray = np.log10(np.maximum(gain, SMALLEST_GAIN))
        snr *= 10.0
        snr += 10.0 * np.log10(ratio).reshape(shape)
        return snr

    def _factors(self, paths: Paths, ues: Ues) -> _Factors:
        for p, u, factors in self._factors_of:
            if p is paths and u is ues:
                return factors
        last, heading_rad, factors = self._last_factors
        made: _Factors = factors_kernel(
            paths.offset, paths.n_trp, paths.departure, paths.arrival, ues.heading_rad,
            self._axes, self._rows, self._columns, self._trp_field, self._ue.kind, self._ue.axes, self._ue.size, self.n_sectors,
            last.offset, last.departure, last.arrival, heading_rad, *factors,
        )  # fmt: skip
        # The heading is copied: a device may turn in place before it is compared.
        if paths is self._current:
            self._last_factors = (paths, ues.heading_rad.copy(), made)
        self._factors_of = [(paths, ues, made), *self._factors_of[:3]]
        return made

    def _diffuse(self, paths: Paths, ues: Ues, needed: BoolArray | None = None) -> tuple[FloatArray, IntArray]:
        """Mean gain of the remainder (L, S) and which links have no line of sight (L,); empty without a remainder."""
        if self._remainder is None:
            return self._no_diffuse
        for p, u, mean, nlos in self._diffuse_of:
            if p is paths and u is ues:
                return mean, nlos
        if needed is not None:
            return self._remainder.mean_gain(paths, ues, needed)
        mean, nlos = self._remainder.mean_gain(paths, ues, self._every(paths))
        self._diffuse_of = [(paths, ues, mean, nlos), *self._diffuse_of[:3]]
        return mean, nlos

    def _every(self, paths: Paths) -> BoolArray:
        """All links (L,) as needed ones."""
        n_links = len(paths.offset) - 1
        if len(self._all) != n_links:
            self._all = np.ones(n_links, np.bool_)
        return self._all

    def _legs(self, paths: Paths, blockage: Blockage, ues: Ues, time_us: int, n_plans: int) -> LegTable:
        """Return the table of the legs in use with room for some plans, emptied unless it is of these very inputs."""
        n_legs = 2 * n_plans * paths.n_ue
        if self._table.dl_sum.shape != (paths.n_ue, paths.n_trp, self.n_sectors) or n_legs > self._table.capacity:
            n_tones = int(self._counts[:, 3].max())
            self._table = LegTable(paths.n_ue, paths.n_trp, self.n_beams, self.n_sectors, n_tones, max(8, n_plans))
            self._table_of = None
        of = self._table_of
        if of is None or of[0] is not paths or of[1] is not blockage or of[2] is not ues or of[3] != time_us:
            self._table.empty()
            self._table_of = (paths, blockage, ues, time_us)
            self._power = _squared(paths.amplitude * blockage.field)
        elif self._table.used + n_legs > self._table.capacity:
            self._table.empty()
        return self._table

    def _shadow(self, paths: Paths, ues: Ues, empty: Sweep | None) -> tuple[FloatArray, FloatArray]:
        if empty is None:
            if self._empty_of is None or self._empty_of[0] is not paths or self._empty_of[1] is not ues:
                self._empty_of = (paths, ues, self.sweep(paths, ues, None, 0))
            empty = self._empty_of[2]
        if self._shadow_of is None or self._shadow_of[0] is not empty:
            dl, ul = shadow_kernel(empty.gain, self._figures, self._tx_ul_w, self._evm2)
            self._shadow_of = (empty, dl, ul)
        return self._shadow_of[1], self._shadow_of[2]


def _check_trps(config: RadioConfig, hall: Hall) -> None:
    size = " x ".join(f"{s:g}" for s in hall.size_m)
    for trp in config.trps:
        position = np.array([trp.position_m], dtype=np.float64)
        if not np.isfinite(position).all():
            raise ValueError(f"TRP {trp.name!r} position_m is {trp.position_m}, wanted three finite numbers in m")
        if not hall.contains(position)[0]:
            raise ValueError(f"TRP {trp.name!r} at {trp.position_m} m lies outside the hall of {size} m")
        if hall.inside_any_box(position)[0]:
            box = next(k for k in range(len(hall.box_material)) if _only(hall, k).inside_any_box(position)[0])
            raise ValueError(
                f"TRP {trp.name!r} at {trp.position_m} m lies inside box {box}, centred at "
                f"{hall.box_center_m[box].tolist()} m; put it above or beside the box"
            )


def _squared(field: ComplexArray) -> FloatArray:
    power: FloatArray = field.real**2
    power += field.imag**2
    return power


def _prepare(config: RadioConfig, hall: Hall) -> PreparedHall:
    """Facets at the carriers in use, with the constants of ``config.materials`` where it names a facet's material."""
    own = {m.name: (m.relative_permittivity, m.conductivity_s_per_m) for m in config.materials}
    return prepare_hall(hall, [c.frequency_hz for c in config.used_carriers], own)


def _only(hall: Hall, k: int) -> Hall:
    one = slice(k, k + 1)
    return Hall(hall.size_m, hall.box_center_m[one], hall.box_half_m[one], hall.box_yaw_rad[one], hall.box_material[one])
