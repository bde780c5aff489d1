"""The run folder: what is written comes back, twice the same run gives the same bytes, and nothing finished is ever lost."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_run import SCENARIO_TEXT, VERSIONS, make_run, scenario

from factory.recording import Recorder, RecordingConfig, Run, RunFolder, RunFolderError
from factory.run_folder import forget_people, write_json

DEVICES = ("agv-01", "cobot-1")


def make_recorder(path: Path, **config: Any) -> Recorder:
    folder = RunFolder.create(path, SCENARIO_TEXT, scenario(), 3, VERSIONS)
    return Recorder(
        folder,
        devices=DEVICES,
        modes=(("driving", "stopped"), ("cycle",)),
        services=("control",),
        trps=("west", "east"),
        causes=("body", "late"),
        hall_size_m=(60, 40, 8),
        config=RecordingConfig(**config),
    )


def tick(time_us: int, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "time_us": time_us,
        "position_m": np.array([[1.5, 2.5, 1.2], [30.0, 20.0, 1.5]]),
        "speed_mps": np.array([1.0, 0.0]),
        "mode": np.array([1, 0]),
        "trp": np.array([0, 1]),
        "beam": np.array([27, 3]),
        "second_trp": np.array([-1, 0]),
        "sinr_dl_db": np.array([12.0, 30.0]),
        "sinr_ul_db": np.array([14.0, 31.0]),
        "margin_db": np.array([4.0, 22.0]),
        "body_loss_db": np.array([18.25, 0.0]),
        "blocker": np.array([1, -1]),
        "blocker_part": np.array([0, -1]),
        "loss_probability": np.array([1e-9, 1e-12]),
        "down_s": np.array([0.05, 0.0]),
    }
    return values | changes


def losses(time_us: list[int]) -> dict[str, Any]:
    n = len(time_us)
    whole = {name: np.zeros(n, dtype=np.int64) for name in ("device", "service", "cause", "blocker", "part", "trp")}
    return whole | {
        "time_us": np.array(time_us),
        "beam": np.full(n, 27),
        "x_m": np.full(n, 1.5),
        "y_m": np.full(n, 2.5),
        "sinr_db": np.full(n, -3.0),
        "loss_probability": np.full(n, 0.5),
    }


def test_an_existing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"exists already; choose another folder with --out or remove it"):
        RunFolder.create(tmp_path, SCENARIO_TEXT, scenario(), 1)
    assert list(tmp_path.iterdir()) == []


def test_run_json_tells_scenario_seed_versions_and_state(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", SCENARIO_TEXT, scenario(), 5)
    assert Run(folder.path).info["state"] == "running"
    folder.end("finished", 120.0, 8.0)
    info = Run(folder.path).info
    assert info["state"] == "finished"
    assert info["seed"] == 5
    assert info["scenario"]["hall"]["size_m"] == [60, 40, 8]
    assert info["scenario_sha256"] == hashlib.sha256(SCENARIO_TEXT.encode()).hexdigest()
    assert info["real_time_factor"] == 15.0
    assert set(info["versions"]) == {"python", "numpy", "numba", "pybullet", "factory-twin"}
    with pytest.raises(ValueError, match="'done'"):
        folder.end("done", 1.0, None)


def test_codes_come_back_as_words(tmp_path: Path) -> None:
    with make_recorder(tmp_path / "run") as recorder:
        recorder.set_blockers(("person-0001", "person-0002"), (("trunk", "left forearm"),) * 2, ("picker", "assembler"))
        recorder.add_ticks(**tick(0))
        recorder.set_blockers(("person-aaaa", "person-bbbb"), (("trunk", "left forearm"),) * 2, ("picker", "assembler"))
        recorder.add_ticks(**tick(100_000, blocker_part=np.array([1, -1])))
        recorder.add_losses("reactive", **losses([90_000, 50_000]))
        recorder.add_event(95_000, "service_down", "agv-01", "control", "reactive", "body", blocker="person-bbbb", detail="d")
        recorder.close({"a": 1}, simulated_s=0.2, wall_s=0.1)
    run = Run(tmp_path / "run")
    ticks = run.ticks()
    assert list(ticks["device"]) == ["agv-01", "cobot-1", "agv-01", "cobot-1"]
    assert list(ticks["mode"]) == ["stopped", "cycle"] * 2
    assert list(ticks["trp"]) == ["west", "east"] * 2
    assert list(ticks["second_trp"]) == ["", "west"] * 2
    assert list(ticks["blocker"]) == ["person-0002", "", "person-bbbb", ""]
    assert list(ticks["blocker_part"]) == ["trunk", "", "left forearm", ""]
    assert list(ticks["body_loss_db"]) == [18.25, 0.0] * 2
    assert list(ticks["loss_probability"]) == [1e-9, 1e-12] * 2
    events = run.events()
    assert list(events["time_us"]) == [50_000, 90_000, 95_000]
    assert list(events["kind"]) == ["packet_lost", "packet_lost", "service_down"]
    assert list(events["blocker"]) == ["person-aaaa", "person-aaaa", "person-bbbb"]
    assert list(events["role"]) == ["picker", "picker", "assembler"]
    assert list(events["part"]) == ["trunk", "trunk", ""]
    assert list(events["detail"]) == ["", "", "d"]
    assert run.kpi == {"a": 1}
    assert run.finished


def test_two_identical_runs_give_identical_bytes(tmp_path: Path) -> None:
    first = make_run(tmp_path / "one", duration_s=61.0)
    second = make_run(tmp_path / "two", duration_s=61.0)
    names = sorted(str(p.relative_to(first)) for p in first.rglob("*") if p.is_file())
    expected = [
        "events.parquet",
        "grids.npz",
        "kpi.json",
        "run.json",
        "scene.png",
        "ticks/part-0000.parquet",
        "ticks/part-0001.parquet",
    ]
    assert names == expected
    for name in names:
        if name != "run.json":
            assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_ticks_of_a_span_are_those_of_the_whole(run_path: Path) -> None:
    run = Run(run_path)
    whole = run.ticks(["time_us", "device", "x_m"])
    part = run.ticks(["device", "x_m"], start_us=59_000_000, end_us=61_000_000)
    kept = whole[(whole["time_us"] >= 59_000_000) & (whole["time_us"] < 61_000_000)]
    assert list(part.columns) == ["device", "x_m"]
    assert len(part) == 20 * 19
    assert part["x_m"].to_list() == kept["x_m"].to_list()
    assert part["device"].to_list() == kept["device"].to_list()


def test_an_exception_leaves_an_interrupted_run_with_all_its_data(tmp_path: Path) -> None:
    def broken_run() -> None:
        with make_recorder(tmp_path / "run") as recorder:
            recorder.set_blockers(("person-0001", "person-0002"), (("trunk",),) * 2, ("picker",) * 2)
            for k in range(610):
                recorder.add_ticks(**tick(k * 100_000))
            recorder.add_losses("reactive", **losses([60_900_000]))
            raise RuntimeError("the machine room is on fire")

    with pytest.raises(RuntimeError, match="on fire"):
        broken_run()
    run = Run(tmp_path / "run")
    assert run.info["state"] == "interrupted"
    assert run.info["simulated_s"] == 60.9
    assert len(run.ticks()) == 1220
    assert len(run.events()) == 1
    with pytest.raises(RunFolderError, match=r"no kpi.json: the run is interrupted"):
        _ = run.kpi


def test_a_killed_run_keeps_its_finished_minutes(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path / "run")
    recorder.set_blockers(("person-0001", "person-0002"), (("trunk",),) * 2, ("picker",) * 2)
    for k in range(650):
        recorder.add_ticks(**tick(k * 100_000))
        if k == 10:
            recorder.add_losses("reactive", **losses([1_000_000]))
    run = Run(tmp_path / "run")  # the recorder is never closed
    assert run.info["state"] == "running"
    assert run.kept_s == 60.0
    assert run.ticks()["time_us"].max() == 59_900_000
    assert run.events()["time_us"].to_list() == [1_000_000]
    assert run.grids()["device_s"].sum() == pytest.approx(2 * 60.0)


def test_busy_minutes_are_written_in_several_parts(tmp_path: Path) -> None:
    with make_recorder(tmp_path / "run") as recorder:
        recorder.set_blockers(("person-0001",), (("trunk",),), ("picker",))
        block = losses(list(range(100_000)))
        for _ in range(6):
            recorder.add_losses("reactive", **block)
        assert len(list((tmp_path / "run" / "events").iterdir())) == 2
        recorder.close(simulated_s=0.1, wall_s=1.0)
    events = Run(tmp_path / "run").events(["time_us"])
    assert len(events) == 600_000
    assert events["time_us"].is_monotonic_increasing


def test_the_reader_tells_what_is_wrong_with_a_folder(tmp_path: Path, run_path: Path) -> None:
    with pytest.raises(RunFolderError, match="is not a folder"):
        Run(tmp_path / "nowhere")
    with pytest.raises(RunFolderError, match=r"holds no run\.json"):
        Run(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunFolderError, match="not readable as JSON"):
        Run(tmp_path)
    (tmp_path / "run.json").write_text('{"format": 99, "state": "finished"}')
    with pytest.raises(RunFolderError, match="format 99"):
        Run(tmp_path)
    with pytest.raises(RunFolderError, match=r"no column 'sinr'; ticks have time_us, device"):
        Run(run_path).ticks(["sinr"])


def test_tracks_of_people_are_kept_only_when_asked_for(tmp_path: Path, run_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"recording\.people_tracks: true"):
        Run(run_path).people()
    assert not (run_path / "people").exists()
    path = make_run(tmp_path / "tracked", duration_s=5.0, people_tracks=True, scene=False)
    tracks = Run(path).people()
    assert len(tracks) == 16 * 50
    assert tracks["person"].nunique() == 16
    assert tracks["x_m"].between(0, 60).all()


def test_tracks_of_people_go_when_their_days_are_over(tmp_path: Path) -> None:
    path = make_run(tmp_path / "tracked", duration_s=2.0, people_tracks=True, scene=False)
    started = datetime.fromisoformat(Run(path).info["started_utc"])
    assert started.tzinfo == UTC
    assert not forget_people(path, started + timedelta(days=29))
    assert len(Run(path).people()) > 0
    assert forget_people(path, started + timedelta(days=30))
    assert not forget_people(path, started + timedelta(days=31))
    with pytest.raises(RunFolderError, match="no tracks of people"):
        Run(path).people()


def test_grids_add_up_presence_and_outage(tmp_path: Path) -> None:
    with make_recorder(tmp_path / "run") as recorder:
        recorder.set_blockers(("person-0001", "person-0002"), (("trunk",),) * 2, ("picker",) * 2)
        for k in range(10):
            recorder.add_ticks(**tick(k * 100_000))
            people = np.array([[10.2, 5.7], [10.9, 5.1], [20.0, 3.0], [-1.0, 3.0]])
            recorder.add_people(k * 100_000, people, np.array([True, True, False, True]))
        recorder.close(simulated_s=1.0)
    grids = Run(tmp_path / "run").grids()
    assert grids["people_s"].shape == (40, 60)
    assert grids["people_s"][5, 10] == pytest.approx(2.0)
    assert grids["people_s"].sum() == pytest.approx(2.0)
    assert grids["device_s"][2, 1] == pytest.approx(1.0)
    assert grids["outage_s"][2, 1] == pytest.approx(0.5)
    assert grids["outage_s"].sum() == pytest.approx(0.5)


def test_a_device_outside_the_hall_is_recorded_but_not_mapped(tmp_path: Path) -> None:
    with make_recorder(tmp_path / "run") as recorder:
        recorder.set_blockers(("person-0001", "person-0002"), (("trunk",),) * 2, ("picker",) * 2)
        recorder.add_ticks(**tick(0, position_m=np.array([[np.nan, np.nan, np.nan], [5.0, 5.0, 1.0]])))
        recorder.close()
    run = Run(tmp_path / "run")
    assert np.isnan(run.ticks()["x_m"].iloc[0])
    assert run.grids()["device_s"].sum() == pytest.approx(0.1)
    assert run.grids()["outage_s"].sum() == 0.0


def test_wrong_calls_say_what_would_be_right(tmp_path: Path) -> None:
    with make_recorder(tmp_path / "run") as recorder:
        recorder.set_blockers(("person-0001", "person-0002"), (("trunk",),) * 2, ("picker",) * 2)
        recorder.add_ticks(**tick(200_000))
        with pytest.raises(ValueError, match="record instants in order"):
            recorder.add_ticks(**tick(200_000))
        with pytest.raises(ValueError, match="unknown kind of event 'packet_gone'; known are packet_lost"):
            recorder.add_event(0, "packet_gone")
        with pytest.raises(ValueError, match="give one of each per blocker"):
            recorder.set_blockers(("person-0001",), (), ("picker",))
        recorder.close()
        with pytest.raises(RunFolderError, match="closed already"):
            recorder.close()


def test_json_knows_no_nan_and_sorts_its_keys(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": np.float64("nan"), "a": (np.int64(1), float("inf")), "c": np.array([0.5])})
    text = (tmp_path / "a.json").read_text()
    assert text.index('"a"') < text.index('"b"') < text.index('"c"')
    assert json.loads(text) == {"a": [1, None], "b": None, "c": [0.5]}
