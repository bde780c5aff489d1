"""The channel of a hall: paths, bodies and antennas put together into gains and SINRs.

A ``Channel`` is made once from the configuration and the hall, and is then asked every tick:

    paths = channel.paths(ues)
    blockage = channel.blockage(paths, blockers, ues)
    sweep = channel.sweep(paths, ues, blockage.loss_db, time_us)       # what a network measures
    state = channel.state(paths, ues, blockage, plan, load_dl, load_ul, empty)    # what a network's plan meets
"""

from __future__ import annotations

import numpy as np

from radio.antennas import factors_kernel, panel_axes, ue_sectors
from radio.blockage import blockage_db
from radio.config import RadioConfig
from radio.geometry import SPEED_OF_LIGHT_MPS, Hall, PreparedHall, prepare_hall
from radio.links_kernels import shadow_kernel, state_kernel, sweep_kernel
from radio.paths import NO_PATHS, compute_paths
from radio.types import Blockage, Blockers, FloatArray, LinkState, Paths, Plan, Sweep, Ues

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

    Attributes
    ----------
    config, hall, prepared : configuration, hall, and the hall's facets at the carrier frequency.
    wavelength_m : carrier wavelength [m].
    n_trp, n_beams, n_sectors : T, B (of the largest panel; a smaller panel's missing beams have no gain) and S.
    trp_position_m : (T, 3) TRPs [m].
    beams_of_trp : (T,) beams of each TRP's own codebook.
    noise_dl_w : noise of a UE's receiver over the carrier, k T B times its noise figure [W].
    noise_ul_w : (T,) the same of the TRPs' receivers [W].

    Raises
    ------
    ValueError
        If a TRP lies outside the hall or inside a box, or a material is unknown or undefined at the carrier frequency.
    """

    config: RadioConfig
    hall: Hall
    prepared: PreparedHall

    def __init__(self, config: RadioConfig, hall: Hall) -> None:
        self.config = config
        self.hall = hall
        _check_trps(config, hall)
        self.prepared = prepare_hall(hall, config.carrier.frequency_hz)
        self.wavelength_m = self.prepared.wavelength_m
        self.trp_position_m = np.array([t.position_m for t in config.trps], dtype=np.float64)
        self.n_trp = len(config.trps)
        self.n_sectors = ue_sectors(config.ue.antenna)
        self._axes = np.stack([panel_axes(t.azimuth_deg, t.downtilt_deg) for t in config.trps])
        self._rows = np.array([t.panel.rows for t in config.trps], dtype=np.int64)
        self._columns = np.array([t.panel.columns for t in config.trps], dtype=np.int64)
        self.beams_of_trp = self._rows * self._columns
        self.n_beams = int(self.beams_of_trp.max())
        thermal_w = BOLTZMANN_J_PER_K * NOISE_TEMPERATURE_K * config.carrier.bandwidth_hz
        self.noise_dl_w = thermal_w * 10.0 ** (config.ue.noise_figure_db / 10.0)
        self.noise_ul_w = thermal_w * 10.0 ** (np.array([t.noise_figure_db for t in config.trps]) / 10.0)
        self._tx_dl_w = 10.0 ** ((np.array([t.tx_power_dbm for t in config.trps]) - 30.0) / 10.0)
        self._tx_ul_w = 10.0 ** ((config.ue.tx_power_dbm - 30.0) / 10.0)
        self._evm2 = (config.ue.evm_percent / 100.0) ** 2
        # Tones at the centres of equal slices of the channel, as wave numbers relative to the carrier's.
        step_hz = config.carrier.bandwidth_hz / config.paths.tones
        self._tone_step = 2.0 * np.pi * step_hz / SPEED_OF_LIGHT_MPS
        self._tone_first = 2.0 * np.pi * (step_hz - config.carrier.bandwidth_hz) / 2.0 / SPEED_OF_LIGHT_MPS
        # What several calls of one tick share, kept for the last inputs; structs are frozen, so identity is enough.
        self._last_paths: tuple[FloatArray, Paths] | None = None
        self._factors_of: list[tuple[Paths, Ues, _Factors]] = []
        self._last_factors: tuple[Paths, FloatArray, _Factors] = (NO_PATHS, np.zeros(0), (np.zeros((0, 1)),) * 3)
        self._power_of: tuple[Paths, Blockage, FloatArray, FloatArray] | None = None
        self._shadow_of: tuple[Sweep, FloatArray, FloatArray] | None = None
        self._empty_of: tuple[Paths, Ues, Sweep] | None = None

    def paths(self, ues: Ues) -> Paths:
        """Propagation paths between every TRP and every UE.

        Parameters
        ----------
        ues : UEs at one instant. One that is outside the hall or inside a box has no path.

        Raises
        ------
        ValueError
            If a UE's position or heading is not finite.
        """
        if not np.isfinite(ues.heading_rad).all():
            u = int(np.argwhere(~np.isfinite(ues.heading_rad))[0, 0])
            raise ValueError(f"heading_rad of UE {u} is {ues.heading_rad[u]}, wanted a finite angle in rad")
        limits = self.config.paths
        found = compute_paths(
            self.prepared, self.trp_position_m, ues.position_m, limits.max_paths, limits.reach_db, self._last_paths
        )
        self._last_paths = (np.array(ues.position_m, dtype=np.float64), found)
        return found

    def blockage(self, paths: Paths, blockers: Blockers, ues: Ues) -> Blockage:
        """Loss by moving bodies along every path; see ``radio.blockage.blockage_db``."""
        return blockage_db(paths, blockers, ues.owner, self.wavelength_m)

    def sweep(self, paths: Paths, ues: Ues, loss_db: FloatArray | None, time_us: int) -> Sweep:
        """Power gain of every beam pair.

        Parameters
        ----------
        paths, ues : paths and the UEs they were computed for.
        loss_db : (P,) body loss of each path [dB], None for the hall without bodies.
        time_us : instant of the measurement [us].

        Returns
        -------
        Sweep
            ``gain`` (U, T, B, S), linear, both antennas included, paths added in power.
        """
        azimuth, elevation, sector = self._factors(paths, ues)
        power = np.abs(paths.amplitude) ** 2
        if loss_db is not None:
            power *= 10.0 ** (loss_db / -10.0)
        gain = sweep_kernel(paths.offset, paths.n_trp, power, azimuth, elevation, sector, self._rows, self._columns, self.n_beams)
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
    ) -> LinkState:
        """Radio state of the legs that a plan uses.

        Parameters
        ----------
        paths, ues : paths and the UEs they were computed for.
        blockage : loss by bodies along those paths.
        plan : what the policy ordered.
        load_dl, load_ul : (T,) share of the time that each TRP's downlink and uplink is in use, 0..1.
        empty_sweep : sweep of the hall without bodies at the same places, computed here when absent.

        Returns
        -------
        LinkState
            Every SINR is wideband-effective and capped by the EVM; a leg without any path has -200 dB.

        Raises
        ------
        ValueError
            If the plan names a TRP, beam or sector that does not exist, or an array has the wrong shape.

        Notes
        -----
        Signal: paths added as fields at ``paths.tones`` frequencies. Interference: paths added in power; downlink from every
        other TRP with UEs, on the mean of its UEs' primary beams, times its load; uplink from every other UE whose primary
        leg is on another TRP, times that TRP's uplink load over its number of UEs. The effective SINR inverts the mean of
        ``log2(1 + sinr)`` over the tones.
        """
        trp = np.ascontiguousarray(plan.trp, dtype=np.int64)
        beam = np.ascontiguousarray(plan.beam, dtype=np.int64)
        sector_used = np.ascontiguousarray(plan.sector, dtype=np.int64)
        load_dl = np.ascontiguousarray(load_dl, dtype=np.float64)
        load_ul = np.ascontiguousarray(load_ul, dtype=np.float64)
        shapes = (trp.shape, beam.shape, sector_used.shape, load_dl.shape, load_ul.shape, blockage.loss_db.shape)
        wanted = ((paths.n_ue, 2),) * 3 + ((self.n_trp,),) * 2 + (paths.length_m.shape,)
        if shapes != wanted:
            raise ValueError(
                f"plan.trp, plan.beam, plan.sector, load_dl, load_ul, blockage.loss_db have shapes {shapes}, wanted {wanted}"
            )
        azimuth, elevation, sector = self._factors(paths, ues)
        through, power = self._power(paths, blockage)
        shadow_dl, shadow_ul = self._shadow(paths, ues, empty_sweep)
        out, owner, part, u, leg = state_kernel(
            paths.offset, paths.n_trp, paths.length_m, paths.amplitude, power, through, azimuth, elevation, sector,
            blockage.worst_owner, blockage.worst_part, trp, beam, sector_used, load_dl, load_ul,
            self._columns, self.beams_of_trp, self._tx_dl_w, self._tx_ul_w, self.noise_dl_w, self.noise_ul_w, self._evm2,
            self._tone_first, self._tone_step, self.config.paths.tones, shadow_dl, shadow_ul,
        )  # fmt: skip
        if u >= 0:
            raise ValueError(
                f"plan of UE {u} leg {leg} names TRP {plan.trp[u, leg]}, beam {plan.beam[u, leg]}, sector {plan.sector[u, leg]}; "
                f"there are {self.n_trp} TRPs with {self.beams_of_trp.tolist()} beams, and {self.n_sectors} sectors"
            )
        return LinkState(
            sinr_dl_db=out[0],
            sinr_ul_db=out[1],
            clear_dl_db=out[2],
            clear_ul_db=out[3],
            quiet_dl_db=out[4],
            quiet_ul_db=out[5],
            shadow_dl_db=out[6],
            shadow_ul_db=out[7],
            body_loss_db=out[8],
            owner=owner,
            part=part,
        )

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
            self._axes, self._rows, self._columns, self.n_sectors,
            last.offset, last.departure, last.arrival, heading_rad, *factors,
        )  # fmt: skip
        # The heading is copied: a device may turn in place before it is compared.
        self._last_factors = (paths, ues.heading_rad.copy(), made)
        self._factors_of = [(paths, ues, made), *self._factors_of[:3]]
        return made

    def _power(self, paths: Paths, blockage: Blockage) -> tuple[FloatArray, FloatArray]:
        if self._power_of is None or self._power_of[0] is not paths or self._power_of[1] is not blockage:
            through = 10.0 ** (blockage.loss_db / -20.0)
            self._power_of = (paths, blockage, through, np.abs(paths.amplitude * through) ** 2)
        return self._power_of[2], self._power_of[3]

    def _shadow(self, paths: Paths, ues: Ues, empty: Sweep | None) -> tuple[FloatArray, FloatArray]:
        if empty is None:
            if self._empty_of is None or self._empty_of[0] is not paths or self._empty_of[1] is not ues:
                self._empty_of = (paths, ues, self.sweep(paths, ues, None, 0))
            empty = self._empty_of[2]
        if self._shadow_of is None or self._shadow_of[0] is not empty:
            dl, ul = shadow_kernel(empty.gain, self._tx_dl_w, self._tx_ul_w, self.noise_dl_w, self.noise_ul_w, self._evm2)
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


def _only(hall: Hall, k: int) -> Hall:
    one = slice(k, k + 1)
    return Hall(hall.size_m, hall.box_center_m[one], hall.box_half_m[one], hall.box_yaw_rad[one], hall.box_material[one])
