"""The radio room is a library of its own: it imports and works with no other room present, and its worked example runs."""

import doctest
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "radio.md"

PROGRAM = """
import importlib, pkgutil, sys
import radio
for module in pkgutil.walk_packages(radio.__path__, "radio."):
    importlib.import_module(module.name)
rooms = {"factory", "robots", "humans", "bridges", "pybullet"} & set(sys.modules)
assert not rooms, rooms
assert radio.__file__.startswith(sys.argv[1]), radio.__file__

import numpy as np
hall = radio.Hall.empty((30.0, 20.0, 6.0))
prepared = radio.prepare_hall(hall, 28e9)
paths = radio.compute_paths(prepared, np.array([[2.0, 10.0, 3.0]]), np.array([[20.0, 10.0, 1.2]]), 64, 60.0)
one = radio.Blockers(
    start_m=np.array([[17.0, 10.0, 0.2]]), end_m=np.array([[17.0, 10.0, 1.7]]), half_width_m=np.full((1, 2), 0.2),
    yaw_rad=np.zeros(1), shape=np.full(1, radio.SHAPE_CAPSULE), owner=np.zeros(1, np.int64), part=np.zeros(1, np.int64),
)
loss_db = radio.blockage_db(paths, one, np.array([-1])).loss_db
print(len(paths.length_m), round(float(loss_db[0]), 3))
"""


def test_radio_imports_and_works_where_no_other_room_exists(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "radio", tmp_path / "radio", ignore=shutil.ignore_patterns("__pycache__"))
    # -I leaves out the current folder and the installed project's path hooks matter not: the copy comes first.
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv = ['', {str(tmp_path)!r}]\n{PROGRAM}"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    count, loss_db = done.stdout.split()
    assert int(count) >= 7  # line of sight, the hall's six faces, and pairs of them
    assert float(loss_db) > 3.0  # a body of 0.4 m stands in the line of sight


def test_the_worked_example_prints_what_it_says() -> None:
    result = doctest.testfile(str(EXAMPLE), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert result.attempted >= 15
    assert result.failed == 0
