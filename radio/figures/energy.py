"""Relative energy of transmission points by the states of TR 38.864, and what each service spends of it.

Power and energy are relative: 1 is deep sleep, and energies are powers times milliseconds. Watts need an anchor that the report
does not give, so none are told. Reference powers, transitions and the scaling law are TR 38.864 v18.1.0 as 5G-LENA's energy model
quotes it; everything else is a named field with an assumed default.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from radio.config import CarrierConfig, RadioConfig
from radio.figures.energy_config import EnergyConfig, SetName, Sleep
from radio.messages import nr
from radio.messages.delivery import Delivered
from radio.messages.traffic import Traffic
from radio.types import BoolArray, FloatArray, IntArray

FR2_FROM_HZ = 24.25e9  # TS 38.104 table 5.1-1
SSB_SYMBOLS = 4  # TS 38.211 7.4.3.1: PSS, SSS and PBCH of one SS/PBCH block
SSB_RESOURCE_BLOCKS = 20  # TS 38.211 7.4.3.1: 240 subcarriers
SSB_BLOCKS_MOST = 64  # TS 38.213 4.1: Lmax in FR2

# Columns of what is summed up per TRP [relative power x ms]: base (asleep or idle), SSB, downlink and uplink data.
BASE, SSB, DATA_DL, DATA_UL, PARTS = range(5)
# Rows of what is summed up per service: messages, delivered, PRB-symbols, energy of their symbols.
_MESSAGES, _DELIVERED, _PRB_SYMBOLS, _ENERGY, _ROWS = range(5)


@dataclass(frozen=True, slots=True)
class PowerModel:
    """Relative power of the states of a base station (TR 38.864), and what it takes to fall asleep and wake.

    Attributes
    ----------
    deep, light, micro, downlink, uplink : relative power P1 to P5.
    light_ms, deep_ms : time of both transitions together [ms].
    light_energy, deep_energy : energy that they take beside the sleep itself [relative power x ms].
    """

    deep: float
    light: float
    micro: float
    downlink: float
    uplink: float
    light_ms: float
    light_energy: float
    deep_ms: float
    deep_energy: float


_CATEGORY_1 = {"light_ms": 6.0, "light_energy": 90.0, "deep_ms": 50.0, "deep_energy": 1000.0}
_CATEGORY_2 = {"light_ms": 640.0, "light_energy": 1088.0, "deep_ms": 10_000.0, "deep_energy": 17_000.0}
POWER_MODELS: dict[tuple[int, SetName], PowerModel] = {
    (1, "set1"): PowerModel(1, 25, 55, 280, 110, **_CATEGORY_1),  # FR1 TDD, 100 MHz, 30 kHz, 64 TxRU, 55 dBm
    (1, "set2"): PowerModel(1, 25, 50, 200, 90, **_CATEGORY_1),  # FR1 FDD, 20 MHz, 15 kHz, 32 TxRU, 49 dBm
    (1, "set3"): PowerModel(1, 25, 38, 152, 80, **_CATEGORY_1),  # FR2, 100 MHz, 120 kHz, 2 TxRU, 33 dBm
    (2, "set1"): PowerModel(1, 2.1, 5.5, 32, 6.5, **_CATEGORY_2),
    (2, "set2"): PowerModel(1, 2.1, 5, 26, 5.8, **_CATEGORY_2),
    (2, "set3"): PowerModel(1, 2.1, 3, 17.6, 4.2, **_CATEGORY_2),
}
"""Power models by category and reference configuration."""


def power_model(config: EnergyConfig, carrier: CarrierConfig) -> PowerModel:
    """Return the power model of a TRP on a carrier."""
    by_carrier: SetName = "set3" if carrier.frequency_hz >= FR2_FROM_HZ else "set1"
    return POWER_MODELS[config.category, config.reference or by_carrier]


def downlink_power(
    model: PowerModel, active: float = 1.0, band: float = 1.0, level: float = 1.0, *, static: float = 0.4, efficiency: float = 1.0
) -> float:
    """Relative power of a base station that transmits, TR 38.864: P3 + s_a (P4 - P3) (A + s_f s_p / eta (1 - A)).

    Parameters
    ----------
    model : the power model.
    active, band, level : s_a, s_f, s_p: shares of the transmitter chains, the bandwidth and the power density in use, 0..1.
    static, efficiency : A, and eta where s_f s_p is below one half; from there on eta is 1.
    """
    eta = efficiency if band * level < 0.5 else 1.0
    return model.micro + active * (model.downlink - model.micro) * (static + band * level / eta * (1.0 - static))


def uplink_power(model: PowerModel, active: float = 1.0) -> float:
    """Relative power of a base station that receives with a share of its chains, TR 38.864: P3 + s_a (P5 - P3)."""
    return model.micro + active * (model.uplink - model.micro)


def sleep_energy(model: PowerModel, gap_ms: float, deepest: Sleep) -> float:
    """Energy of a gap without data in the state that takes least, of those that it is long enough for [relative power x ms].

    The transitions' energy comes beside that of the sleep, which is taken to last the whole gap.
    """
    energy = model.micro * gap_ms
    if deepest != "micro" and gap_ms >= model.light_ms:
        energy = min(energy, model.light * gap_ms + model.light_energy)
    if deepest == "deep" and gap_ms >= model.deep_ms:
        energy = min(energy, model.deep * gap_ms + model.deep_energy)
    return energy


class ResourceAccount:
    """Adds up what the messages of every service spend: PRB-symbols, beam switches, relative energy.

    Parameters
    ----------
    radio : the radio section.
    services : names of the services.
    config : how energy is reckoned, the defaults when absent.

    Notes
    -----
    A data symbol takes the whole carrier on one RF chain, so s_f and s_p are 1, and s_a is one over the TRP's RF chains: energy
    above micro sleep is linear in the symbols spent. Ticks in which a TRP sends and receives nothing form a gap that ends at the
    next SSB occasion at the latest; what the gap costs is known once it has ended, as for traffic that is planned ahead.
    Every SSB period takes `SSB_SYMBOLS` for each beam of the TRP, `SSB_BLOCKS_MOST` at most, on `SSB_RESOURCE_BLOCKS`, one chain.
    Base and SSB belong to no service; `result` shares them out by PRB-symbols as well, and tells both.
    """

    def __init__(self, radio: RadioConfig, services: tuple[str, ...], config: EnergyConfig | None = None) -> None:
        self.config = config or EnergyConfig()
        self.services = services
        self._trps = tuple(t.name for t in radio.trps)
        carriers = [radio.carrier_of(t) for t in radio.trps]
        self._models = [power_model(self.config, c) for c in carriers]
        symbol_ms = np.array([nr.symbol_us(nr.numerology(c.subcarrier_spacing_hz)) / 1000.0 for c in carriers])
        chains = np.array([t.rf_chains for t in radio.trps], dtype=np.float64)
        micro = np.array([m.micro for m in self._models])
        static, efficiency = self.config.static_share, self.config.low_load_efficiency
        full = [downlink_power(m, 1 / n, static=static, efficiency=efficiency) for m, n in zip(self._models, chains, strict=True)]
        heard = [uplink_power(m, 1 / n) for m, n in zip(self._models, chains, strict=True)]
        self._symbol_energy: FloatArray = (np.array([full, heard]) - micro) * symbol_ms  # (2, T)
        blocks = np.array([c.resource_blocks for c in carriers], dtype=np.float64)
        ssb = [
            downlink_power(m, 1 / n, min(SSB_RESOURCE_BLOCKS / b, 1.0), static=static, efficiency=efficiency) - m.micro
            for m, n, b in zip(self._models, chains, blocks, strict=True)
        ]
        beams = np.array([min(t.panel.rows * t.panel.columns, SSB_BLOCKS_MOST) for t in radio.trps])
        self._ssb_energy: FloatArray = np.array(ssb) * SSB_SYMBOLS * beams * symbol_ms
        self._blocks, self._chains = blocks, chains
        self._ssb_us = 1000 * radio.beam_management.ssb_period_ms
        self._table: FloatArray = np.array(
            [[m.micro, m.light, m.light_ms, m.light_energy, m.deep, m.deep_ms, m.deep_energy] for m in self._models]
        )
        self._depth = ("micro", "light", "deep").index(self.config.deepest_sleep)
        n_trp = len(self._trps)
        self._by_trp: FloatArray = np.zeros((n_trp, PARTS))
        self._gap_ms: FloatArray = np.zeros(n_trp)
        self._symbols: IntArray = np.zeros((3, n_trp), dtype=np.int64)  # spent in both directions; that there were
        self._by_service: FloatArray = np.zeros((_ROWS, len(services)))
        self._last_beam: IntArray = np.full(n_trp, -1, dtype=np.int64)
        self._switches: IntArray = np.zeros(n_trp, dtype=np.int64)
        self._time_ms = 0.0

    def add(self, time_us: int, dt_us: int, delivered: Delivered, traffic: Traffic, symbols: IntArray) -> None:
        """Add a tick of one policy.

        Parameters
        ----------
        time_us, dt_us : start and length of the tick [us].
        delivered : its messages. traffic : the streams that they are of.
        symbols : (R,) data symbols that each message took over all of its legs and transmissions. Of a message with two legs all
            of them count for the TRP of `Delivered.trp`, which matters for the service's energy where the two TRPs differ.
        """
        self.add_tick(time_us, dt_us, delivered.spent, delivered.available)
        of = delivered.stream
        self.add_messages(traffic.service[of], delivered.trp, traffic.direction[of], symbols, delivered.beam, delivered.ok)

    def add_tick(self, time_us: int, dt_us: int, spent: IntArray, available: IntArray) -> None:
        """Add what the TRPs did in a tick.

        Parameters
        ----------
        time_us, dt_us : start and length of the tick [us].
        spent, available : (2, T) data symbols over the RF chains, by direction; as in `radio.messages.delivery.Delivered`.

        Raises
        ------
        ValueError
            If more was spent than there was.
        """
        if (spent > available).any():
            d, t = np.argwhere(spent > available)[0]
            raise ValueError(
                f"TRP {self._trps[t]!r} spent {spent[d, t]} symbols of {available[d, t]} in the tick at {time_us} us; "
                "nobody can spend more than there is"
            )
        _tick_energy(
            dt_us / 1000.0, _occasions(time_us, dt_us, self._ssb_us), spent, available, self._symbol_energy, self._ssb_energy,
            self._table, self._depth, self._gap_ms, self._by_trp, self._symbols,
        )  # fmt: skip
        self._time_ms += dt_us / 1000.0

    def add_messages(
        self, service: IntArray, trp: IntArray, direction: IntArray, symbols: IntArray, beam: IntArray, ok: BoolArray
    ) -> None:
        """Add the messages that were decided in a tick.

        Parameters
        ----------
        service, trp, direction, symbols, beam : (n,) of each message: its service, its TRP (-1: it was never sent), 0 for the
            downlink and 1 for the uplink, data symbols spent on it, and the beam that they went over. A message with legs on two
            TRPs comes as two rows, of which only one is counted as a message: the other has ``service`` as ``-1 - service``.
        ok : (n,) whether it was delivered.
        """
        _message_energy(
            service, trp, direction, symbols, beam, ok, self._symbol_energy, self._blocks, self._last_beam, self._switches,
            self._by_service,
        )  # fmt: skip

    def result(self) -> dict[str, Any]:
        """Return the account as plain JSON data: no NaN, no infinity; None where nothing was delivered.

        Returns
        -------
        ``services`` (by name: ``prb_symbols``, ``share`` of all PRB-symbols, ``energy`` of its symbols, ``energy_per_delivered``,
        and ``energy_per_delivered_with_base``, base and SSB shared out by PRB-symbols), ``trps`` (by name: ``energy`` and its
        parts, ``symbols_share``, mean ``rf_chains_busy``, ``beam_switches``), ``relative_energy`` of all TRPs, and ``unit``.
        """
        by_trp = self._closed()
        spent = float(self._by_service[_PRB_SYMBOLS].sum())
        common = float(by_trp[:, [BASE, SSB]].sum())
        services = {}
        for v, name in enumerate(self.services):
            messages, delivered, prb, energy = (float(x) for x in self._by_service[:, v])
            share = prb / spent if spent else 0.0
            services[name] = {
                "messages": int(messages),
                "delivered": int(delivered),
                "prb_symbols": int(prb),
                "share": share,
                "energy": energy,
                "energy_per_delivered": energy / delivered if delivered else None,
                "energy_per_delivered_with_base": (energy + share * common) / delivered if delivered else None,
            }
        trps = {}
        for t, name in enumerate(self._trps):
            used, there = int(self._symbols[:2, t].sum()), int(self._symbols[2, t])
            trps[name] = {
                "energy": float(by_trp[t].sum()),
                "base": float(by_trp[t, BASE]),
                "ssb": float(by_trp[t, SSB]),
                "downlink": float(by_trp[t, DATA_DL]),
                "uplink": float(by_trp[t, DATA_UL]),
                "symbols_share": used / there if there else 0.0,
                "rf_chains_busy": self._chains[t] * used / there if there else 0.0,
                "beam_switches": int(self._switches[t]),
            }
        return {
            "services": services,
            "trps": trps,
            "relative_energy": float(by_trp.sum()),
            "mean_relative_power": float(by_trp.sum()) / self._time_ms if self._time_ms else None,
            "unit": "relative power x ms (TR 38.864, deep sleep is 1)",
        }

    def _closed(self) -> FloatArray:
        """Energy of each TRP by part (T, PARTS), with the gaps that are still open."""
        out = self._by_trp.copy()
        for t, model in enumerate(self._models):
            out[t, BASE] += sleep_energy(model, float(self._gap_ms[t]), self.config.deepest_sleep)
        return out


def _occasions(time_us: int, dt_us: int, period_us: int) -> int:
    """Return the number of SSB occasions in a tick."""
    return math.ceil((time_us + dt_us) / period_us) - math.ceil(time_us / period_us)


@njit(cache=True, fastmath=False)
def _gap_energy(gap_ms: float, row: FloatArray, depth: int) -> float:
    """Compute `sleep_energy` of a row of the table of models; ``depth`` 0 is micro sleep, 1 light, 2 deep."""
    energy = float(row[0] * gap_ms)
    if depth >= 1 and gap_ms >= row[2]:
        energy = min(energy, row[1] * gap_ms + row[3])
    if depth >= 2 and gap_ms >= row[5]:
        energy = min(energy, row[4] * gap_ms + row[6])
    return energy


@njit(cache=True, fastmath=False)
def _tick_energy(
    dt_ms: float, occasions: int, spent: IntArray, available: IntArray, symbol_energy: FloatArray, ssb_energy: FloatArray,
    table: FloatArray, depth: int, gap_ms: FloatArray, by_trp: FloatArray, symbols: IntArray,
) -> None:  # fmt: skip
    for t in range(gap_ms.size):
        by_trp[t, DATA_DL] += spent[0, t] * symbol_energy[0, t]
        by_trp[t, DATA_UL] += spent[1, t] * symbol_energy[1, t]
        by_trp[t, SSB] += occasions * ssb_energy[t]
        symbols[0, t] += spent[0, t]
        symbols[1, t] += spent[1, t]
        symbols[2, t] += available[0, t] + available[1, t]
        if spent[0, t] + spent[1, t] == 0 and occasions == 0:
            gap_ms[t] += dt_ms
        else:
            by_trp[t, BASE] += _gap_energy(gap_ms[t], table[t], depth) + table[t, 0] * dt_ms
            gap_ms[t] = 0.0


@njit(cache=True, fastmath=False)
def _message_energy(
    service: IntArray, trp: IntArray, direction: IntArray, symbols: IntArray, beam: IntArray, ok: BoolArray,
    symbol_energy: FloatArray, blocks: FloatArray, last_beam: IntArray, switches: IntArray, by_service: FloatArray,
) -> None:  # fmt: skip
    for i in range(service.size):
        v, t = service[i], trp[i]
        if v >= 0:
            by_service[_MESSAGES, v] += 1.0
            if ok[i]:
                by_service[_DELIVERED, v] += 1.0
        else:
            v = -1 - v
        if t < 0 or symbols[i] == 0:
            continue
        by_service[_PRB_SYMBOLS, v] += symbols[i] * blocks[t]
        by_service[_ENERGY, v] += symbols[i] * symbol_energy[direction[i], t]
        if last_beam[t] >= 0 and last_beam[t] != beam[i]:
            switches[t] += 1
        last_beam[t] = beam[i]
