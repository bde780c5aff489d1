"""Our paths and our thin screen beside Sionna RT's, stored or computed live."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from factory.validate.rows import Row
from factory.validate.sionna_live import Sionna, recompute, thin_screen_db, unavailable, version
from factory.validate.sionna_reference import Agreement, Reference, compare, read_reference
from radio.bodies.blockage import blockage_db
from radio.propagation.geometry import Hall, prepare_hall
from radio.propagation.paths import compute_paths
from radio.types import SHAPE_RECTANGLE, Blockers, Paths

STORED = "Sionna RT 2.2.0"
REFERENCES = Path(__file__).resolve().parents[2] / "tests" / "data"
"""Stored reference halls; a checkout has them, an installed wheel does not."""

THIN_SCREEN_DB = {0.0: 14.2, 0.1: 11.2, 0.2: 10.8, 0.3: 2.2, 0.4: -1.6, 1.0: -0.4}
"""Loss of an upright screen 0.5 x 1.74 m in a 10 m link at 28 GHz, by its distance beside the link: Sionna RT 2.2, diffraction
at its four edges [m: dB]."""

_POWER_DB = 0.01
_LENGTH_M = 50e-6
_PHASE_DEG = 0.1
_SCREEN_DB = 2.0
_MAX_PATHS = 400  # none is left out
_REACH_DB = 200.0


def references() -> tuple[Reference, ...]:
    """Read the stored reference halls, none where the checkout's ``tests/data`` is absent."""
    return tuple(read_reference(path) for path in sorted(REFERENCES.glob("sionna_*.json")))


def our_paths(reference: Reference) -> Paths:
    """Return our paths of all links of a reference hall, none left out for weakness."""
    prepared = prepare_hall(reference.hall, reference.frequency_hz)
    return compute_paths(prepared, reference.trp_position_m, reference.ue_position_m, _MAX_PATHS, _REACH_DB, max_order=2)


def screen_loss_db(beside_m: float, half_width_m: float = 0.25, height_m: float = 1.74) -> float:
    """Return what the silhouette model makes of a thin upright screen halfway in a 10 m link at 28 GHz, antennas at 1.2 m.

    Parameters
    ----------
    beside_m : how far the screen's middle stands beside the link [m].
    half_width_m, height_m : half width of the screen, and its height from the floor [m].
    """
    hall = Hall.empty((40.0, 40.0, 20.0))
    trp, ue = np.array([[15.0, 20.0, 1.2]]), np.array([[25.0, 20.0, 1.2]])
    sight = compute_paths(prepare_hall(hall, 28e9), trp, ue, 1, _REACH_DB, max_order=0)
    middle = np.array([[20.0, 20.0 + beside_m, 0.0]])
    screen = Blockers(
        start_m=middle,
        end_m=middle + np.array([0.0, 0.0, height_m]),
        half_width_m=np.array([[0.001, half_width_m]]),
        yaw_rad=np.zeros(1),
        shape=np.array([SHAPE_RECTANGLE]),
        owner=np.zeros(1, np.int64),
        part=np.zeros(1, np.int64),
    )
    return float(blockage_db(sight, screen, np.array([-1]), "silhouette").loss_db[0])


def sionna_rows(live: bool | None = None) -> tuple[Row, ...]:
    """Compare paths in the reference halls, and a thin screen.

    Parameters
    ----------
    live : True to let the installed Sionna RT compute its side now, False to take the stored numbers, None to do so where it
        can run.

    Returns
    -------
    tuple of Row
        Without the halls where neither stored ones nor a checkout are at hand.

    Raises
    ------
    RuntimeError
        If live numbers are asked for where Sionna RT cannot run.
    """
    if live is None:
        live = unavailable() is None
    return tuple(_live_rows() if live else _stored_rows())


def _stored_rows() -> Iterator[Row]:
    for reference in references():
        yield from _hall_rows("Paths against Sionna RT 2.2 (stored)", reference)
    yield from _screen_rows("Thin screen against Sionna RT 2.2 (stored)", STORED, THIN_SCREEN_DB.__getitem__)


def _live_rows() -> Iterator[Row]:
    sionna = Sionna.load()
    name = f"Sionna RT {version()}"
    for reference in references():
        yield from _hall_rows(f"Paths against {name} (live)", recompute(reference, sionna))
    yield from _screen_rows(f"Thin screen against {name} (live)", f"{name}, live", lambda beside: thin_screen_db(sionna, beside))


def _hall_rows(table: str, reference: Reference) -> Iterator[Row]:
    paths = our_paths(reference)
    found: Agreement = compare(paths, reference)
    case = f"{reference.name}, {reference.frequency_hz / 1e9:g} GHz"
    counts = f"{found.ours} paths ours, {found.theirs} theirs, {found.matched} in both"
    edges = int(found.excused_ours.sum() + found.excused_theirs.sum())
    at_edge = f", {edges} through an edge" if edges else ""
    source = reference.source
    yield Row(table, f"{case}: {counts}{at_edge}; unexplained", float(found.unexplained), 0.0, "1", 0.0, source, "at most")
    power = float(np.abs(found.power_error_db).max())
    yield Row(table, f"{case}: largest difference of a link's power", power, 0.0, "dB", _POWER_DB, source)
    length = float(found.length_error_m.max()) * 1e6
    yield Row(table, f"{case}: largest difference of a path's length", length, 0.0, "µm", _LENGTH_M * 1e6, source)
    phase = float(np.degrees(np.quantile(found.phase_error_rad, 0.95)))
    yield Row(table, f"{case}: phase of a path's coefficient, 95 % below", phase, 0.0, "°", _PHASE_DEG, source)


def _screen_rows(table: str, source: str, theirs: Callable[[float], float]) -> Iterator[Row]:
    for beside in THIN_SCREEN_DB:
        case = f"28 GHz, 5 + 5 m, screen 0.5 x 1.74 m, {beside:g} m beside its middle"
        yield Row(table, case, screen_loss_db(beside), theirs(beside), "dB", _SCREEN_DB, source)
