"""People on shifts in a small hall: they come through the gate, work, rest, hand over, tire and leave."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from humans_hall import clearance_m
from humans_shifts import shift_hall, shift_people

from humans.shift_crowd import ShiftCrowd
from humans.sources import create_crowd
from humans.types import ACTIVITIES, Occupancy, PeopleState

_TICK_US = 20_000
_BREAK, _STAND, _KNEEL = (ACTIVITIES.index(a) for a in ("break", "stand", "kneel"))


def _crowd(seed: int = 1, shift: dict[str, Any] | None = None, crew: dict[str, Any] | None = None, **changes: Any) -> ShiftCrowd:
    crowd = create_crowd(shift_people(shift, crew, **changes), shift_hall(), np.random.default_rng(seed), None)
    assert isinstance(crowd, ShiftCrowd)
    return crowd


def _watch(crowd: ShiftCrowd, minutes: float, occupancy: Occupancy | None = None, every_us: int = 200_000) -> list[PeopleState]:
    """Let people go on from the beginning and return what was seen."""
    seen = [crowd.state()]
    for now in range(_TICK_US, round(minutes * 60e6) + 1, _TICK_US):
        crowd.step(now, _TICK_US, occupancy or Occupancy.empty())
        if now % every_us == 0:
            seen.append(crowd.state())
    return seen


def test_a_shift_from_the_gate_and_back() -> None:
    crowd = _crowd()
    gate, coffee = np.array([1.0, 6.0]), np.array([4.0, 10.0])
    states = _watch(crowd, 34.0)
    present = np.array([s.present for s in states])
    assert not present[0].any()
    assert present[5 * 180 : 5 * 1800].all()  # from 06:01 until 06:28
    assert not present[-1].any()  # out of the hall three and a half minutes after the end
    for person in range(2):
        came, left = np.flatnonzero(np.diff(present[:, person]))
        assert np.hypot(*(states[came + 1].position_m[person] - gate)) < 2.5
        assert np.hypot(*(states[left].position_m[person] - gate)) < 2.5
        assert states[left].time_us > 32 * 60e6  # not before the shift is over
    middle = [s for s in states if 13.5 * 60e6 < s.time_us < 16.9 * 60e6]
    assert all((s.activity == _BREAK).all() for s in middle)
    assert all((np.hypot(*(s.position_m - coffee).T) < 4.0).all() for s in middle)
    bench = np.concatenate([s.position_m for s in states if 5 * 60e6 < s.time_us < 11 * 60e6])
    assert (bench[:, 1] < 5.0).mean() > 0.6  # assembling is done at benches


def test_who_is_not_there_is_in_nobodys_way_and_does_not_move() -> None:
    crowd = _crowd(crew={"people": 6, "early_sd_min": 2})
    before = crowd.state()
    for state in _watch(crowd, 4.0):
        gone = ~state.present
        still = gone & ~before.present
        assert np.array_equal(state.position_m[still], before.position_m[still])
        assert not state.velocity_mps[gone].any()
        assert (state.activity[gone] == _STAND).all()
        place = state.position_m[state.present]
        if len(place) > 1:
            apart = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1)) + 9 * np.eye(len(place))
            assert apart.min() > 0.4
        if len(place):
            assert clearance_m(shift_hall(), place) > 0.27
        assert np.hypot(*state.tracked_velocity_mps.T).max() < 2.5  # nobody flies in from another place
        before = state
    assert before.present.sum() >= 4


def test_the_same_seed_gives_the_same_shift() -> None:
    crew = {"people": 5, "sick_share": 0.2, "early_sd_min": 1}
    one, same, other = (_watch(_crowd(seed, crew=crew), 4.0)[-1] for seed in (3, 3, 4))
    assert np.array_equal(one.position_m, same.position_m)
    assert np.array_equal(one.capsule_a, same.capsule_a)
    assert one.pseudonym == same.pseudonym
    assert one.position_m.shape != other.position_m.shape or not np.array_equal(one.position_m, other.position_m)


def test_a_machine_in_the_gate_keeps_people_outside() -> None:
    machine = Occupancy(np.array([[1.5, 6.0]]), np.zeros((1, 2)), np.array([4.2]))
    crowd = _crowd()
    assert not any(s.present.any() for s in _watch(crowd, 3.0, machine))
    for now in range(round(3 * 60e6) + _TICK_US, round(3.2 * 60e6), _TICK_US):
        crowd.step(now, _TICK_US, Occupancy.empty())
    assert crowd.state().present.all()


def test_a_panel_goes_from_the_old_crew_to_the_new_one() -> None:
    late = {"name": "late", "role": "operator", "people": 1, "starts_at": "06:05", "ends_at": "06:30", "early_mean_min": 1,
            "early_sd_min": 0.1}  # fmt: skip
    early = {"name": "early", "role": "operator", "people": 1, "starts_at": "05:00", "ends_at": "06:06", "relieved_by": "late",
             "handover_min": 2}  # fmt: skip
    states = _watch(_crowd(shift={"crews": [early, late]}), 12.0)
    assert states[0].present.tolist() == [True, False]
    assert states[0].panel_holder.tolist() == [0]
    together = [s for s in states if 8.6 * 60e6 < s.time_us < 8.95 * 60e6]
    assert all(np.hypot(*(s.position_m[0] - s.position_m[1])) < 2.5 for s in together)
    assert all((s.activity == _STAND).all() for s in together)
    assert states[-1].present.tolist() == [False, True]
    assert states[-1].panel_holder.tolist() == [1]
    jump = max(float(np.hypot(*(b.panel_position_m[0, :2] - a.panel_position_m[0, :2]))) for a, b in pairwise(states))
    assert jump < 2.5  # handed over, not thrown


def test_who_comes_in_takes_the_panel_that_was_left_at_the_gate() -> None:
    late = {"name": "late", "role": "operator", "people": 1, "starts_at": "06:08", "ends_at": "06:30", "early_mean_min": 0,
            "early_sd_min": 0}  # fmt: skip
    early = {"name": "early", "role": "operator", "people": 1, "starts_at": "05:00", "ends_at": "06:02"}
    states = _watch(_crowd(shift={"crews": [early, late]}), 11.0)
    assert states[-1].panel_holder.tolist() == [1]
    between = next(s for s in states if s.time_us > 9 * 60e6)
    assert not between.present.any()
    assert np.hypot(*(between.panel_position_m[0, :2] - (1.0, 6.0))) < 2.5


def test_visitors_are_shown_round_together_and_a_cleaner_goes_in_order() -> None:
    shift = {
        "crews": [{"name": "cleaning", "role": "cleaner", "people": 1, "starts_at": "05:30", "ends_at": "07:00",
                   "tasks": ["sweep"], "breaks": []}],
        "visitors": [{"name": "tour", "role": "visitor", "groups_per_h": {"6": 20}, "group_size_mean": 4,
                      "guide_role": "picker"}],
    }  # fmt: skip
    crowd = _crowd(shift=shift, panels=0)
    plan = crowd.plan
    group = np.flatnonzero(plan.start_us[plan.first[1:-1]] == plan.start_us[plan.first[1]]) + 1
    assert len(group) >= 3
    begins = int(plan.start_us[plan.first[1]])
    states = _watch(crowd, begins / 60e6 + 8.0, every_us=1_000_000)
    tour = [s for s in states if s.time_us > begins + 60e6 and s.present[group].all()]
    assert len(tour) > 120
    spread = [np.hypot(*(s.position_m[group] - s.position_m[group].mean(axis=0)).T).mean() for s in tour]
    assert np.median(spread) < 2.0
    stops = [(8.0, 2.0), (8.0, 10.0), (14.0, 10.0)]
    visited = [k for s in states for k, p in enumerate(stops) if np.hypot(*(s.position_m[0] - p)) < 0.4]
    order = [visited[0], *(b for a, b in pairwise(visited) if a != b)]
    assert len(order) >= 5
    assert all((b - a) % 3 == 1 for a, b in pairwise(order))


def test_a_task_sets_gestures_and_boxes() -> None:
    tasks = [{"name": "haul", "stations": ["bay-1", "bay-2"], "duration_mean_s": 8, "kneel_per_min": 6, "reach_per_min": 0,
              "carries": True}]  # fmt: skip
    crew = {"tasks": ["haul"], "starts_at": "05:00", "ends_at": "07:00", "breaks": []}
    states = _watch(_crowd(shift={"tasks": tasks}, crew=crew, panels=0), 6.0)
    activity = np.array([s.activity for s in states])
    assert (activity == _KNEEL).any()
    assert not (activity == ACTIVITIES.index("reach")).any()
    for before, after in pairwise(states):
        kneels = (before.activity == _KNEEL) & (after.activity == _KNEEL)
        assert np.hypot(*(after.position_m - before.position_m)[kneels].T).max(initial=0.0) < 0.12  # nobody walks on a knee


def test_nobody_turns_away_on_a_knee_when_the_shift_ends() -> None:
    tasks = [{"name": "fix", "stations": ["bay-1"], "duration_mean_s": 3000, "duration_cv": 0, "kneel_per_min": 10}]
    crew = {"tasks": ["fix"], "starts_at": "05:00", "ends_at": "06:01", "people": 3, "breaks": []}
    states = _watch(_crowd(shift={"tasks": tasks}, crew=crew, panels=0), 6.0)
    kneeling = [s for s in states if (s.present & (s.activity == _KNEEL)).any()]
    assert kneeling
    speeds = [np.hypot(*s.velocity_mps[s.present & (s.activity == _KNEEL)].T).max() for s in kneeling]
    assert np.quantile(speeds, 0.95) < 0.4
    assert not states[-1].present.any()


def test_the_person_twin_slows_people_down_and_is_off_by_default() -> None:
    assert _crowd().person_estimates() is None
    tasks = [{"name": "haul", "stations": ["bay-1", "bay-2"], "duration_mean_s": 20, "effort": 0.4,
              "lift": {"load_kg": 20, "from_m": 0.2, "to_m": 1.2, "per_min": 3}}]  # fmt: skip
    crew = {"tasks": ["haul"], "starts_at": "05:00", "ends_at": "07:00", "breaks": [], "people": 3}
    twin = {"enabled": True, "tiring_per_h": 5, "recovery_per_h": 0, "endurance_cv": 0}
    crowd = _crowd(shift={"tasks": tasks}, crew=crew, person_twin=twin, panels=0)
    rested = _crowd(shift={"tasks": tasks}, crew=crew, panels=0)
    states, fresh = _watch(crowd, 15.0), _watch(rested, 15.0)
    told = crowd.person_estimates()
    assert told is not None
    assert told.pseudonym == tuple(np.array(states[-1].pseudonym)[states[-1].present])
    assert told.role == ("operator",) * 3
    assert set(told.task) <= {"haul", ""}
    assert told.general_fatigue == pytest.approx(np.full(3, 1 - np.exp(-5 * 0.25)), rel=0.01)
    assert (told.pace < 0.91).all()
    assert (told.muscle_fatigue > 0.02).all()
    assert told.lifting_index[told.lifting_index > 0].min() > 1.0

    def walking_mps(seen: list[PeopleState]) -> float:
        speed = np.concatenate([np.hypot(*s.velocity_mps.T) for s in seen if s.time_us > 8 * 60e6])
        return float(np.median(speed[speed > 0.6]))

    assert walking_mps(states) < 0.96 * walking_mps(fresh)


def test_a_hall_that_nobody_comes_to() -> None:
    crowd = _crowd(shift={"starts_at": "12:00"})
    assert crowd.n == 0
    assert _watch(crowd, 0.1)[-1].position_m.shape == (0, 2)
