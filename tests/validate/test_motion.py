"""How motion is measured, what is kept of the recorded people, and a piece of the shift that is walked in full elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from factory.validate import motion
from factory.validate.motion_gait import JOINTS_SEEN, angles_of_twin
from factory.validate.motion_soak import kept, nearest_trunks, nearest_wall, segment_gap, soak
from factory.validate.motion_tracks import STEP_S, Walk, kolmogorov_distance, motion_of, read_walks, recorded_file

_RNG = np.random.default_rng(3)


def _walk(xy: np.ndarray, person: int = 1, recording: str = "") -> Walk:
    return Walk(person, "WORKER", recording, STEP_S * np.arange(len(xy)), xy, np.ones(len(xy) - 1, bool))


def test_distances_of_distributions_are_those_of_the_formula() -> None:
    a, b = np.linspace(0, 1, 1001), np.linspace(0.2, 1.2, 1001)
    assert kolmogorov_distance(a, b) == pytest.approx(0.2, abs=2e-3)
    assert kolmogorov_distance(a, a) == 0.0
    assert kolmogorov_distance(a, a + 5) == 1.0
    x, y = _RNG.normal(0, 1, 4000), _RNG.normal(0.5, 1.3, 3000)
    assert motion.distance(motion.sample(x), motion.sample(y)) == pytest.approx(kolmogorov_distance(x, y), abs=0.01)


def test_a_straight_walk_and_a_stay_are_measured_as_they_are() -> None:
    there = np.stack([1.2 * STEP_S * np.arange(20), np.zeros(20)], axis=1)
    stay = np.repeat(there[-1:], 15, axis=0)
    back = there[-1] - 1.0 * STEP_S * np.stack([np.zeros(20), np.arange(1, 21)], axis=1)
    found = motion_of([_walk(np.concatenate([there, stay, back]))])
    assert found.speed_mps == pytest.approx(np.concatenate([np.full(19, 1.2), np.full(20, 1.0)]))
    assert found.stay_s == pytest.approx([15 * STEP_S])
    assert found.turn_radps == pytest.approx(np.zeros(37), abs=1e-9)  # the turn was made standing
    assert sorted(found.acceleration_mps2[[0, -1]]) == pytest.approx([0.0, 0.0], abs=1e-9)
    assert found.acceleration_mps2.min() == pytest.approx(-1.2 / STEP_S)
    circle = 5.0 * np.stack([np.cos(0.08 * np.arange(40)), np.sin(0.08 * np.arange(40))], axis=1)
    assert motion_of([_walk(circle)]).turn_radps == pytest.approx(np.full(38, 0.08 / STEP_S))


def test_stays_cut_by_the_tracks_end_and_lines_of_the_lost_are_left_out() -> None:
    cut = np.concatenate([np.zeros((20, 2)), np.stack([np.arange(1, 6), np.zeros(5)], axis=1)])
    assert len(motion_of([_walk(cut)]).stay_s) == 0
    # 30 steps of 4 cm: somebody lost for 12 s seems to glide by 1.2 m.
    glide = np.cumsum([0.8] * 3 + [0.04] * 30 + [0.8] * 3)
    assert len(motion_of([_walk(np.stack([glide, np.zeros(36)], axis=1))]).stay_s) == 0


def test_distances_are_taken_within_a_recording_only() -> None:
    still = np.zeros((11, 2))
    found = motion_of([_walk(still, 1, "a"), _walk(still + 3.0, 2, "a"), _walk(still + 0.1, 3, "b"), _walk(still, 4)])
    assert found.distance_m == pytest.approx(np.full(3, 3 * np.sqrt(2)))
    assert found.nearest_m == pytest.approx(np.full(6, 3 * np.sqrt(2)))


def test_windows_that_go_on_are_joined_and_interpolated_steps_are_known(tmp_path: Path) -> None:
    rows = ["dataset,t,id,x,y,person,role"]
    for window in range(2):
        for k in range(20):
            t = 1.0 + 8.0 * window + STEP_S * k
            x = 0.3 * (t - 1.0) + (0.05 * np.sin(9 * t) if window == 0 else 0.0)
            rows.append(f"thor,{t:.1f},{window},{x:.3f},2.000,4,WORKER")
    path = tmp_path / "tracks.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    (walk,) = read_walks(path)
    assert (walk.person, walk.role, walk.recording, len(walk.xy_m)) == (4, "WORKER", "1", 40)
    assert walk.measured[:18].all()
    assert not walk.measured[21:].any()


@pytest.mark.recorded
def test_what_is_kept_is_what_the_recordings_say() -> None:
    tracks = recorded_file()
    if tracks is None:
        pytest.skip("no recorded data beside the checkout; set FACTORY_TWIN_SHARED to the folder that holds people/thor_a.csv")
    fresh = motion.summary_of(tracks, tracks.with_name("mocap_walk_joints.csv"))
    old = json.loads(motion.SUMMARY_FILE.read_text(encoding="utf-8"))
    assert fresh["motion"].keys() == old["motion"].keys()
    for group, quantities in fresh["motion"].items():
        for name, part in quantities.items():
            assert part["n"] == old["motion"][group][name]["n"]
            np.testing.assert_allclose(part["quantiles"], old["motion"][group][name]["quantiles"], atol=1e-3)
    for name, curve in fresh["gait"].items():
        np.testing.assert_allclose(curve, old["gait"][name], atol=1e-3)


def test_hips_and_shoulders_swing_as_the_captured_walkers_do() -> None:
    rows = {row.case: row.ours for row in motion.gait_rows()}
    assert rows["hip, root mean square difference over the cycle"] < 8.0  # degrees
    assert rows["shoulder, root mean square difference over the cycle"] < 5.0
    # The capture walks with bent knees and elbows throughout; about their means they move alike.
    assert rows["knee, the same about the mean difference"] < 12.0
    ours, theirs = angles_of_twin(), motion.captured()
    for name in JOINTS_SEEN:
        assert np.corrcoef(ours[name], theirs[name])[0, 1] > 0.85, name


def test_the_kept_shifts_are_whole_and_nothing_went_wrong_in_them() -> None:
    shifts = kept()
    assert sum(shift.hours >= 8.0 for shift in shifts) >= 2
    assert {shift.machines for shift in shifts} == {False, True}
    assert all(row.ok for row in motion.soak_rows())


@pytest.mark.parametrize("seed", [11, 12])
def test_some_minutes_of_such_a_shift(seed: int) -> None:
    roles = [
        {
            "name": "carrier", "share": 1, "stations": ["rack", "desk"], "carry_share": 0.5, "kneel_per_min": 4,
            "reach_per_min": 4, "wave_per_min": 1,
        },
    ]  # fmt: skip
    found = soak(0.05, 16, True, seed, 20_000, roles=roles)
    assert found.nearest_m > 0.3
    assert found.trunk_gap_m > 0.0
    assert found.middle_clearance_m > 0.27
    assert found.trunk_clearance_m > -0.05  # who kneels leans over a bench
    assert found.limb_error_m < 1e-9
    assert found.lowest_m > -1e-9
    assert found.highest_ankle_m < 0.2
    assert found.stuck_s < 60.0
    assert found.walked_km > 0.03


def test_gaps_between_segments_are_those_of_a_search() -> None:
    share = np.linspace(0, 1, 201)
    for _ in range(50):
        a, b, c, d = _RNG.uniform(-1, 1, (4, 3))
        ab, cd = a + share[:, None] * (b - a), c + share[:, None] * (d - c)
        searched = np.linalg.norm(ab[:, None] - cd[None], axis=2).min()
        assert segment_gap(a, b, c, d) == pytest.approx(searched, abs=0.02)
        assert segment_gap(a, b, c, d) <= searched + 1e-9


def test_nearest_people_and_walls_are_found() -> None:
    xy = np.array([[1.0, 1.0], [2.0, 1.0], [2.1, 1.0]])
    a = np.concatenate([xy, np.ones((3, 1))], axis=1)[:, None]
    there, parts = np.array([True, True, False]), np.zeros(1, np.int64)
    near, gap = nearest_trunks(there, xy, a, a + np.array([0.0, 0.0, 0.5]), np.full((3, 1), 0.1), parts)
    assert (near, gap) == (pytest.approx(1.0), pytest.approx(0.8))
    size, box = np.array([10.0, 8.0]), (np.array([[5.0, 4.0]]), np.array([[1.0, 0.5]]), np.array([np.pi / 2]))
    clear = nearest_wall(there, xy[:, None], np.full((3, 1), 0.2), size, *box)
    assert clear == pytest.approx(0.8)
    inside = nearest_wall(np.array([True]), np.array([[[5.2, 4.0]]]), np.zeros((1, 1)), size, *box)
    assert inside == pytest.approx(-0.3)
