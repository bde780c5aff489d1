"""Which zone every device is in, and what became of the messages sent there."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from factory.config import HallConfig
from factory.rooms import zone_names
from radio.figures.kpi_kernels import DOWN, DOWN_COUNTED, ENTRIES, ENTRIES_COUNTED, LOSS, LOST, MESSAGES, SUMS
from radio.figures.kpi_parts import loss_figures
from radio.messages.delivery import Delivered
from radio.messages.traffic import Traffic

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_BLOCK_US, _MAX_BLOCKS = 10_000_000, 256


@njit(cache=True)
def find_zones(position_m: Floats, edges_m: Floats, out: Ints) -> None:
    """Write the first zone (Z, 4: x from, x to, y from, y to) [m] that holds each place (k, 2 or 3); Z where none does."""
    for i in range(position_m.shape[0]):
        x, y = position_m[i, 0], position_m[i, 1]
        out[i] = edges_m.shape[0]
        for z in range(edges_m.shape[0]):
            if edges_m[z, 0] <= x < edges_m[z, 1] and edges_m[z, 2] <= y < edges_m[z, 3]:
                out[i] = z
                break


@njit(cache=True)
def add_messages(
    stream: Ints, time_us: Ints, loss: Floats, ok: npt.NDArray[np.bool_], ue: Ints, service: Ints, survival: Ints, zone: Ints,
    history: Floats, seen: Ints, units: Floats, block_us: Ints,
) -> None:  # fmt: skip
    """Add a tick's messages (R,) to the zones that their devices are in.

    Parameters
    ----------
    ue, service, survival : (N,) of the traffic. zone : (U,) of the devices.
    history : (N, m + 1) ring of the streams' last loss probabilities. seen : (2, N) messages, and bad ones in a row.
    units : (zones, V, blocks, SUMS) sums as of ``radio.kpi_kernels``. block_us : (1,) length of a block [us].
    """
    ring = history.shape[1]
    for r in range(stream.shape[0]):
        while time_us[r] // block_us[0] >= units.shape[2]:
            half = units.shape[2] // 2
            for b in range(half):
                units[:, :, b] = units[:, :, 2 * b] + units[:, :, 2 * b + 1]
            units[:, :, half:] = 0.0
            block_us[0] *= 2
        s = stream[r]
        m = survival[s]
        before = history[s, (seen[0, s] - m) % ring]
        history[s, seen[0, s] % ring] = loss[r]
        down = 1.0
        for j in range(m):
            down *= history[s, (seen[0, s] - j) % ring]
        seen[0, s] += 1
        unit = units[zone[ue[s]], service[s], time_us[r] // block_us[0]]
        unit[MESSAGES] += 1.0
        unit[LOSS] += loss[r]
        unit[DOWN] += down
        unit[ENTRIES] += down * (1.0 - before)
        if ok[r]:
            seen[1, s] = 0
        else:
            seen[1, s] += 1
            unit[LOST] += 1.0
            if seen[1, s] >= m:
                unit[DOWN_COUNTED] += 1.0
                if seen[1, s] == m:
                    unit[ENTRIES_COUNTED] += 1.0


class Zones:
    """Follows devices through the zones of the hall.

    Parameters
    ----------
    hall : with its zones. traffic : streams. n_ue : number of devices.

    Attributes
    ----------
    names : of the zones, the rest of the hall last. of_device : (U,) zone of each device, as of the last :meth:`locate`.
    """

    def __init__(self, hall: HallConfig, traffic: Traffic, n_ue: int) -> None:
        self.names = zone_names(hall)
        self._edges_m = np.array([(*z.x_m, *z.y_m) for z in hall.zones], dtype=np.float64).reshape(-1, 4)
        self.of_device: Ints = np.full(n_ue, len(self.names) - 1, np.int64)
        self._traffic = traffic
        longest = int(traffic.survival.max()) if traffic.n_streams else 1
        self._history = np.zeros((traffic.n_streams, longest + 1))
        self._seen = np.zeros((2, traffic.n_streams), np.int64)
        self._units = np.zeros((len(self.names), len(traffic.service_name), _MAX_BLOCKS, SUMS))
        self._block_us = np.array([_BLOCK_US], np.int64)

    def locate(self, position_m: Floats) -> None:
        """Find the zones of the devices at (U, 3) [m]."""
        find_zones(position_m, self._edges_m, self.of_device)

    def add(self, delivered: Delivered) -> None:
        """Add the messages of a tick under the acting policy."""
        traffic = self._traffic
        add_messages(
            delivered.stream, delivered.time_us, delivered.loss_probability, delivered.ok, traffic.ue, traffic.service,
            traffic.survival, self.of_device, self._history, self._seen, self._units, self._block_us,
        )  # fmt: skip

    def figures(self, seed: int) -> dict[str, dict[str, Any]]:
        """Return the figures of every service in every zone where it had messages, see ``kpi_parts.loss_figures``."""
        traffic = self._traffic
        out: dict[str, dict[str, Any]] = {name: {} for name in self.names}
        for z, name in enumerate(self.names):
            for v, service in enumerate(traffic.service_name):
                units = self._units[z, v]
                units = units[units[:, MESSAGES] > 0]
                if len(units):
                    interval_s = float(traffic.interval_us[traffic.service == v][0]) * 1e-6
                    out[name][service] = loss_figures(units, interval_s, np.random.default_rng([seed, z, v]))
        return out
