"""From a CSV file to a fragment that the scenario takes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from factory.calibrate import calibrate_command, calibrate_scenario, fragment_overrides, read_fragment
from factory.errors import UserError
from factory.rooms import radio_hall
from factory.scenario import LoadedScenario, load_scenario
from radio.fitting.calibration import CalibrationSettings, parameters_of
from radio.fitting.calibration_csv import read_log
from radio.fitting.calibration_model import ForwardModel


def write_log(path: Path, loaded: LoadedScenario, shift_db: float, n: int = 150) -> None:
    """Log of a walk through the open part of the scenario's hall; every TRP is ``shift_db`` stronger than the scenario says."""
    radio, hall = loaded.scenario.radio, radio_hall(loaded.scenario.hall)
    rng = np.random.default_rng(1)
    length, width, _ = hall.size_m
    rows = []
    for i in range(n):
        at = np.array([length * (0.5 + 0.45 * np.sin(0.11 * i)), width * (0.5 + 0.45 * np.sin(0.29 * i)), 1.2])
        if not hall.inside_any_box(at[None])[0]:
            rows += [(0.5 * i, t.name, *at) for t in radio.trps]
    text = [
        "time_s,trp,x_m,y_m,z_m,rsrp_dbm",
        *(f"{a:.1f},{b},{x:.2f},{y:.2f},{z:.2f},{-80 - k % 2}" for k, (a, b, x, y, z) in enumerate(rows)),
    ]
    log = read_log(text, radio, hall)
    parameters = parameters_of(radio, hall, CalibrationSettings())
    model = ForwardModel(radio, hall, log, parameters)
    rsrp = model.predict(np.zeros(len(parameters))) + shift_db + rng.normal(scale=1.5, size=model.n_rows)
    heard = dict(zip(log.line[model.covered].tolist(), rsrp, strict=True))
    for k in range(1, len(text)):
        text[k] = ",".join(text[k].split(",")[:5]) + (f",{heard[k + 1]:.0f}" if k + 1 in heard else ",")
    path.write_text("\n".join(text) + "\n", encoding="utf-8")


def test_command_writes_a_fragment_that_the_scenario_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loaded = load_scenario("small")
    log, out, numbers = tmp_path / "walk.csv", tmp_path / "fragment.yaml", tmp_path / "numbers.json"
    write_log(log, loaded, 4.0)
    assert calibrate_command("small", log, out, numbers) == 0
    printed = capsys.readouterr().out
    assert "common gain" in printed
    assert "rows held out" in printed

    fragment = read_fragment(out)
    changed = load_scenario("small", fragment_overrides(loaded.scenario, fragment)).scenario.radio
    for before, after in zip(loaded.scenario.radio.trps, changed.trps, strict=True):
        level = after.tx_power_dbm + after.gain_offset_db - before.tx_power_dbm - before.gain_offset_db
        assert level == pytest.approx(4.0, abs=0.8)
        assert after.position_m == before.position_m
    # The calibrated scenario explains the log as it stands.
    again = calibrate_scenario(load_scenario("small", fragment_overrides(loaded.scenario, fragment)), log)
    assert again.trained.before.rmse_db < 2.0
    written = json.loads(numbers.read_text(encoding="utf-8"))
    assert written["fragment"] == fragment
    assert written["held_out"]["after"]["rmse_db"] < written["held_out"]["before"]["rmse_db"]


def test_fragment_of_another_hall_is_refused() -> None:
    scenario = load_scenario("small").scenario
    with pytest.raises(UserError, match="'attic', which the scenario does not; it has"):
        fragment_overrides(scenario, {"radio": {"trps": [{"name": "attic", "tx_power_dbm": 3}]}})


def test_materials_of_a_fragment_join_those_of_the_scenario() -> None:
    board = {"name": "chipboard", "relative_permittivity": 2.0, "conductivity_s_per_m": 0.1}
    loaded = load_scenario("small", [f"radio.materials=[{json.dumps(board)}]"])
    concrete = {"name": "concrete", "relative_permittivity": 6.0, "conductivity_s_per_m": 0.7}
    overrides = fragment_overrides(loaded.scenario, {"radio": {"materials": [concrete], "blockage": {"body_scale": 1.1}}})
    changed = load_scenario("small", overrides).scenario.radio
    assert [m.name for m in changed.materials] == ["chipboard", "concrete"]
    assert changed.blockage.body_scale == 1.1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"time_s,trp\n", "walk.csv: line 1: column 'x_m' is missing"),
        (b"time_s,trp,x_m,y_m,z_m,rsrp_dbm\n0,attic,5,5,1,-80\n", "walk.csv: line 2: trp is 'attic'"),
        (b"\xff\xfe\x00", "not UTF-8 text"),
    ],
)
def test_faults_of_a_log_name_the_file(tmp_path: Path, content: bytes | None, message: str) -> None:
    log = tmp_path / "walk.csv"
    if content is not None:
        log.write_bytes(content)
    with pytest.raises(UserError, match=message):
        calibrate_command("small", log)


def test_what_is_no_fragment_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fragment.yaml"
    path.write_text("trps: []\n", encoding="utf-8")
    with pytest.raises(UserError, match="wanted a fragment of a scenario that begins with radio:"):
        read_fragment(path)
