"""Half an hour in the default hall: nobody in a box, nobody stuck, nobody run over; and who gives way to whom."""

from __future__ import annotations

import numpy as np
import pytest
from humans_hall import TICK_US, aisle_machines, assembly_hall, assembly_people, clearance_m, floor_with, run

from humans.config import PeopleConfig
from humans.sources import create_crowd
from humans.types import ACTIVITIES, Occupancy, WalkSpace

_LOOK_US = 100_000
_DWELLING = tuple(ACTIVITIES.index(a) for a in ("work", "break"))


class _Watch:
    """What the worst moments of a run were."""

    def __init__(self, space: WalkSpace, n: int) -> None:
        self.space = space
        self.clearance_m = self.machine_gap_m = self.nearest_m = np.inf
        self.too_near_s = self.stuck_s = 0.0
        self._near_s: np.ndarray = np.zeros((n, n))
        self._still_s: np.ndarray = np.zeros(n)
        self._anchor_m: np.ndarray = np.full((n, 2), np.inf)
        self.travelled_m: np.ndarray = np.zeros(n)
        self._last_m: np.ndarray | None = None

    def look(self, position: np.ndarray, dwelling: np.ndarray, machines: Occupancy) -> None:
        seconds = _LOOK_US * 1e-6
        self.clearance_m = min(self.clearance_m, clearance_m(self.space, position))
        apart = np.hypot(*(position[:, None] - position[None]).transpose(2, 0, 1)) + 9.0 * np.eye(len(position))
        self.nearest_m = min(self.nearest_m, apart.min())
        self._near_s = np.where(apart < 0.3, self._near_s + seconds, 0.0)
        self.too_near_s = max(self.too_near_s, self._near_s.max())
        if len(machines.radius_m):
            gap = np.hypot(*(position[:, None] - machines.position_m[None]).transpose(2, 0, 1)) - machines.radius_m
            self.machine_gap_m = min(self.machine_gap_m, gap.min())
        free = dwelling | (np.hypot(*(position - self._anchor_m).T) > 1.0)
        self._anchor_m[free] = position[free]
        self._still_s = np.where(free, 0.0, self._still_s + seconds)
        self.stuck_s = max(self.stuck_s, self._still_s.max())
        if self._last_m is not None:
            self.travelled_m += np.hypot(*(position - self._last_m).T)
        self._last_m = position


def _shift(people: int, minutes: float, machines: bool, seed: int) -> _Watch:
    space = assembly_hall()
    crowd = create_crowd(assembly_people(count=people), space, np.random.default_rng(seed), None)
    watch = _Watch(space, people)
    dwelling = np.zeros(people, bool)
    for now in range(TICK_US, round(minutes * 60e6) + 1, TICK_US):
        occupancy = aisle_machines(now) if machines else Occupancy.empty()
        crowd.step(now, TICK_US, occupancy)
        if now % _LOOK_US == 0:
            state = crowd.state()
            # A gesture hides whether somebody dwells, so the last answer stands meanwhile.
            plain = state.activity < ACTIVITIES.index("reach")
            plain |= state.activity == ACTIVITIES.index("break")
            dwelling = np.where(plain, np.isin(state.activity, _DWELLING), dwelling)
            watch.look(state.position_m, dwelling, occupancy)
    return watch


@pytest.mark.parametrize("machines", [False, True], ids=["alone", "among-agvs"])
def test_half_an_hour_of_sixteen_people(machines: bool) -> None:
    watch = _shift(16, 30.0, machines, seed=1)
    assert watch.clearance_m > 0.27  # half a trunk, and not in a box or wall
    assert watch.stuck_s < 60.0
    assert watch.too_near_s <= 0.2
    assert (watch.travelled_m > 100.0).all()
    if machines:
        assert watch.machine_gap_m > 0.1  # blind AGVs of 0.72 m radius: everybody made way


def test_sixty_people_among_blind_machines_neither_jam_nor_merge() -> None:
    watch = _shift(60, 5.0, True, seed=2)
    assert watch.clearance_m > 0.27
    assert watch.stuck_s < 60.0
    assert watch.too_near_s <= 0.2


def _walker(space: WalkSpace, start: tuple[float, float], goal: tuple[float, float], seed: int = 0) -> PeopleConfig:
    """One person on the way from ``start`` to a station at ``goal``."""
    return PeopleConfig.model_validate(
        {
            "count": 1,
            "panels": 0,
            "start": [start],
            "stations": [{"name": "there", "position_m": goal, "kind": "desk"}],
            "roles": [{"name": "walker", "share": 1, "stations": ["desk"], "speed_mean_mps": 1.2, "speed_sd_mps": 0}],
        }
    )


@pytest.mark.parametrize("lag_s", [-1.5, -0.8, -0.2, 0.4, 1.0])
def test_a_walker_lets_a_crossing_machine_pass(lag_s: float) -> None:
    space = floor_with((20, 20), [])
    crowd = create_crowd(_walker(space, (10, 4), (10, 16)), space, np.random.default_rng(0), None)
    gap = np.inf
    for now in range(TICK_US, 14_000_000, TICK_US):
        # Without anybody's yielding both would be at (10, 10) about the same time.
        x = 10.0 + 1.5 * (now * 1e-6 - 5.8 - lag_s)
        crowd.step(now, TICK_US, Occupancy(np.array([[x, 10.0]]), np.array([[1.5, 0.0]]), np.array([0.7])))
        gap = min(gap, float(np.hypot(*(crowd.state().position_m[0] - (x, 10.0)))))
    assert gap > 0.7 + 0.25
    assert np.hypot(*(crowd.state().position_m[0] - (10, 16))) < 0.3  # and then goes on


@pytest.mark.parametrize("direction", [-1.0, 1.0], ids=["oncoming", "from-behind"])
def test_a_walker_steps_out_of_a_machines_lane(direction: float) -> None:
    space = floor_with((40, 6), [])
    crowd = create_crowd(_walker(space, (4, 3), (36, 3)), space, np.random.default_rng(0), None)
    gap, headings = np.inf, []
    for now in range(TICK_US, 25_000_000, TICK_US):
        x = (0.0 if direction > 0 else 36.0) + direction * 1.6 * now * 1e-6
        crowd.step(now, TICK_US, Occupancy(np.array([[x, 3.0]]), np.array([[direction * 1.6, 0.0]]), np.array([0.7])))
        state = crowd.state()
        gap = min(gap, float(np.hypot(*(state.position_m[0] - (x, 3.0)))))
        if now > 2_000_000:
            headings.append(np.cos(state.heading_rad[0]))
    assert gap > 0.7 + 0.15
    assert state.position_m[0, 0] > 20.0  # nobody is chased back
    assert min(headings) > -0.2  # and nobody turns on the spot


def test_who_stands_in_a_lane_steps_aside_and_comes_back() -> None:
    space = floor_with((20, 20), [])
    crowd = create_crowd(_walker(space, (10, 10), (10, 10)), space, np.random.default_rng(0), None)
    begun = run(crowd, 2.0)
    gap = np.inf
    for now in range(begun + TICK_US, 10_000_000, TICK_US):
        x = 1.5 * now * 1e-6
        crowd.step(now, TICK_US, Occupancy(np.array([[x, 10.0]]), np.array([[1.5, 0.0]]), np.array([0.7])))
        gap = min(gap, float(np.hypot(*(crowd.state().position_m[0] - (x, 10.0)))))
    assert gap > 0.7 + 0.1
    run(crowd, 6.0, from_us=now)
    assert np.hypot(*(crowd.state().position_m[0] - (10, 10))) < 0.3


def test_a_walker_goes_round_a_machine_that_stands() -> None:
    space = floor_with((20, 20), [])
    crowd = create_crowd(_walker(space, (4, 10), (16, 10)), space, np.random.default_rng(0), None)
    machine = Occupancy(np.array([[10.0, 10.0]]), np.zeros((1, 2)), np.array([0.7]))
    gap = np.inf
    for now in range(TICK_US, 20_000_000, TICK_US):
        crowd.step(now, TICK_US, machine)
        gap = min(gap, float(np.hypot(*(crowd.state().position_m[0] - (10, 10)))))
    assert gap > 0.7 + 0.1
    assert np.hypot(*(crowd.state().position_m[0] - (16, 10))) < 0.3


def test_people_who_meet_in_an_aisle_pass_each_other() -> None:
    space = floor_with((24, 2.4), [])
    config = PeopleConfig.model_validate(
        {
            "count": 2,
            "panels": 0,
            "start": [(2, 1.2), (22, 1.2)],
            "stations": [
                {"name": "east", "position_m": (22, 1.2), "kind": "desk"},
                {"name": "west", "position_m": (2, 1.2), "kind": "rack"},
            ],
            "roles": [
                {"name": "eastwards", "share": 0.5, "stations": ["desk"]},
                {"name": "westwards", "share": 0.5, "stations": ["rack"]},
            ],
        }
    )
    crowd = create_crowd(config, space, np.random.default_rng(5), None)
    apart = np.inf
    for now in range(TICK_US, 40_000_000, TICK_US):
        crowd.step(now, TICK_US, Occupancy.empty())
        place = crowd.state().position_m
        apart = min(apart, float(np.hypot(*(place[0] - place[1]))))
    assert apart > 0.4
    assert place[0, 0] > 20.0
    assert place[1, 0] < 4.0


def test_walkers_face_where_they_walk_and_turn_without_spinning() -> None:
    space = assembly_hall()
    crowd = create_crowd(assembly_people(), space, np.random.default_rng(4), None)
    sideways = walked = 0
    before, fastest = crowd.state().heading_rad, 0.0
    for now in range(TICK_US, 240_000_000, TICK_US):
        crowd.step(now, TICK_US, aisle_machines(now))
        state = crowd.state()
        turned = (state.heading_rad - before + np.pi) % (2 * np.pi) - np.pi
        fastest, before = max(fastest, float(np.abs(turned).max()) / (TICK_US * 1e-6)), state.heading_rad
        pace = np.hypot(*state.velocity_mps.T)
        ahead = np.cos(state.heading_rad) * state.velocity_mps[:, 0] + np.sin(state.heading_rad) * state.velocity_mps[:, 1]
        walked += int((pace > 0.4).sum())
        sideways += int((ahead[pace > 0.4] < 0.5 * pace[pace > 0.4]).sum())
    assert fastest < 4.1  # rad/s
    assert walked > 20_000
    assert sideways < 0.01 * walked
