"""Sionna RT as a counterpart: the same hall as meshes, its paths, and a thin screen with diffraction at its edges.

Sionna RT is the extra ``sionna``; it runs on Dr.Jit, which needs LLVM 16 or later (15 aborts the process, so it is never
loaded). Nothing is imported before ``unavailable`` has said that both are there.

``python -m factory.validate.sionna_live FILE...`` computes the paths of stored reference halls anew and writes them back.
"""

from __future__ import annotations

import ctypes.util
import importlib
import importlib.util
import math
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from factory.validate.sionna_reference import Reference, ReferencePaths, read_reference, write_reference
from radio.propagation.geometry import DEFAULT_THICKNESS_M, SPEED_OF_LIGHT_MPS, STANDS_M, Hall
from radio.types import ComplexArray, FloatArray

VARIANT = "llvm_ad_mono_polarized"
SAMPLES = 1_000_000  # rays sent from each TRP to find candidates
_OLDEST_LLVM = 16
# Corners of a box, x the slowest; faces in the order of radio.propagation.geometry (+x, -x, +y, -y, top), then the bottom.
_CORNER = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)
_QUADS = ((4, 6, 7, 5), (0, 1, 3, 2), (2, 3, 7, 6), (0, 4, 5, 1), (1, 5, 7, 3), (0, 2, 6, 4))
BOX_TRIANGLES = np.array([t for a, b, c, d in _QUADS for t in ((a, b, c), (a, c, d))])
_QUAD_TRIANGLES = np.array([(0, 1, 2), (0, 2, 3)])
_SPECULAR = 1


def unavailable() -> str | None:
    """Say why Sionna RT cannot run here, None where it can; points Dr.Jit to a fit LLVM where the user named none."""
    if importlib.util.find_spec("sionna") is None or importlib.util.find_spec("sionna.rt") is None:
        return "Sionna RT is not installed (pip install 'factory-twin[sionna]')"
    if "DRJIT_LIBLLVM_PATH" in os.environ:
        return None
    for name in ("LLVM", *(f"LLVM-{major}" for major in range(30, _OLDEST_LLVM - 1, -1))):
        found = ctypes.util.find_library(name)
        version = re.search(r"(\d+)", found.replace("libLLVM", "")) if found else None
        if found and version and int(version.group(1)) >= _OLDEST_LLVM:
            os.environ["DRJIT_LIBLLVM_PATH"] = found
            return None
    return f"no LLVM of version {_OLDEST_LLVM} or later is found; name its library in DRJIT_LIBLLVM_PATH"


def version() -> str:
    """Version of the installed Sionna RT."""
    return importlib.import_module("importlib.metadata").version("sionna-rt")  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Sionna:
    """The modules that are needed, imported once.

    Attributes
    ----------
    rt, mi, dr : ``sionna.rt``, ``mitsuba`` and ``drjit``.
    """

    rt: Any
    mi: Any
    dr: Any

    @classmethod
    def load(cls, threads: int | None = None) -> Sionna:
        """Import Sionna RT.

        Parameters
        ----------
        threads : worker threads of Dr.Jit beside the calling one, None for its default.

        Raises
        ------
        RuntimeError
            If it cannot run here.
        """
        reason = unavailable()
        if reason is not None:
            raise RuntimeError(reason)
        mi = importlib.import_module("mitsuba")
        mi.set_variant(VARIANT)
        dr = importlib.import_module("drjit")
        if threads is not None:
            dr.set_thread_count(threads)
        return cls(importlib.import_module("sionna.rt"), mi, dr)

    def mesh(self, name: str, corner_m: FloatArray, triangle: Any) -> Any:
        """Return a mesh of flat triangles (K, 3) between corners (N, 3) [m]."""
        properties = self.mi.Properties()
        properties["face_normals"] = True
        mesh = self.mi.Mesh(name, len(corner_m), len(triangle), props=properties)
        parameters = self.mi.traverse(mesh)
        parameters["vertex_positions"] = self.mi.Float(np.ascontiguousarray(corner_m, dtype=np.float32).ravel())
        parameters["faces"] = self.mi.UInt(np.ascontiguousarray(triangle, dtype=np.uint32).ravel())
        parameters.update()
        return mesh

    def thing(self, name: str, corner_m: FloatArray, triangle: Any, material: Any) -> Any:
        """Return a scene object of one material."""
        return self.rt.SceneObject(mi_mesh=self.mesh(name, corner_m, triangle), name=name, radio_material=material)

    def material(self, name: str, thickness_m: float) -> Any:
        """Return a material of ITU-R P.2040 as a layer with free space behind it."""
        return self.rt.ITURadioMaterial(name=f"{name} {thickness_m:g} m", itu_type=name, thickness=thickness_m)

    def scene(self, frequency_hz: float, things: list[Any], polarization: str = "VH") -> Any:
        """Return a scene at one frequency, with isotropic antennas of the polarisations V, H or VH."""
        scene = self.rt.load_scene()
        scene.frequency = frequency_hz
        scene.tx_array = scene.rx_array = self.rt.PlanarArray(
            num_rows=1, num_cols=1, vertical_spacing=0.5, horizontal_spacing=0.5, pattern="iso", polarization=polarization
        )
        if things:
            scene.edit(add=things)
        return scene

    def devices(self, scene: Any, trp_position_m: FloatArray, ue_position_m: FloatArray) -> None:
        """Add transmitters and receivers."""
        for i, p in enumerate(trp_position_m):
            scene.add(self.rt.Transmitter(f"trp-{i}", self.mi.Point3f(*map(float, p))))
        for i, p in enumerate(ue_position_m):
            scene.add(self.rt.Receiver(f"ue-{i}", self.mi.Point3f(*map(float, p))))


def box_corners(center_m: FloatArray, half_m: FloatArray, yaw_rad: float) -> FloatArray:
    """Return the (8, 3) corners of a box turned about the vertical [m]."""
    corner = _CORNER * half_m
    cos, sin = math.cos(yaw_rad), math.sin(yaw_rad)
    turned = np.stack((corner[:, 0] * cos - corner[:, 1] * sin, corner[:, 0] * sin + corner[:, 1] * cos, corner[:, 2]), 1)
    return np.asarray(turned + center_m, dtype=np.float64)


def hall_things(sionna: Sionna, hall: Hall) -> list[Any]:
    """Return a hall's six faces and its closed boxes as scene objects named ``face-0``.. and ``box-0``.."""
    n = len(hall.box_material)
    box_thickness = np.full(n, DEFAULT_THICKNESS_M) if hall.box_thickness_m is None else hall.box_thickness_m
    faces = [(hall.wall_material, hall.wall_thickness_m)] * 4
    faces += [(hall.floor_material, hall.floor_thickness_m), (hall.ceiling_material, hall.ceiling_thickness_m)]
    boxes = [(name, float(t)) for name, t in zip(hall.box_material, box_thickness, strict=True)]
    layer = {what: sionna.material(*what) for what in sorted({*faces, *boxes})}
    corner = (_CORNER + 1) / 2 * hall.size_m
    order = (1, 0, 3, 2, 5, 4)  # radio.propagation.geometry counts x = 0 first, a box's faces begin with +x
    things = [sionna.thing(f"face-{i}", corner[list(_QUADS[order[i]])], _QUAD_TRIANGLES, layer[faces[i]]) for i in range(6)]
    for k, box in enumerate(boxes):
        corners = box_corners(hall.box_center_m[k], hall.box_half_m[k], float(hall.box_yaw_rad[k]))
        things.append(sionna.thing(f"box-{k}", corners, BOX_TRIANGLES, layer[box]))
    return things


def solve(
    sionna: Sionna, hall: Hall, frequency_hz: float, trp_position_m: FloatArray, ue_position_m: FloatArray, samples: int = SAMPLES
) -> ReferencePaths:
    """Find line of sight and reflections up to the second order.

    Parameters
    ----------
    sionna : the loaded modules.
    hall : the hall, without people.
    frequency_hz : carrier frequency [Hz].
    trp_position_m, ue_position_m : (T, 3) and (U, 3) antennas [m].
    samples : rays sent from each TRP to find candidates; each candidate is then solved exactly by images.
    """
    scene = sionna.scene(frequency_hz, hall_things(sionna, hall))
    sionna.devices(scene, trp_position_m, ue_position_m)
    solver = sionna.rt.PathSolver(deterministic=True)
    found = solver(scene, max_depth=2, samples_per_src=samples, refraction=False, max_num_paths_per_src=200_000)
    return read_paths(scene, found, facet_numbers(hall))


def facet_numbers(hall: Hall) -> dict[tuple[str, int], int]:
    """Map (scene object, pair of triangles) to the facet number of ``radio.propagation.geometry.PreparedHall``."""
    n = len(hall.box_material)
    number = {(f"face-{i}", 0): i for i in range(6)}
    number |= {(f"box-{k}", i): 6 + 5 * k + i for k in range(n) for i in range(5)}
    floats = np.flatnonzero(hall.box_center_m[:, 2] - hall.box_half_m[:, 2] > STANDS_M)
    number |= {(f"box-{k}", 5): 6 + 5 * n + rank for rank, k in enumerate(floats)}
    return number


def read_paths(scene: Any, found: Any, number: dict[tuple[str, int], int]) -> ReferencePaths:
    """Turn Sionna's paths into arrays, sorted by link and length.

    Parameters
    ----------
    scene : a scene made by ``hall_things``.
    found : Sionna's paths in it.
    number : facets by scene object and pair of triangles, as ``facet_numbers`` gives them.
    """
    name_of = {int(thing.object_id): name for name, thing in scene.objects.items()}
    valid = np.asarray(found.valid.numpy())
    ue, trp, path = np.nonzero(valid)
    kind = np.asarray(found.interactions.numpy())[:, ue, trp, path]
    shape = np.asarray(found.objects.numpy())[:, ue, trp, path]
    triangle = np.asarray(found.primitives.numpy())[:, ue, trp, path]
    vertex = np.asarray(found.vertices.numpy(), dtype=np.float64)[:, ue, trp, path].transpose(1, 0, 2)
    if kind.shape[0] < 2:  # no more than one bounce was found anywhere
        raise RuntimeError("Sionna RT returned paths of less than two interactions' room")
    facet = np.full((len(ue), 2), -1, np.int64)
    for bounce in range(2):
        for i in np.flatnonzero(kind[bounce] == _SPECULAR):
            facet[i, bounce] = number[name_of[int(shape[bounce, i])], int(triangle[bounce, i]) // 2]
    vertex[facet < 0] = np.nan
    transfer: ComplexArray = _complex(found.a).transpose(0, 2, 4, 1, 3)[ue, trp, path]
    length = np.asarray(found.tau.numpy(), dtype=np.float64)[ue, trp, path] * SPEED_OF_LIGHT_MPS
    angle = np.stack(
        [
            np.asarray(x.numpy(), dtype=np.float64)[ue, trp, path]
            for x in (found.theta_t, found.phi_t, found.theta_r, found.phi_r)
        ],
        1,
    )
    sort = np.lexsort((facet[:, 1], facet[:, 0], length, trp, ue))
    return ReferencePaths(ue[sort], trp[sort], facet[sort], length[sort], transfer[sort], vertex[sort], angle[sort])


def _complex(parts: tuple[Any, Any]) -> ComplexArray:
    """Join Sionna's real and imaginary tensors (receiver, its antenna, transmitter, its antenna, path)."""
    return np.asarray(parts[0].numpy() + 1j * parts[1].numpy(), dtype=np.complex128)


def thin_screen_db(sionna: Sionna, beside_m: float, half_width_m: float = 0.25, height_m: float = 1.74) -> float:
    """Loss that an upright thin screen costs a 10 m link at 28 GHz, by diffraction at its four edges.

    Parameters
    ----------
    sionna : the loaded modules.
    beside_m : how far the screen's middle stands beside the middle of the link [m].
    half_width_m, height_m : half width of the screen, and its height from the floor, which itself is left out [m].
    """
    frequency_hz, length_m, antenna_m = 28e9, 10.0, 1.2
    low, high = beside_m - half_width_m, beside_m + half_width_m
    x = length_m / 2
    corner = np.array([[x, low, 0.0], [x, high, 0.0], [x, high, height_m], [x, low, height_m]])
    screen = sionna.thing("screen", corner, _QUAD_TRIANGLES, sionna.material("concrete", DEFAULT_THICKNESS_M))
    scene = sionna.scene(frequency_hz, [screen])
    sionna.devices(scene, np.array([[0.0, 0.0, antenna_m]]), np.array([[length_m, 0.0, antenna_m]]))
    solver = sionna.rt.PathSolver(deterministic=True)
    found = solver(scene, max_depth=1, samples_per_src=SAMPLES, refraction=False, diffraction=True, edge_diffraction=True)
    gain = _complex(found.a)[0, 0, 0, 0]
    excess_s = np.asarray(found.tau.numpy(), dtype=np.float64).ravel() - length_m / SPEED_OF_LIGHT_MPS
    field = np.sum(gain * np.exp(-2j * np.pi * frequency_hz * excess_s))
    free = SPEED_OF_LIGHT_MPS / (frequency_hz * 4 * np.pi * length_m)
    return -20.0 * math.log10(abs(field) / free)


def recompute(reference: Reference, sionna: Sionna, samples: int = SAMPLES) -> Reference:
    """Return a reference hall with its paths as the installed Sionna RT finds them."""
    paths = solve(sionna, reference.hall, reference.frequency_hz, reference.trp_position_m, reference.ue_position_m, samples)
    return Reference(
        reference.name, f"Sionna RT {version()}", reference.frequency_hz, reference.hall, reference.trp_position_m,
        reference.ue_position_m, paths, samples,
    )  # fmt: skip


def main(arguments: list[str]) -> int:
    """Compute the paths of the named files anew."""
    if not arguments:
        print("usage: python -m factory.validate.sionna_live FILE...", file=sys.stderr)
        return 2
    sionna = Sionna.load()
    for name in arguments:
        path = Path(name)
        reference = recompute(read_reference(path), sionna)
        write_reference(path, reference)
        print(f"{reference.name}: {len(reference.paths.length_m)} paths")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
