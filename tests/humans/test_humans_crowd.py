"""Simulated people: who they are, where they start, what they do, and that a seed gives the same again."""

from __future__ import annotations

import re

import numpy as np
import pytest
from humans_hall import TICK_US, aisle_machines, assembly_hall, assembly_people, clearance_m, floor_with, run
from hypothesis import given, settings
from hypothesis import strategies as st

from humans.config import PeopleConfig, RoleConfig
from humans.crowd import Crowd, share_out
from humans.floor import Floor, box_distance_m
from humans.panels import hold_clear
from humans.pseudonyms import Pseudonyms
from humans.sources import create_crowd
from humans.stations import Stations
from humans.types import ACTIVITIES, PeopleState

_ARRAYS = [name for name in PeopleState.__slots__ if name not in ("time_us", "pseudonym")]


def _crowd(seed: int = 1, **changes: object) -> Crowd:
    crowd = create_crowd(assembly_people(**changes), assembly_hall(), np.random.default_rng(seed), None)
    assert isinstance(crowd, Crowd)
    return crowd


def _after(seed: int, seconds: float) -> PeopleState:
    crowd = _crowd(seed)
    for now in range(TICK_US, round(seconds * 1e6) + 1, TICK_US):
        crowd.step(now, TICK_US, aisle_machines(now))
    return crowd.state()


def test_the_same_seed_gives_the_same_people_bit_by_bit() -> None:
    one, again, other = _after(3, 60.0), _after(3, 60.0), _after(4, 60.0)
    for name in _ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name), err_msg=name)
    assert one.pseudonym == again.pseudonym
    assert not np.array_equal(one.position_m, other.position_m)
    assert not np.array_equal(one.stature_m, other.stature_m)
    assert one.pseudonym != other.pseudonym


def test_shapes_and_the_arrays_that_are_handed_out() -> None:
    crowd = _crowd()
    run(crowd, 1.0)
    state = crowd.state()
    kept = {name: getattr(state, name).copy() for name in _ARRAYS}
    for name, shape in {
        "present": (16,), "position_m": (16, 2), "velocity_mps": (16, 2), "tracked_velocity_mps": (16, 2), "heading_rad": (16,),
        "stature_m": (16,), "capsule_a": (16, 12, 3), "capsule_b": (16, 12, 3), "capsule_radius_m": (16, 12), "activity": (16,),
        "role": (16,), "panel_holder": (3,), "panel_position_m": (3, 3), "goal_m": (16, 2),
    }.items():  # fmt: skip
        assert kept[name].shape == shape, name
    assert len(state.pseudonym) == crowd.n == 16
    run(crowd, 5.0, from_us=state.time_us)
    for name, value in kept.items():
        np.testing.assert_array_equal(getattr(state, name), value, err_msg=f"{name} changed under the reader")


@pytest.mark.parametrize("count", [0, 1, 3, 30, 200])
def test_only_the_count_needs_to_change(count: int) -> None:
    crowd = _crowd(count=count)
    run(crowd, 4.0)
    state = crowd.state()
    assert crowd.n == count == len(state.position_m)
    assert len(state.panel_holder) == min(3, count)
    if count:
        assert clearance_m(assembly_hall(), state.position_m) > 0.27
    if count >= 30:
        shares = np.bincount(state.role, minlength=3) / count
        assert shares == pytest.approx([0.4, 0.4, 0.2], abs=1 / count)
        apart = np.hypot(*(state.position_m[:, None] - state.position_m[None]).transpose(2, 0, 1)) + 9 * np.eye(count)
        assert apart.min() > 0.4


@settings(deadline=None, max_examples=60, derandomize=True)
@given(weights=st.lists(st.integers(1, 20), min_size=1, max_size=6), n=st.integers(0, 300))
def test_roles_keep_their_shares_within_one_person(weights: list[int], n: int) -> None:
    roles = tuple(RoleConfig(name=f"r{k}", share=w / sum(weights), stations=("desk",)) for k, w in enumerate(weights))
    role = share_out(roles, n)
    assert len(role) == n
    exact = np.array([r.share for r in roles]) * n
    assert np.abs(np.bincount(role, minlength=len(roles)) - exact).max() < 1.0


def test_panels_go_to_the_role_that_carries_them() -> None:
    state = _crowd().state()
    names = assembly_people().roles
    assert {names[r].name for r in state.role[state.panel_holder]} == {"supervisor"}
    many = _crowd(panels=10).state()
    assert len(set(many.panel_holder.tolist())) == 10


def test_people_do_everything_there_is_to_do() -> None:
    roles = [role.model_copy(update={"kneel_per_min": 0.5}) for role in assembly_people().roles]
    crowd = _crowd(breaks={"every_min": 3, "for_min": 1}, roles=roles)
    seen: dict[str, int] = dict.fromkeys(ACTIVITIES, 0)
    at_break = []
    for now in range(TICK_US, 600_000_000, TICK_US):
        crowd.step(now, TICK_US, aisle_machines(now))
        if now % 500_000 == 0:
            state = crowd.state()
            for a in state.activity:
                seen[ACTIVITIES[a]] += 1
            at_break.extend(state.position_m[state.activity == ACTIVITIES.index("break")])
    assert all(seen.values()), seen
    # THOR's workers stand more than they walk; these have dwell times of 16 to 60 s and ways of some 20 m.
    assert 0.2 < (seen["walk"] + seen["stand"]) / sum(seen.values()) < 0.7
    places = np.array([s.position_m for s in assembly_people().stations if s.kind == "break"])
    far = np.hypot(*(np.array(at_break)[:, None] - places[None]).transpose(2, 0, 1)).min(axis=1)
    assert far.max() < 4.0


def test_people_walk_about_as_fast_as_recorded_workers() -> None:
    crowd = _crowd(count=60)
    pace = []
    for now in range(TICK_US, 120_000_000, TICK_US):
        crowd.step(now, TICK_US, aisle_machines(0))
        if now % 1_000_000 == 0:
            speed = np.hypot(*crowd.state().velocity_mps.T)
            pace.extend(speed[speed > 0.6])
    assert np.mean(pace) == pytest.approx(1.04, abs=0.1)  # THOR workers, faster than 0.6 m/s
    assert np.std(pace) == pytest.approx(0.20, abs=0.08)


def test_pseudonyms_change_with_every_period_and_are_no_names() -> None:
    names = Pseudonyms(300, 60.0, np.random.default_rng(1))
    first = names.at(0)
    assert names.at(59_999_999) == first
    second = names.at(60_000_000)
    assert len(set(first)) == len(set(second)) == 300
    assert sum(a == b for a, b in zip(first, second, strict=True)) <= 3
    assert all(re.fullmatch(r"person-[0-9a-f]{4}", name) for name in first)
    assert Pseudonyms(300, 60.0, np.random.default_rng(1)).at(60_000_000) == second


def test_goals_are_places_to_stand_of_which_nobody_shares_one() -> None:
    crowd = _crowd(count=60)
    run(crowd, 30.0)
    goal = crowd.state().goal_m
    assert clearance_m(assembly_hall(), goal) > 0.27
    apart = np.hypot(*(goal[:, None] - goal[None]).transpose(2, 0, 1)) + 9 * np.eye(60)
    assert apart.min() > 0.4


def test_without_stations_people_roam() -> None:
    space = floor_with((12, 12), [(6, 6, 4, 2, 30)])
    crowd = create_crowd(PeopleConfig(count=5), space, np.random.default_rng(2), None)
    began = crowd.state().position_m
    run(crowd, 60.0)
    moved = np.hypot(*(crowd.state().position_m - began).T)
    assert (moved > 1.0).any()
    assert clearance_m(space, crowd.state().position_m) > 0.27


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"start": [(3, 20), (44, 12.5)]}, r"start\[1\]: person 2 at \[44.0, 12.5\] m is inside 'rack-b'"),
        ({"start": [(61, 20)]}, r"start\[0\]: person 1 at \[61.0, 20.0\] m is outside the hall of \[60.0, 40.0\] m"),
        (
            {"stations": [{"name": "in", "position_m": (44, 12.5), "kind": "desk"}]},
            r"station 'in' at \[44.0, 12.5\] m is in 'rack-b'",
        ),
        (
            {"stations": [{"name": "by", "position_m": (44, 11.7), "kind": "desk"}]},
            r"station 'by' at \[44.0, 11.7\] m is in 'rack-b' or nearer to it than 0.28 m",
        ),
        (
            {"stations": [{"name": "out", "position_m": (44, -1), "kind": "desk"}]},
            r"station 'out' at \[44.0, -1.0\] m is outside the hall",
        ),
    ],
)
def test_misplaced_starts_and_stations_are_named(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        _crowd(**change)


_PEN = [(5.0, 3.0, 4.4, 0.4, 0.0), (5.0, 7.0, 4.4, 0.4, 0.0), (3.0, 5.0, 0.4, 4.4, 0.0), (7.0, 5.0, 0.4, 4.4, 0.0)]


def test_a_station_behind_boxes_cannot_be_reached() -> None:
    stations = [{"name": "gate", "position_m": (12, 12), "kind": "desk"}, {"name": "pen", "position_m": (5, 5), "kind": "desk"}]
    config = PeopleConfig.model_validate({"count": 1, "stations": stations})
    with pytest.raises(ValueError, match=r"station 'pen' at \[5.0, 5.0\] m cannot be reached from 'gate'"):
        create_crowd(config, floor_with((14, 14), _PEN), np.random.default_rng(0), None)
    config = PeopleConfig.model_validate({"count": 1, "stations": stations[:1], "start": [(5, 5)]})
    with pytest.raises(ValueError, match=r"start\[0\]: person 1 at \[5.0, 5.0\] m cannot reach any station"):
        create_crowd(config, floor_with((14, 14), _PEN), np.random.default_rng(0), None)


def test_a_hall_full_of_boxes_is_refused() -> None:
    with pytest.raises(ValueError, match="no free floor"):
        create_crowd(PeopleConfig(count=1), floor_with((4, 4), [(2, 2, 5, 5, 0)]), np.random.default_rng(0), None)


def test_ways_round_boxes_are_as_long_as_geometry_says() -> None:
    floor = Floor(floor_with((20, 20), [(10, 8, 1, 16, 0)]))  # a wall from the south that leaves 4 m in the north
    goals = floor.cell(np.array([[15.25, 2.25]]))
    distance, ahead = floor.ways_to(goals)
    start = int(floor.cell(np.array([[5.25, 2.25]]))[0])
    corner = np.hypot(4.4, 14.1)
    assert 2 * corner < distance[0, start] < 1.15 * (2 * corner + 1.0)
    assert ahead[0, goals[0]] == -1
    # From every free cell the cells ahead lead to the goal, ever nearer.
    for cell in np.flatnonzero(floor.free)[::7]:
        at, steps = int(cell), 0
        while at != goals[0]:
            nearer = int(ahead[0, at])
            assert distance[0, nearer] < distance[0, at]
            at, steps = nearer, steps + 1
        assert steps < 60


@settings(deadline=None, max_examples=40, derandomize=True)
@given(x=st.floats(3, 9), y=st.floats(3, 9), length=st.floats(0.2, 4), width=st.floats(0.2, 4), yaw=st.floats(-180, 180))
def test_free_cells_keep_clear_of_turned_boxes(x: float, y: float, length: float, width: float, yaw: float) -> None:
    space = floor_with((12, 12), [(x, y, length, width, yaw)])
    floor = Floor(space)
    distance = box_distance_m(space, floor.centre_m)[:, 0]
    inner = np.minimum(floor.centre_m, space.size_m - floor.centre_m).min(axis=1) > 0.3
    np.testing.assert_array_equal(floor.free[inner], distance[inner] >= 0.35)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(yaw=st.floats(-180, 180), angle=st.floats(-3.2, 3.2), gap=st.floats(0.28, 1.0), along=st.floats(-1.0, 1.0))
def test_a_panel_is_never_inside_a_box_or_a_wall(yaw: float, angle: float, gap: float, along: float) -> None:
    space = floor_with((10, 10), [(5, 5, 3, 1, yaw), (0.6, 5, 0.4, 0.4, 0)])
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    beside = np.array([[5 + along * c - (0.5 + gap) * s, 5 + along * s + (0.5 + gap) * c]])
    for position in (beside, np.array([[0.28, 0.5 + gap]])):
        held = position[0] + 0.35 * np.array([np.cos(angle), np.sin(angle)])
        panel = hold_clear(np.array([[*held, 1.1]]), position, np.zeros(1, np.int64), space)
        assert box_distance_m(space, panel[:, :2]).min() > 0.04
        assert (panel[0, :2] > 0.04).all()
        assert np.hypot(*(panel[0, :2] - position[0])) > 0.1  # still in the hands


def test_stations_are_claimed_by_one_person_each_as_long_as_there_are_enough() -> None:
    space = assembly_hall()
    config = assembly_people(count=200)
    rng = np.random.default_rng(0)
    stations = Stations(config, space, Floor(space), rng)
    for person in range(8):
        stations.claim(person, 0, False, rng)
    assert sorted(stations.goal[:8]) == [k for k, s in enumerate(config.stations) if s.kind == "cell"]
    for person in range(8, 200):
        stations.claim(person, person % 3, False, rng)
    spots = np.array([stations.spot(person)[0] for person in range(200)])
    apart = np.hypot(*(spots[:, None] - spots[None]).transpose(2, 0, 1)) + 9 * np.eye(200)
    assert apart.min() > 0.7
    assert clearance_m(space, spots) > 0.28
    for person in range(200):
        stations.claim(person, person % 3, True, rng)
    assert {stations.kind[g] for g in stations.goal} == {"break"}
