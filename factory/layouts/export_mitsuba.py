"""Export of the scene for Mitsuba and Sionna RT: an XML file, a PLY mesh per face or box, radio materials by their ITU names.

``sionna.rt.load_scene(FILE, merge_shapes=False)`` opens it. Units are metres in the hall frame; shapes are named ``face-0``
(x = 0), ``face-1`` .. ``face-5`` (ceiling) and ``box-K-NAME``. People and machines, which move, are not in it.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt

from factory.errors import UserError
from factory.layouts.scene import face_corners
from factory.rooms import radio_hall
from factory.scenario import Scenario
from factory.validate.sionna_live import BOX_TRIANGLES, box_corners

_FACE_TRIANGLES = np.array([(0, 1, 2), (0, 2, 3)])


def export_mitsuba(scenario: Scenario, out: Path) -> list[str]:
    """Write ``out`` (``.xml``) and a folder ``NAME-meshes`` beside it, and return what to tell the user.

    Raises
    ------
    UserError
        If a material of the scenario has constants of its own, which the ITU names cannot carry.
    """
    own = sorted({m.name for m in scenario.radio.materials})
    hall = radio_hall(scenario.hall)
    folder = out.with_name(f"{out.stem}-meshes")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is in the way; the meshes go there")
    folder.mkdir(exist_ok=True)
    faces = [(hall.wall_material, hall.wall_thickness_m)] * 4
    faces += [(hall.floor_material, hall.floor_thickness_m), (hall.ceiling_material, hall.ceiling_thickness_m)]
    shapes = [(f"face-{i}", face_corners(hall.size_m, i), _FACE_TRIANGLES, faces[i]) for i in range(6)]
    for k, box in enumerate(scenario.hall.boxes):
        corners = box_corners(hall.box_center_m[k], hall.box_half_m[k], float(hall.box_yaw_rad[k]))
        shapes.append((f"box-{k}-{_safe(box.name)}", corners, BOX_TRIANGLES, (box.material, box.thickness_m)))
    lines = ['<?xml version="1.0" encoding="utf-8"?>', '<scene version="2.1.0">']
    for material in sorted({shape[3] for shape in shapes}):
        lines += [
            f'  <bsdf type="itu-radio-material" id={quoteattr(_id(material))}>',
            f'    <string name="type" value={quoteattr(material[0])}/>',
            f'    <float name="thickness" value="{material[1]:g}"/>',
            "  </bsdf>",
        ]
    for name, corners, triangles, material in shapes:
        (folder / f"{name}.ply").write_bytes(ply(corners, triangles))
        lines += [
            f'  <shape type="ply" id={quoteattr("mesh-" + name)}>',
            f'    <string name="filename" value={quoteattr(f"{folder.name}/{name}.ply")}/>',
            '    <boolean name="face_normals" value="true"/>',
            f'    <ref id={quoteattr(_id(material))} name="bsdf"/>',
            "  </shape>",
        ]
    out.write_text("\n".join([*lines, "</scene>", ""]), encoding="utf-8")
    told = [f"Mitsuba: {out} and {len(shapes)} meshes in {folder}"]
    if own:
        told.append(
            f"radio.materials gives {', '.join(own)} constants of their own; the export names the ITU rows, set them in the tool"
        )
    return told


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:60]


def _id(material: tuple[str, float]) -> str:
    return f"{material[0]}-{material[1] * 1000:g}mm".replace(".", "_")


def ply(corner_m: npt.NDArray[np.float64], triangle: npt.NDArray[np.int64]) -> bytes:
    """Return a binary PLY of corners (N, 3) [m] and triangles (K, 3)."""
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(corner_m)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        f"element face {len(triangle)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    rows = np.zeros(len(triangle), dtype=[("n", "u1"), ("i", "<i4", (3,))])
    rows["n"], rows["i"] = 3, triangle
    return header.encode("ascii") + np.ascontiguousarray(corner_m, dtype="<f4").tobytes() + rows.tobytes()
