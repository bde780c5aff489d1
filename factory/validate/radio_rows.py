"""Blockage, free space, antennas and link budgets beside their references."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from factory.validate.rows import Row
from radio.bodies.blockage import screen_loss_db
from radio.config import RadioConfig
from radio.links import Channel
from radio.propagation.antennas import panel_axes, panel_gain, ue_gain
from radio.propagation.geometry import SPEED_OF_LIGHT_MPS, Hall
from radio.types import Ues

_ENDLESS_DB = {
    28.0: (16.34, 13.77, 11.51, 9.84),
    3.5: (8.30, 6.35, 4.86, 3.90),
    60.0: (19.56, 16.92, 14.55, 12.75),
}
_HUMAN_DB = (14.89, 12.53, 10.38, 8.77)
_NEAR_M = (0.5, 1.0, 2.0, 5.0)
_CENTRED_GHZ = (3.5, 28.0, 60.0, 73.0)
_CENTRED_DB = {
    (2.5, 2.5): (4.54, 11.28, 14.30, 15.10),
    (0.5, 4.5): (7.27, 15.10, 18.27, 19.09),
    (5.0, 5.0): (3.07, 8.74, 11.56, 12.33),
    (1.0, 14.0): (5.24, 12.35, 15.42, 16.23),
}
_BESIDE_DB = {0.0: 11.7, 0.1: 10.8, 0.2: 7.3, 0.3: 2.6, 0.4: 1.0, 1.0: 0.1}
_KNIFE_DB = {0.0: 6.033, 1.0: 13.926, 2.0: 19.043, 2.4: 20.539}
_TR = "TR 38.901 7.6.4.2, second implementation"
_BUDGETS: tuple[tuple[str, str, dict[str, Any], tuple[int, int, int]], ...] = (
    (
        "downlink 30 dBm over 100 MHz, 8x8 panel, 2x2 device, NF 9",
        "dl",
        {"bandwidth_hz": 100e6, "antenna": "quad_sector", "trp_dbm": 30.0},
        (71, 63, 57),
    ),
    (
        "uplink 23 dBm over 20 MHz, 8x8 panel, 2x2 device, NF 6",
        "ul",
        {"bandwidth_hz": 20e6, "antenna": "quad_sector", "trp_dbm": 30.0},
        (74, 66, 60),
    ),
    (
        "downlink 24 dBm over 400 MHz, 8x8 panel, isotropic device, NF 9",
        "dl",
        {"bandwidth_hz": 400e6, "antenna": "isotropic", "trp_dbm": 24.0},
        (48, 40, 34),
    ),
)


def blockage_rows() -> Iterator[Row]:
    """Blockage model B against vectors of a second implementation, and against a knife edge."""
    table = "Blockage model B"
    for ghz, expected in _ENDLESS_DB.items():
        for near, db in zip(_NEAR_M, expected, strict=True):
            ours = screen_loss_db(near, 10 - near, 0.15, math.inf, 0.0, 0.0, _wavelength_m(ghz))
            yield Row(table, f"{ghz:g} GHz, 10 m link, screen 0.3 m x endless, {near:g} m from an end", ours, db, "dB", 0.02, _TR)
    for near, db in zip(_NEAR_M, _HUMAN_DB, strict=True):
        ours = screen_loss_db(near, 10 - near, 0.15, 0.85, 0.0, 0.0, _wavelength_m(28.0))
        yield Row(table, f"28 GHz, 10 m link, human screen 0.3 x 1.7 m, {near:g} m from an end", ours, db, "dB", 0.02, _TR)
    for (near, far), expected in _CENTRED_DB.items():
        for ghz, db in zip(_CENTRED_GHZ, expected, strict=True):
            ours = screen_loss_db(near, far, 0.15, 0.85, 0.0, 0.15, _wavelength_m(ghz))
            yield Row(table, f"{ghz:g} GHz, {near:g} + {far:g} m, human screen, antennas 1 m", ours, db, "dB", 0.02, _TR)
    for beside, db in _BESIDE_DB.items():
        ours = screen_loss_db(5.0, 5.0, 0.25, 0.87, beside, 1.2 - 0.87, _wavelength_m(28.0))
        yield Row(table, f"28 GHz, 5 + 5 m, screen 0.5 x 1.74 m, {beside:g} m beside its middle", ours, db, "dB", 0.1, _TR)
    for v, db in _KNIFE_DB.items():
        # One edge of a screen too wide for the other to matter; v = h sqrt(2 (d1 + d2) / (lambda d1 d2)).
        inside = v * math.sqrt(_wavelength_m(28.0) * 5.0 * 5.0 / (2 * 10.0))
        ours = screen_loss_db(5.0, 5.0, 500.0, math.inf, 500.0 - inside, 0.0, _wavelength_m(28.0))
        yield Row("Half plane against knife edge", f"v = {v:g}", ours, db, "dB", 0.5, "ITU-R P.526, J(v)")


def antenna_rows() -> Iterator[Row]:
    """Antenna patterns at their peak, at the half-power angle and behind."""
    table, source = "Antennas", "TR 38.901 table 7.3-1"
    axes = panel_axes(0.0, 0.0)
    for what, angle_deg, reference in (("peak", 0.0, 8.0), ("half of 65 degrees aside", 32.5, 5.0), ("behind", 180.0, -22.0)):
        direction = np.array([[math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg)), 0.0]])
        ours = 10 * math.log10(float(panel_gain(direction, axes, 1, 1).max()))
        yield Row(table, f"TRP element, {what}", ours, reference, "dBi", 0.01, source)
    ahead = np.array([[1.0, 0.0, 0.0]])
    peak = 10 * math.log10(float(panel_gain(ahead, axes, 8, 8).max()))
    yield Row(table, "8x8 panel, best beam ahead", peak, 8 + 10 * math.log10(64), "dBi", 0.01, f"{source}, 10 lg 64 on top")
    device = 10 * math.log10(float(ue_gain(ahead, 0.0, "quad_sector").max()))
    yield Row(
        table,
        "device, 2x2 elements ahead",
        device,
        5 + 10 * math.log10(4),
        "dBi",
        0.01,
        "TR 38.802 table A.2.1-8, 10 lg 4 on top",
    )


def budget_rows() -> Iterator[Row]:
    """Free-space loss, and the SNR of a clear link with both antennas at their peak."""
    distances = np.array([10.0, 25.0, 50.0])
    for ghz in (3.7, 28.0):
        channel, ues = _clear_links(distances, ghz * 1e9, 20e6, "isotropic", 30.0)
        amplitude = np.abs(channel.paths(ues).amplitude)
        for d, a in zip(distances, amplitude, strict=True):
            reference = 92.45 + 20 * math.log10(ghz) + 20 * math.log10(d / 1000)
            yield Row("Free space", f"{ghz:g} GHz, {d:g} m", -20 * math.log10(a), reference, "dB", 0.01, "ITU-R P.525")
    for name, direction, link, expected in _BUDGETS:
        channel, ues = _clear_links(distances, 28e9, **link)
        gain = channel.sweep(channel.paths(ues), ues, None, 0).gain
        snr = channel.snr_dl_db(gain) if direction == "dl" else channel.snr_ul_db(gain)
        best = snr.max(axis=(1, 2, 3))
        for d, ours, db in zip(distances, best, expected, strict=True):
            yield Row("Link budget, 28 GHz", f"{name}, {d:g} m", float(ours), db, "dB", 0.75, "link budget by hand, whole dB")


def _clear_links(
    distance_m: np.ndarray[Any, Any], frequency_hz: float, bandwidth_hz: float, antenna: str, trp_dbm: float
) -> tuple[Channel, Ues]:
    """Return a TRP and UEs ahead of it that look at it, in a hall whose reflections are left out."""
    config = RadioConfig.model_validate(
        {
            "carrier": {"frequency_hz": frequency_hz, "bandwidth_hz": bandwidth_hz, "resource_blocks": 11},
            "trps": [{"name": "trp-1", "position_m": (1.0, 20.0, 10.0), "tx_power_dbm": trp_dbm}],
            "ue": {"antenna": antenna},
            "paths": {"max_paths": 1},
        }
    )
    n = len(distance_m)
    position = np.stack((1.0 + distance_m, np.full(n, 20.0), np.full(n, 10.0)), axis=1)
    channel = Channel(config, Hall.empty((60.0, 40.0, 20.0)))
    return channel, Ues(position, np.full(n, math.pi), np.full(n, -1, np.int64))


def _wavelength_m(frequency_ghz: float) -> float:
    return SPEED_OF_LIGHT_MPS / (frequency_ghz * 1e9)
