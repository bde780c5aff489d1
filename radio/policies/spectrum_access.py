"""A second system in the hall, on the primary's carrier, that may transmit where the twin shows that the primary does not mind.

The secondary's transmitter reaches primary devices and TRPs over the same channel model as everything else: paths among the
hall's faces, bodies, antennas. What arrives is added to the noise of their links, so that true SINRs, and all that follows from
them, suffer. The permission is given on what is expected, never on the true state of the coming tick.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from radio.config import PanelConfig, RadioConfig, TrpConfig, UeConfig
from radio.links import Channel
from radio.policies.base import evm_ceiling
from radio.policies.reports import LinkBudget, Report
from radio.propagation.geometry import Hall
from radio.types import Blockers, FloatArray, LinkStates, Plan, Ues

NO_SIGNAL = 1e-20


@dataclass(frozen=True, slots=True)
class Secondary:
    """A transmitter of another system.

    Attributes
    ----------
    position_m : its place [m]. azimuth_deg : where its antenna looks, towards its receiver [deg].
    power_dbm : transmit power over the whole carrier [dBm]. carrier : name of the carrier, None for the carrier section.
    """

    position_m: tuple[float, float, float]
    azimuth_deg: float
    power_dbm: float
    carrier: str | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What of the secondary arrives, over noise.

    Attributes
    ----------
    at_ues : (U, S) linear ratio to a device's noise in each of its sectors.
    at_trps : (T, B) linear ratio to a TRP's noise on each of its beams; 0 on another carrier.
    """

    at_ues: FloatArray
    at_trps: FloatArray


class SecondaryChannel:
    """The channel from a secondary's transmitter to the primary's devices and TRPs.

    Parameters
    ----------
    config : the primary's radio section.
    hall : the hall.
    secondary : the transmitter.
    seed : seed of what the channel draws, see `radio.links.Channel`.

    Notes
    -----
    Towards devices it radiates from one element of TR 38.901 table 7.3-1 that looks at its receiver, towards TRPs isotropically
    (0 dBi): TRPs hang above it, where an element's pattern would spare them. Both are assumed.
    """

    def __init__(self, config: RadioConfig, hall: Hall, secondary: Secondary, seed: int = 0) -> None:
        place, power = secondary.position_m, secondary.power_dbm
        trp = TrpConfig(
            name="secondary", position_m=place, azimuth_deg=secondary.azimuth_deg, tx_power_dbm=power,
            panel=PanelConfig(rows=1, columns=1), carrier=secondary.carrier,
        )  # fmt: skip
        quiet: dict[str, object] = {"outages": (), "centre_outages": ()}
        to_devices = config.model_copy(update={"trps": (trp,), **quiet})
        device = UeConfig(antenna="isotropic", tx_power_dbm=power)
        to_trps = config.model_copy(update={"ue": device, **quiet})
        self._devices, self._trps = Channel(to_devices, hall, seed), Channel(to_trps, hall, seed)
        self._over_device_noise = 10.0 ** (0.1 * LinkBudget(to_devices).offset_dl_db[0])
        same = np.array([t.carrier == secondary.carrier for t in config.trps])
        self._over_trp_noise: FloatArray = np.where(same, 10.0 ** (0.1 * LinkBudget(to_trps).offset_ul_db), 0.0)
        self._hears = same
        self._own = Ues(np.array([place], dtype=np.float64), np.zeros(1), np.full(1, -1, np.int64))

    def heard(self, ues: Ues, blockers: Blockers | None, time_us: int, plan: Plan) -> Heard:
        """Return what arrives at devices and TRPs with these bodies, or in the empty hall where ``blockers`` is None.

        A device whose plan is on another carrier hears nothing.
        """
        found = []
        for channel, where in ((self._devices, ues), (self._trps, self._own)):
            paths = channel.paths(where)
            loss = None if blockers is None else channel.blockage(paths, blockers, where).loss_db
            found.append(channel.sweep(paths, where, loss, time_us).gain)
        at_ues = found[0][:, 0, 0, :] * self._over_device_noise
        at_ues[~self._hears[plan.trp[:, 0]]] = 0.0
        return Heard(at_ues, found[1][0, :, :, 0] * self._over_trp_noise[:, None])


def noise_rise(heard: Heard, plan: Plan) -> FloatArray:
    """Return the secondary over noise on every leg (2, U, 2), downlink and uplink, linear; 0 where there is no leg."""
    rise = np.zeros((2, *plan.trp.shape))
    u, leg = np.nonzero(plan.trp >= 0)
    rise[0, u, leg] = heard.at_ues[u, plan.sector[u, leg]]
    rise[1, u, leg] = heard.at_trps[plan.trp[u, leg], plan.beam[u, leg]]
    return rise


@njit(cache=True, fastmath=False)
def add_interference(levels: FloatArray, rise: FloatArray, evm: float) -> None:
    """Take a secondary, over noise on every leg (2, U, 2), off the SINRs of link states (9, U, 2), in place.

    Rows as `radio.types.LinkState`: the true SINRs, and those without bodies, whose signal is stronger by the body loss. The
    signal over noise comes from the SINR without interference: ``1 / sinr = 1 / snr + evm``.
    """
    for d in range(2):
        for u in range(levels.shape[1]):
            for leg in range(levels.shape[2]):
                if not rise[d, u, leg] > 0.0 or np.isnan(levels[d, u, leg]):
                    continue
                noise = max(10.0 ** (-0.1 * levels[4 + d, u, leg]) - evm, 1e-9)
                body = 10.0 ** (-0.1 * levels[8, u, leg])
                levels[d, u, leg] = -10.0 * np.log10(10.0 ** (-0.1 * levels[d, u, leg]) + noise * rise[d, u, leg])
                clear = 10.0 ** (-0.1 * levels[2 + d, u, leg]) + noise * body * rise[d, u, leg]
                levels[2 + d, u, leg] = -10.0 * np.log10(clear)


def disturb(states: LinkStates, plans: tuple[Plan, ...], heard: Heard, evm: float) -> None:
    """Take a transmitting secondary off the true SINRs of plans' legs, in place."""
    for k, plan in enumerate(plans):
        add_interference(states.levels[k], noise_rise(heard, plan), evm)


class AccessControl:
    """Permits a secondary for a planning step where every primary link is expected to bear it.

    Parameters
    ----------
    config : the radio section.
    need_db : SINR that a primary link must keep above its margin; ``human_aware.risk_sinr_db`` where absent [dB].
    guard_db : the secondary is expected this much stronger than the empty hall's map says [dB].
    """

    def __init__(self, config: RadioConfig, need_db: float | None = None, guard_db: float = 3.0) -> None:
        section = config.human_aware.risk_sinr_db if need_db is None else need_db
        self._least = 10.0 ** (-0.1 * (section + config.link_adaptation.margin_db))
        self._guard, self._evm = 10.0 ** (0.1 * guard_db), evm_ceiling(config)

    def permits(self, plan: Plan, expected: tuple[Report, ...], heard: Heard) -> bool:
        """Tell whether all first legs keep what they need.

        Parameters
        ----------
        plan : the plan in force. expected : what the gains of its legs are expected to be, the latest report among them.
        heard : the secondary by the map of the empty hall.
        """
        return bool((self.expected_noise(plan, expected, heard) <= self._least).all())

    def expected_noise(self, plan: Plan, expected: tuple[Report, ...], heard: Heard) -> FloatArray:
        """Return noise, distortion and secondary over the signal of first legs (2, U), the worst of what is expected."""
        u = np.arange(len(plan.trp))
        t, b, s = plan.trp[:, 0], plan.beam[:, 0], plan.sector[:, 0]
        rise = 1.0 + self._guard * noise_rise(heard, plan)[:, :, 0]
        worst = np.zeros((2, len(u)))
        for report in expected:
            for d, over in enumerate((report.budget[0], report.budget[0] + report.budget[1])):
                snr = np.maximum(report.gain[u, t, b, s] * 10.0 ** (0.1 * over[t]), NO_SIGNAL)
                worst[d] = np.maximum(worst[d], rise[d] / snr + self._evm)
        return worst
