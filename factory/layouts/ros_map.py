"""Reader of ROS occupancy maps (``map.yaml`` and its picture): occupied cells become few boxes.

A pixel's occupancy is ``(255 - value) / 255``, or ``value / 255`` where ``negate`` is set; above ``occupied_thresh`` the cell is
occupied. ``origin`` is the pose of the lower left pixel. (map_server, nav2_map_server)
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError
from scipy import ndimage

from factory.layouts.found import Found, FoundBox
from factory.layouts.rectangles import cover
from factory.layouts.report import LayoutError, Report, shown
from factory.layouts.source import need_number, read_yaml

MAX_PIXELS = 40_000_000
DEFAULT_CELL_M = 0.1
SPECK_M2 = 0.03  # a leg of a chair; smaller spots are noise of the scanner


def read_ros_map(path: Path, report: Report, cell_m: float = DEFAULT_CELL_M) -> Found:
    """Read an occupancy map.

    Parameters
    ----------
    path : the YAML file; the picture it names lies beside it.
    report : gets every assumption.
    cell_m : cells are joined to squares of about this side before boxes are made of them [m].

    Raises
    ------
    LayoutError
        If a key is absent or out of range, or the picture cannot be read.
    """
    root = read_yaml(path)
    if not isinstance(root, dict):
        raise report.error("", "is no mapping; an occupancy map has image, resolution, origin and thresholds")
    resolution_m = need_number(report, "resolution", "resolution", root.get("resolution"))
    if not 1e-3 <= resolution_m <= 10:
        raise report.error("resolution", f"is {resolution_m:g}; give metres per pixel from 0.001 to 10, such as 0.05")
    origin = root.get("origin")
    if not isinstance(origin, list) or len(origin) != 3:
        raise report.error("origin", f"is {shown(origin)}; give x, y in m and yaw in rad of the lower left pixel")
    ox, oy, yaw = (need_number(report, f"origin[{i}]", "origin", v) for i, v in enumerate(origin))
    occupied_above = _share(report, root, "occupied_thresh", 0.65)
    free_below = _share(report, root, "free_thresh", 0.196)
    if free_below > occupied_above:
        raise report.error("free_thresh", f"{free_below:g} is above occupied_thresh {occupied_above:g}; swap them")
    mode = root.get("mode", "trinary")
    if mode not in ("trinary", "scale", "raw"):
        raise report.error("mode", f"is {shown(mode)}; give trinary, scale or raw")
    value = _picture(path, root.get("image"), report)
    negate = root.get("negate", 0) in (1, True, "1", "true")
    chance = value / 255.0 if negate else 1.0 - value / 255.0
    occupied = chance > occupied_above if mode != "raw" else value >= 65
    unknown = int(((chance <= occupied_above) & (chance >= free_below)).sum())
    known_keys = {"image", "resolution", "origin", "negate", "occupied_thresh", "free_thresh", "mode"}
    for key in root:
        if key not in known_keys:
            report.ignored(str(key), "is no key of an occupancy map")
    return _boxes(path.stem, report, occupied[::-1], resolution_m, (ox, oy, yaw), cell_m, unknown)


def _share(report: Report, root: Any, key: str, default: float) -> float:
    if key not in root:
        report.assumed(key, f"is absent; {default:g} is taken")
        return default
    value = need_number(report, key, key, root[key])
    if not 0 <= value <= 1:
        raise report.error(key, f"is {value:g}; give a share from 0 to 1")
    return value


def _picture(path: Path, name: Any, report: Report) -> np.ndarray:
    """Return the grey values (rows, columns) of the picture beside the map, 0..255."""
    if not isinstance(name, str) or not name:
        raise report.error("image", f"is {shown(name)}; name the picture (PNG or PGM) beside the map")
    picture = path.parent / name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is looked at before anything is decoded
            with Image.open(picture) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise LayoutError(
                        str(picture), "", f"has {image.width} x {image.height} pixels; maps of up to {MAX_PIXELS:,} are read"
                    )
                bands = image.getbands()
                colours = [band for band in ("R", "G", "B") if band in bands]
                plain = image if image.mode in ("L", "RGB", "RGBA") else image.convert("L")
                values = np.asarray(plain, dtype=np.float64)
    except FileNotFoundError:
        raise report.error("image", f"{name!r} is not there: {picture}") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise LayoutError(str(picture), "", f"cannot be read as a picture: {str(error).splitlines()[0]}") from None
    if values.ndim == 3:
        values = values[:, :, : len(colours) or 1].mean(axis=2)  # as map_server: the mean of the colours
    return values


def _boxes(
    name: str,
    report: Report,
    occupied: np.ndarray,
    resolution_m: float,
    origin: tuple[float, float, float],
    cell_m: float,
    unknown: int,
) -> Found:
    found = Found(name, report)
    rows, columns = occupied.shape
    report.read("image", f"{columns} x {rows} pixels of {resolution_m:g} m: {int(occupied.sum())} occupied, {unknown} unknown")
    if unknown:
        report.ignored("image", f"{unknown} unknown pixels are taken as free")
    part, n_parts = ndimage.label(occupied, structure=np.ones((3, 3)))
    pixels = np.bincount(part.ravel(), minlength=n_parts + 1)
    small = pixels * resolution_m**2 < SPECK_M2
    small[0] = False
    if small.any():
        report.ignored("image", f"{int(small.sum())} specks smaller than {SPECK_M2:g} m2 ({int(pixels[small].sum())} pixels)")
        occupied = occupied & ~small[part]
    step = max(1, round(cell_m / resolution_m))
    tall, wide = -(-rows // step), -(-columns // step)
    padded = np.zeros((tall * step, wide * step))
    padded[:rows, :columns] = occupied
    cells = padded.reshape(tall, step, wide, step).mean(axis=(1, 3)) >= 0.25
    rectangles = cover(cells)
    side_m = step * resolution_m
    ox, oy, yaw = origin
    cos, sin = math.cos(yaw), math.sin(yaw)
    for k, (row, column, height, width) in enumerate(rectangles):
        u, v = (column + width / 2) * side_m, (row + height / 2) * side_m
        found.boxes.append(
            FoundBox(
                f"occupied-{k + 1}", "wall", ox + u * cos - v * sin, oy + u * sin + v * cos, width * side_m, height * side_m,
                None, math.degrees(yaw), None, f"row {rows - row * step}, column {column * step}",
            )
        )  # fmt: skip
    if rectangles:
        report.read("image", f"{int(cells.sum())} occupied cells of {side_m:g} m made {len(rectangles)} boxes")
    report.missing("", "lanes: an occupancy map has none; add robots.routes to drive AGVs")
    return found
