"""Silhouettes beside knife edges, and beside brute force."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt

from factory.snapshot import person_blockers
from factory.validate.links import direct_paths
from factory.validate.rows import Row
from factory.validate.walker import walker
from radio.bodies.blockage import Effort, blockage_db
from radio.bodies.fresnel import fresnel_edge_loss_db, knife_edge_loss_db
from radio.bodies.silhouette_oracle import reference_field
from radio.types import SHAPE_RECTANGLE, Blockers, Paths

Floats = npt.NDArray[np.float64]

_P526_DB = {0.0: 6.033, 1.0: 13.926, 2.0: 19.043, 2.4: 20.539, 3.0: 22.416}
# From the tabulated integrals, C(1) = 0.77989, S(1) = 0.43826 and so on: Abramowitz and Stegun table 7.7.
_EDGE_DB = {0.0: 6.021, 1.0: 13.864, 2.0: 19.091, 2.4: 20.618, 3.0: 22.522}
_TALL_GHZ = (3.5, 28.0, 60.0, 73.0)
_TALL_DB = {
    (2.5, 2.5): {0.28: (5.04, 11.80, 14.96, 15.80), 0.47: (7.95, 16.13, 19.42, 20.26)},
    (0.5, 4.5): {0.28: (7.90, 16.07, 19.35, 20.20), 0.47: (11.71, 20.54, 23.85, 24.70)},
    (5.0, 5.0): {0.28: (3.63, 9.15, 12.08, 12.88), 0.47: (5.89, 13.20, 16.43, 17.27)},
    (1.0, 14.0): {0.28: (5.75, 12.99, 16.21, 17.05), 0.47: (8.94, 17.38, 20.68, 21.53)},
}
_BESIDE_DB = {0.0: 13.7, 0.1: 12.9, 0.2: 9.1, 0.3: 2.2, 0.4: -1.6, 1.0: -0.1}
_BODY_DB = {28.0: 13.0, 3.5: 6.8}
_TALL_M = 100.0
_THIN_M = 0.002
_BRUTE_GHZ = (3.5, 28.0, 60.0)
_BRUTE_CASES = 600
_DEEPEST_DB = 20.0
_BESIDE_M = 1.0


def knife_edge_rows() -> Iterator[Row]:
    """One edge: the closed form of P.526, and the integral that it approximates."""
    table = "One knife edge"
    for v, db in _P526_DB.items():
        yield Row(table, f"closed form J(v), v = {v:g}", float(knife_edge_loss_db(v)), db, "dB", 0.01, "ITU-R P.526-15 eq. 31")
    for v, db in _EDGE_DB.items():
        yield Row(table, f"Fresnel integral, v = {v:g}", float(fresnel_edge_loss_db(v)), db, "dB", 0.01, "ITU-R P.526-15 eq. 30")


def double_edge_rows() -> Iterator[Row]:
    """Silhouettes of screens much higher than the Fresnel zone, where only two edges are left."""
    table = "Silhouette of a tall screen against two knife edges"
    source = "double knife edge, second implementation"
    for (near, far), widths in _TALL_DB.items():
        for width, expected in widths.items():
            for ghz, db in zip(_TALL_GHZ, expected, strict=True):
                ours = tall_screen_db(near, far, width, 0.0, ghz * 1e9)
                yield Row(table, f"{ghz:g} GHz, {near:g} + {far:g} m, screen {width:g} m wide", ours, db, "dB", 1.0, source)
    for beside, db in _BESIDE_DB.items():
        ours = tall_screen_db(5.0, 5.0, 0.5, beside, 28e9)
        yield Row(table, f"28 GHz, 5 + 5 m, screen 0.5 m wide, {beside:g} m beside its middle", ours, db, "dB", 1.0, source)


def tall_screen_db(near_m: float, far_m: float, width_m: float, beside_m: float, frequency_hz: float) -> float:
    """Loss of a flat upright screen, 100 m high, by ``radio.bodies.blockage.blockage_db`` [dB]."""
    height = 0.5 * _TALL_M
    paths = direct_paths([[0.0, 0.0, height]], [[near_m + far_m, 0.0, height]], frequency_hz)
    screen = Blockers(
        start_m=np.array([[near_m, beside_m, 0.0]]),
        end_m=np.array([[near_m, beside_m, _TALL_M]]),
        half_width_m=np.array([[0.5 * _THIN_M, 0.5 * width_m]]),
        yaw_rad=np.zeros(1),
        shape=np.array([SHAPE_RECTANGLE]),
        owner=np.zeros(1, np.int64),
        part=np.zeros(1, np.int64),
    )
    return float(blockage_db(paths, screen, np.array([-1])).loss_db[0])


def body_rows() -> Iterator[Row]:
    """Put a standing body into the middle of a 12 m link, for information: the other body is not ours."""
    source = "union of another twelve-capsule body"
    for ghz, db in _BODY_DB.items():
        for side, heading in (("seen from the front", 0.0), ("seen from the side", 0.5 * math.pi)):
            case = f"{ghz:g} GHz, 6 + 6 m, standing, {side}"
            yield Row("Silhouette of a body", case, body_db(ghz * 1e9, heading), db, "dB", 0.1, source, "reported")


def body_db(frequency_hz: float, heading_rad: float) -> float:
    """Loss of a standing person of 1.70 m in the middle of a 12 m link along x, antennas 1.2 m high [dB]."""
    paths = direct_paths([[0.0, 5.0, 1.2]], [[12.0, 5.0, 1.2]], frequency_hz)
    body = person_blockers(walker(6.0, 5.0, heading_rad, 0.0, 0.0))
    return float(blockage_db(paths, body, np.array([-1])).loss_db[0])


def brute_force_rows() -> Iterator[Row]:
    """Errors of the kernel's silhouettes over random bodies and links."""
    table = "Silhouette against brute force"
    for ghz in _BRUTE_GHZ:
        error = brute_force_errors_db(ghz)
        case = f"{ghz:g} GHz, {len(error)} bodies and AGVs within {_BESIDE_M:g} m of the ray that cost up to {_DEEPEST_DB:g} dB"
        source = "rows of 0.01 Fresnel units, SciPy's integrals"
        for name, value, limit in (
            ("median error", np.median(error), 0.1),
            ("99 % below", np.percentile(error, 99), 0.5),
            ("largest error", error.max(), 1.5),
        ):
            yield Row(table, f"{case}, {name}", float(value), limit, "dB", 0.0, source, "at most")
        quick = brute_force_errors_db(ghz, "tick")
        for name, value, limit in (("99 % below", np.percentile(quick, 99), 0.5), ("largest error", quick.max(), 1.5)):
            yield Row(table, f"{ghz:g} GHz, effort tick as in a run, {name}", float(value), limit, "dB", 0.1, source, "reported")


@cache
def brute_force_errors_db(ghz: float, effort: Effort = "fine") -> Floats:
    """Distance of the kernel's loss from the oracle's, wherever the latter is between -20 and 20 dB, (k,) [dB]."""
    rng = np.random.default_rng(526)
    errors = []
    for _ in range(_BRUTE_CASES):
        paths, blockers = _random_case(rng, ghz * 1e9)
        reference = -20.0 * math.log10(max(abs(reference_field(paths, blockers, 0, 0)), 1e-9))
        if reference <= _DEEPEST_DB:
            errors.append(abs(float(blockage_db(paths, blockers, np.array([-1]), effort=effort).loss_db[0]) - reference))
    return np.array(errors)


def _random_case(rng: np.random.Generator, frequency_hz: float) -> tuple[Paths, Blockers]:
    """Draw a link, and a walking body or an AGV close to it."""
    length = rng.uniform(3.0, 40.0)
    low, high = rng.uniform(0.8, 1.8), rng.choice((rng.uniform(0.8, 1.8), rng.uniform(2.5, 7.5)))
    # where the ray is no higher than a body
    reach = 1.0 if high <= 1.8 else min(1.0, (2.0 - low) / (high - low))
    along = length * rng.uniform(0.02, 0.98) * reach
    beside = rng.uniform(-_BESIDE_M, _BESIDE_M)
    paths = direct_paths([[length, 0.0, high]], [[0.0, 0.0, low]], frequency_hz)
    heading = rng.uniform(0.0, 2.0 * math.pi)
    if rng.random() < 0.8:
        return paths, person_blockers(walker(along, beside, heading, rng.uniform(0.0, 3.0), 1.4))
    foot = np.array([[along, beside, 0.0]])
    return paths, Blockers(
        start_m=foot,
        end_m=foot + np.array([0.0, 0.0, rng.uniform(0.8, 1.8)]),
        half_width_m=np.array([[0.6, 0.4]]),
        yaw_rad=np.array([heading]),
        shape=np.array([SHAPE_RECTANGLE]),
        owner=np.zeros(1, np.int64),
        part=np.zeros(1, np.int64),
    )
