"""A calibrated fragment is taken over by name, and a wrong one is refused before anything is written."""

import subprocess
import sys
from pathlib import Path

import pytest

from factory.recording import Run

pytestmark = pytest.mark.system

FRAGMENT = """\
radio:
  trps:
    - {name: corner-east, tx_power_dbm: 27.5, azimuth_deg: 140}
  materials:
    - {name: chipboard, relative_permittivity: 2.7, conductivity_s_per_m: 0.3}
"""


def _run(folder: Path, fragment: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "factory.cli", "run", "small", "--minutes", "0.05", "--with", str(fragment), "--out", str(folder)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_run_takes_the_fragment_over_by_name(tmp_path: Path) -> None:
    fragment = tmp_path / "radio.yaml"
    fragment.write_text(FRAGMENT)
    done = _run(tmp_path / "run", fragment)
    assert done.returncode == 0, done.stderr
    radio = Run(tmp_path / "run").info["scenario"]["radio"]
    trps = {t["name"]: t for t in radio["trps"]}
    assert (trps["corner-east"]["tx_power_dbm"], trps["corner-east"]["azimuth_deg"]) == (27.5, 140)
    assert trps["ceiling-west"]["tx_power_dbm"] == 30
    assert radio["materials"][0]["relative_permittivity"] == 2.7


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FRAGMENT.replace("corner-east", "corner-west"), "corner-west"),
        (FRAGMENT.replace("27.5", "275"), "275"),
        ("radio: [", "radio.yaml"),
    ],
)
def test_a_wrong_fragment_is_refused_in_words(text: str, said: str, tmp_path: Path) -> None:
    fragment = tmp_path / "radio.yaml"
    fragment.write_text(text)
    done = _run(tmp_path / "run", fragment)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
