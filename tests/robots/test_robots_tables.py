"""The packed fleet: views and arrays are the same memory, kernels agree with plain NumPy, states stand still."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from robot_graphs import NOBODY, config, grid, one_way_hall

from robots.agv import IDLE, ON_CHARGE, TO_PICK, WANT_DROP, WANT_PICK
from robots.books import Books
from robots.fleet import Fleet
from robots.fleet_kernels import need_ways, oldest_first
from robots.rightofway import lanes_of
from robots.routes import Graph
from robots.safety import permitted_speed_scale
from robots.state import COMMUNICATION, DRIVING, NO_ORDER, PAUSED, PERSON_NEAR, QUEUE, WORKING
from robots.tables import FLAG, WHOLE, lanes_in, pack_lanes

PERIOD_US, ASIDE_US, GRIDLOCK_US, PATIENCE_US = 50_000, 1_000_000, 5_000_000, 120_000_000


def test_packed_lanes_unpack_to_the_same_graph():
    for routes in (grid(3, 4), one_way_hall()):
        made = config(routes, 1)
        lanes = lanes_of(Graph(made.routes, made.agvs))
        for name, one, other in zip(lanes._fields, lanes, lanes_in(*pack_lanes(lanes)), strict=True):
            assert one.dtype == other.dtype, name
            assert np.array_equal(one, other), name


def test_views_are_the_tables_own_memory():
    books = Books(config(grid(3, 4), 4), np.random.default_rng(0))
    books.traffic.head_k[2] = 7
    assert books.tables.whole[WHOLE.index("head_k"), 2] == 7
    books.machines.stage[1] = TO_PICK
    assert books.tables.whole[WHOLE.index("stage"), 1] == TO_PICK
    books.traffic.lane_holder[0] = 3
    assert books.tables.holder[len(books.graph.node_id)] == 3
    books.traffic.paused[1] = books.machines.loaded[2] = True
    assert books.tables.flag[FLAG.index("paused")].tolist() == [False, True, False, False]
    assert books.loaded.tolist() == [False, False, True, False]


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.lists(st.integers(0, 5), min_size=0, max_size=30))
def test_the_oldest_come_first_and_equals_in_order(since):
    since_us = np.array(since, np.int64)
    assert np.array_equal(oldest_first(since_us), np.argsort(since_us, kind="stable"))


def _plain_need(now_us, whole, starved_us, try_at_us):
    """Say in NumPy what :func:`robots.fleet_kernels.need_ways` says."""
    row = {name: whole[k] for k, name in enumerate(WHOLE)}
    ended = row["head_k"] == row["path_len"] - 1
    wants = ended & np.isin(row["stage"], (IDLE, WANT_PICK, WANT_DROP))
    since = row["waits_since_us"]
    wait = np.where(since >= 0, now_us - since, -1)
    calm = not np.isin(row["mode"], (PERSON_NEAR, COMMUNICATION, PAUSED)).any()
    starved = np.where(since >= 0, starved_us + calm * PERIOD_US, 0)
    queued = ~ended & (row["mode"] == QUEUE) & (row["at_k"] == row["head_k"])
    stands = not (~np.isin(row["mode"], (QUEUE, NO_ORDER))).any()
    due = (try_at_us <= now_us) & (wants | (queued & (wait >= ASIDE_US)))
    need = due.any() or (starved >= PATIENCE_US).any() or (queued.any() and stands)
    return bool(need or (wants.all() and wait.max() >= GRIDLOCK_US)), starved


def test_the_look_for_ways_agrees_with_plain_numpy():
    rng = np.random.default_rng(5)
    said = []
    for case in range(600):
        n = int(rng.integers(1, 6))
        whole = np.zeros((len(WHOLE), n), np.int64)
        now_us = 10 * PATIENCE_US
        modes = (DRIVING, WORKING, QUEUE, NO_ORDER) if case % 3 else (QUEUE, NO_ORDER, PERSON_NEAR, COMMUNICATION, PAUSED)
        for name, values in (
            ("path_len", (1, 4)), ("at_k", (0, 1)), ("head_k", (0, 1, 3)), ("mode", modes),
            ("stage", (IDLE, WANT_PICK, WANT_DROP, TO_PICK, ON_CHARGE, TO_PICK)),
            ("waits_since_us", (-1, -1, now_us - 10, now_us - ASIDE_US, now_us - GRIDLOCK_US)),
        ):  # fmt: skip
            whole[WHOLE.index(name)] = rng.choice(values, n)
        starved_us = rng.choice((0, 0, PATIENCE_US - PERIOD_US, PATIENCE_US - 2 * PERIOD_US), n)
        try_at_us = rng.choice((now_us, now_us + 1, now_us + 1), n)
        wanted, starved = _plain_need(now_us, whole, starved_us, try_at_us)
        assert need_ways(now_us, PERIOD_US, ASIDE_US, GRIDLOCK_US, PATIENCE_US, whole, starved_us, try_at_us) == wanted
        assert np.array_equal(starved_us, starved)
        said.append(wanted)
    assert 60 < sum(said) < 540


@settings(deadline=None, max_examples=80, derandomize=True)
@given(st.floats(-0.5, 20.0), st.floats(0.0, 0.5), st.floats(0.0, 2.5))
def test_the_permitted_share_agrees_with_plain_numpy(separation, reaction, human):
    safety = config(grid(2, 2), 1).safety
    fixed = safety.intrusion_distance_m + safety.human_uncertainty_m + safety.robot_uncertainty_m
    spare = separation - fixed - human * reaction
    linear = human * safety.stopping_time_s + safety.cobot_speed_mps * reaction
    square = 0.5 * safety.cobot_speed_mps * safety.stopping_time_s
    share = 0.0 if spare <= 0 else min(1.0, (np.sqrt(linear**2 + 4 * square * spare) - linear) / (2 * square))
    got = permitted_speed_scale(np.array([separation, np.inf]), np.full(2, reaction), np.full(2, human), safety)
    assert abs(got[0] - share) < 1e-12
    assert got[1] == 1.0


def test_a_state_tells_the_last_step_and_later_steps_leave_it_alone():
    fleet = Fleet(config(one_way_hall(), 6), np.random.default_rng(2))
    age = np.zeros(6, np.int64)
    for k in range(1, 3000):
        fleet.step(10_000 * k, 10_000, age, *NOBODY)
    state = fleet.state()
    assert fleet.state() is state
    direction = np.stack((np.cos(state.heading_rad), np.sin(state.heading_rad)), axis=1)
    assert np.allclose(state.velocity_mps, state.speed_mps[:, None] * direction, atol=1e-15)
    assert np.abs(state.velocity_mps).max() > 0.5
    assert np.allclose(state.radius_m, np.hypot(*state.half_extent_m.T))
    forward, left = fleet.config.agvs.antenna_offset_m
    side = np.stack((-direction[:, 1], direction[:, 0]), axis=1)
    assert np.allclose(state.antenna_m[:, :2], state.position_m + forward * direction + left * side, atol=1e-12)
    kept = {name: getattr(state, name).copy() for name in ("position_m", "heading_rad", "mode", "battery", "antenna_m")}
    for k in range(3000, 3100):
        fleet.step(10_000 * k, 10_000, age, *NOBODY)
    assert fleet.state() is not state
    assert not np.array_equal(fleet.state().position_m, state.position_m)
    assert all(np.array_equal(getattr(state, name), value) for name, value in kept.items())
