"""Recorded people: read with errors that point at the spot, placed into the hall, and walking as they were recorded."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from humans_hall import assembly_hall, assembly_people, floor_with, recording

from humans.config import PeopleConfig
from humans.floor import box_distance_m
from humans.recording import read_tracks
from humans.replay import ReplayCrowd, ReplayError
from humans.sources import create_crowd
from humans.types import Occupancy, WalkSpace

_NOBODY = Occupancy.empty()
_TWO = "t,id,x,y\n" + "".join(f"{t},{i},{v * t + 1},{2 + 3 * i}\n" for t in (0, 1, 2, 3, 4) for i, v in ((0, 1.0), (1, 0.5)))


def _write(folder: Path, text: str | bytes, name: str = "tracks.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def _replay(path: Path, space: WalkSpace | None = None, **options: object) -> ReplayCrowd:
    config = PeopleConfig.model_validate({"replay": str(path), **options})
    crowd = create_crowd(config, space or floor_with((20, 20), []), np.random.default_rng(1), None)
    assert isinstance(crowd, ReplayCrowd)
    return crowd


def _at_origin(path: Path, space: WalkSpace | None = None, **options: object) -> ReplayCrowd:
    return _replay(path, space, replay_offset_m=(0, 0), replay_yaw_deg=0, **options)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"tracks\.csv:1:1: the file is empty"),
        ("\n\n", r"tracks\.csv:1:1: the file is empty"),
        ("t,id,x,y\n", r"tracks\.csv:1:1: no tracks"),
        ("t,id,x\n0,1,2\n", r"tracks\.csv:1:1: no column 'y' among t, id, x; t \[s\], id, x, y \[m\] are needed"),
        ("t,id,x,y\n0,1,2,3\n1,1,oops,3\n", r"tracks\.csv:3:3: x is 'oops', wanted a number"),
        ("t,id,x,y\n0,1,2,3\n1,1,2,nan\n", r"tracks\.csv:3:4: y is nan, wanted a finite number"),
        ("t,id,x,y\n0,1,2,3\ninf,1,2,3\n", r"tracks\.csv:3:1: t is inf, wanted a finite number"),
        ("note,t,id,x,y\nq,0,1,2,3\nq,,1,2,3\n", r"tracks\.csv:3:2: t is '', wanted a number"),
        ("t,id,x,y\n0,,2,3\n", r"tracks\.csv:2:2: id is empty"),
        ("t,id,x,y\n0,1,2,3\n1,1,2\n", r"tracks\.csv:3:1: 3 values, the header names 4 columns"),
        ("t,id,x,y\n1,7,2,3\n0,8,2,3\n0.5,7,2,3\n", r"tracks\.csv:4:1: t 0\.5 of track 7 does not follow 1; times must grow"),
        ("t,id,x,y\n1,7,2,3\n1,7,2,3\n", r"tracks\.csv:3:1: t 1 of track 7 does not follow 1"),
        ("t,id,x,y\n1,7,2,3\n1,8,2,3\n", r"tracks\.csv: every track has a single point"),
        (b"\xff\xfe\x00binary\x80", r"tracks\.csv: not a text file"),
        ("t,id,x,y\n0,1,2," + "9" * 200_000 + "\n", r"tracks\.csv:2:1: not a CSV \(field larger"),
    ],
    ids="empty blank header-only column word nan inf gap id short back twice points binary huge".split(),
)
def test_what_is_wrong_with_a_recording_is_said_with_its_place(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(ReplayError, match=said):
        _replay(_write(tmp_path, text))


def test_a_recording_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"nothing\.csv: no such file; give a CSV with the columns t, id, x, y"):
        _replay(tmp_path / "nothing.csv")
    with pytest.raises(ReplayError, match="cannot be read"):
        _replay(tmp_path)
    assert issubclass(ReplayError, ValueError)


def test_a_relative_path_starts_from_the_given_folder(tmp_path: Path) -> None:
    _write(tmp_path, _TWO)
    crowd = create_crowd(PeopleConfig(replay="tracks.csv"), floor_with((20, 20), []), np.random.default_rng(0), tmp_path)
    assert crowd.n == 2


def test_other_columns_orders_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    plain = read_tracks(_write(tmp_path, _TWO))
    lines = [line.split(",") for line in _TWO.split()]
    mixed = "\ufeff" + "".join(f" {y} ,q,{x},{t},{i}\n" for t, i, x, y in lines)
    again = read_tracks(_write(tmp_path, mixed, "mixed.csv"))
    for a, b in zip(plain, again, strict=True):
        np.testing.assert_array_equal(a.xy_m, b.xy_m)


def test_people_walk_as_recorded_between_the_recorded_points(tmp_path: Path) -> None:
    crowd = _at_origin(_write(tmp_path, _TWO), panels=1)
    for now in range(10_000, 3_500_000, 10_000):
        crowd.step(now, 10_000, _NOBODY)
    state = crowd.state()
    assert state.present.all()
    np.testing.assert_allclose(state.position_m, [[1 + 3.49, 2], [1 + 0.5 * 3.49, 5]], atol=1e-6)
    np.testing.assert_allclose(state.velocity_mps, [[1, 0], [0.5, 0]], atol=1e-6)
    np.testing.assert_allclose(state.tracked_velocity_mps, [[1, 0], [0.5, 0]], atol=1e-6)
    np.testing.assert_allclose(state.heading_rad, 0.0, atol=1e-3)
    assert state.panel_position_m.shape == (1, 3)
    assert crowd.dropped_fraction == 0.0


def test_scale_yaw_and_offset_move_the_recording(tmp_path: Path) -> None:
    path = _write(tmp_path, "t,id,x,y\n0,1,1000,0\n2,1,3000,0\n4,1,5000,0\n")
    crowd = _replay(path, replay_scale=0.001, replay_yaw_deg=90, replay_offset_m=(5, 6))
    crowd.step(2_000_000, 10_000, _NOBODY)
    np.testing.assert_allclose(crowd.state().position_m, [[5, 9]], atol=1e-9)


def test_slots_are_as_many_as_people_at_once_and_are_used_again(tmp_path: Path) -> None:
    rows = "t,id,x,y\n"
    for i, begin in enumerate((0, 1, 6, 8)):  # 0 and 1 overlap, 2 and 3 come later
        rows += "".join(f"{begin + t},{i},{3 + t},{3 + i}\n" for t in range(5))
    crowd = _at_origin(_write(tmp_path, rows))
    assert crowd.n == 2
    counts = {}
    for now in range(0, 12_000_000, 500_000):
        crowd.step(now, 500_000, _NOBODY)
        counts[now / 1e6] = int(crowd.state().present.sum())
    assert (counts[0.5], counts[2.5], counts[5.5], counts[7.0], counts[9.0], counts[11.5]) == (1, 2, 0, 1, 2, 1)


def test_whoever_takes_over_a_slot_has_no_speed_from_the_one_before(tmp_path: Path) -> None:
    rows = "t,id,x,y\n" + "".join(f"{t},a,2,{3 + 0 * t}\n" for t in range(4)) + "".join(f"{t},b,18,15\n" for t in range(5, 9))
    crowd = _at_origin(_write(tmp_path, rows))
    assert crowd.n == 1
    for now in range(10_000, 8_000_000, 10_000):
        crowd.step(now, 10_000, _NOBODY)
        assert np.abs(crowd.state().tracked_velocity_mps).max() < 1e-9


def test_a_recording_begins_again_or_ends(tmp_path: Path) -> None:
    path = _write(tmp_path, _TWO)
    looped, once = _at_origin(path), _at_origin(path, replay_loop=False)
    fastest = 0.0
    for now in range(10_000, 6_000_000, 10_000):
        looped.step(now, 10_000, _NOBODY)
        once.step(now, 10_000, _NOBODY)
        fastest = max(fastest, float(np.abs(looped.state().tracked_velocity_mps).max()))
    assert looped.state().present.all()
    np.testing.assert_allclose(looped.state().position_m[0], [1 + 1.99, 2], atol=1e-6)
    assert fastest < 1.0 + 1e-6  # the leap back is nobody's walk
    assert not once.state().present.any()
    assert np.isfinite(once.state().capsule_a).all()


def test_people_inside_boxes_are_not_present_and_counted(tmp_path: Path) -> None:
    path = _write(tmp_path, "t,id,x,y\n" + "".join(f"{t},1,{2 + t},5\n" for t in range(11)))
    space = floor_with((20, 10), [(7, 5, 2, 2, 0)])
    crowd = _at_origin(path, space)
    assert crowd.dropped_fraction == pytest.approx(0.21, abs=0.02)
    for now in range(10_000, 10_000_000, 10_000):
        crowd.step(now, 10_000, _NOBODY)
        state = crowd.state()
        if state.present[0]:
            assert box_distance_m(space, state.position_m)[0, 0] > 0.0
        assert bool(state.present[0]) or 3.5 < now * 1e-6 < 6.5


def test_without_an_offset_the_recording_is_placed_where_fewest_meet_boxes(tmp_path: Path) -> None:
    path = _write(tmp_path, "t,id,x,y\n" + "".join(f"{t},1,{2 + t},5\n" for t in range(11)))
    space = floor_with((20, 10), [(10, 5, 8, 3, 0)])
    crowd = _replay(path, space)
    assert crowd.dropped_fraction == 0.0
    again = _replay(path, space)
    np.testing.assert_array_equal(crowd.offset_m, again.offset_m)


def _recorded(path: Path) -> dict[str, np.ndarray]:
    tracks: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            tracks[row["id"]].append((float(row["t"]), float(row["x"]), float(row["y"])))
    return {name: np.array(points) for name, points in tracks.items()}


@pytest.mark.recorded
@pytest.mark.parametrize(("name", "median_m", "p99_m"), [("univ.csv", 0.03, 0.25), ("hermes_uni.csv", 0.02, 0.08)])
def test_recorded_positions_are_reproduced(name: str, median_m: float, p99_m: float) -> None:
    path = recording(name)
    crowd = _replay(path, assembly_hall(), **assembly_people().model_dump(exclude={"replay"}))
    assert crowd.dropped_fraction < 0.01
    tracks = _recorded(path)
    start = min(points[0, 0] for points in tracks.values())
    c, s = math.cos(crowd.yaw_rad), math.sin(crowd.yaw_rad)
    turn = np.array([[c, s], [-s, c]])
    at_once: dict[float, int] = defaultdict(int)
    errors, most = [], 0
    for now in range(0, 40_000_000, 20_000):
        crowd.step(now, 20_000, _NOBODY)
        if now % 1_000_000:
            continue
        state = crowd.state()
        places = state.position_m[state.present]
        most = max(most, int(state.present.sum()))
        t = now * 1e-6 + start
        here = [p for p in tracks.values() if p[0, 0] + 0.05 < t < p[-1, 0] - 0.05 and np.diff(p[:, 0]).max() < 2.0]
        at_once[t] = len(here)
        for points in here:
            wanted = np.array([np.interp(t, points[:, 0], points[:, k]) for k in (1, 2)]) @ turn + crowd.offset_m
            errors.append(float(np.hypot(*(places - wanted).T).min()))
    assert len(errors) > 500
    assert np.median(errors) < median_m
    assert np.percentile(errors, 99) < p99_m
    assert most >= max(at_once.values())
    assert crowd.n >= most


@pytest.mark.recorded
@pytest.mark.parametrize("name", ["univ.csv", "hermes_uni.csv"])
def test_recorded_people_move_as_people_do(name: str) -> None:
    crowd = _replay(recording(name), assembly_hall())
    before, pace, turns = crowd.state(), [], []
    for now in range(20_000, 30_000_000, 20_000):
        crowd.step(now, 20_000, _NOBODY)
        state = crowd.state()
        both = state.present & before.present
        jump = np.hypot(*(state.position_m - before.position_m).T)  # half a metre in a tick: a slot got its next owner
        pace.extend(jump[both & (jump < 0.5)] / 0.02)
        walking = both & (np.hypot(*state.velocity_mps.T) > 0.5) & (jump < 0.5)
        turns.extend(np.abs((state.heading_rad - before.heading_rad + np.pi) % (2 * np.pi) - np.pi)[walking])
        before = state
    assert 0.5 < np.median(pace) < 1.7
    assert np.percentile(pace, 99.9) < 4.0
    assert np.percentile(turns, 99) < 0.1  # 5 rad/s
