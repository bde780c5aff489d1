"""Speed and separation: published numbers, and the capsule kernel against an independent formula."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robots.config import SafetyConfig
from robots.safety import nearest_person, permitted_speed_scale, protective_separation_m, segment_distance_m


def test_protective_separation_of_the_published_example():
    # ISO/TS 15066: walking 1.6 m/s, Tr 0.1 s, Ts 0.5 s, robot 1.5 m/s, C 0.85 m, Z 0.1 m gives 2.4 m
    assert protective_separation_m(1.6, 1.5, 0.1, 0.5, 0.85, 0.1) == pytest.approx(2.4, abs=0.05)


def test_each_100_ms_of_radio_delay_adds_31_cm():
    more = protective_separation_m(1.6, 1.5, 0.2, 0.5, 0.85, 0.1) - protective_separation_m(1.6, 1.5, 0.1, 0.5, 0.85, 0.1)
    assert more == pytest.approx(0.31, abs=1e-12)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.floats(0.0, 3.0), st.floats(0.0, 0.3), st.floats(0.0, 1.6), st.floats(0.1, 1.0), st.floats(0.2, 2.0))
def test_permitted_scale_is_the_inverse_of_the_separation_formula(separation, reaction, human, stopping, speed):
    safety = SafetyConfig(stopping_time_s=stopping, cobot_speed_mps=speed)
    scale = float(permitted_speed_scale(np.array([separation]), np.array([reaction]), np.array([human]), safety)[0])

    def needed(s):
        return protective_separation_m(human, s * speed, reaction, s * stopping, 0.1, 0.05, 0.05)

    assert 0 <= scale <= 1
    if scale == 1:
        assert needed(1.0) <= separation + 1e-9
    elif scale > 0:
        assert needed(scale) == pytest.approx(separation, abs=1e-9)
    else:
        assert needed(0.0) >= separation - 1e-9


def _oracle(a, b, c, d):
    """Distance of two segments: the inner minimum if it lies inside both, else the least of four point-segment distances."""

    def point(p, q, r):
        along = r - q
        share = np.clip((p - q) @ along / max(along @ along, 1e-30), 0, 1)
        return np.linalg.norm(p - q - share * along)

    best = min(point(a, c, d), point(b, c, d), point(c, a, b), point(d, a, b))
    u, v, w = b - a, d - c, a - c
    matrix = np.array([[u @ u, -(u @ v)], [u @ v, -(v @ v)]])
    if abs(np.linalg.det(matrix)) > 1e-12:
        s, t = np.linalg.solve(matrix, [-(u @ w), -(v @ w)])
        if 0 <= s <= 1 and 0 <= t <= 1:
            best = min(best, np.linalg.norm(w + s * u - t * v))
    return best


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.lists(st.floats(-3, 3).map(lambda x: round(x, 2)), min_size=12, max_size=12))
def test_segment_distance_in_space_agrees_with_its_oracle(numbers):
    a, b, c, d = np.array(numbers).reshape(4, 3)
    assert segment_distance_m(*a, *b, *c, *d) == pytest.approx(_oracle(a, b, c, d), abs=1e-7)


def _scene(rng, people, machines, size_m=20.0):
    where = rng.uniform(0, size_m, (people, 1, 3)) * [1, 1, 0]
    a = where + rng.uniform(-0.4, 0.4, (people, 12, 3)) + [0, 0, 1]
    b = a + rng.uniform(-0.4, 0.4, (people, 12, 3))
    base = rng.uniform(0, size_m, (machines, 1, 3)) * [1, 1, 0] + [0, 0, 0.8]
    la = base + rng.uniform(-0.6, 0.6, (machines, 8, 3))
    lb = la + rng.uniform(-0.3, 0.3, (machines, 8, 3))
    return a, b, rng.uniform(0.04, 0.15, (people, 12)), rng.random(people) < 0.8, la, lb, rng.uniform(0.05, 0.1, 8)


@pytest.mark.parametrize("size_m", [3.0, 20.0])
def test_nearest_person_agrees_with_all_pairs(size_m):
    rng = np.random.default_rng(2)
    for _ in range(6):
        a, b, r, present, la, lb, lr = _scene(rng, 5, 3, size_m)
        distance, who = nearest_person(a, b, r, present, la, lb, lr)
        for m in range(3):
            gaps = np.array(
                [
                    min(_oracle(a[p, c], b[p, c], la[m, k], lb[m, k]) - r[p, c] - lr[k] for c in range(12) for k in range(8))
                    if present[p]
                    else np.inf
                    for p in range(5)
                ]
            )
            assert distance[m] == pytest.approx(gaps.min(), abs=1e-7)
            assert who[m] == (gaps.argmin() if present.any() else -1)


def test_nobody_present_is_infinitely_far():
    a, b, r, _, la, lb, lr = _scene(np.random.default_rng(1), 3, 2)
    distance, who = nearest_person(a, b, r, np.zeros(3, bool), la, lb, lr)
    assert np.isinf(distance).all()
    assert (who == -1).all()


def test_capsule_kernel_outruns_all_pairs_in_numpy():
    a, b, r, present, la, lb, lr = _scene(np.random.default_rng(3), 16, 4)
    nearest_person(a, b, r, present, la, lb, lr)

    def best(call):
        times = []
        for _ in range(20):
            begin = time.perf_counter()
            call()
            times.append(time.perf_counter() - begin)
        return min(times)

    def sampled():
        share = np.linspace(0, 1, 5)[:, None]
        p = (a[..., None, :] + share * (b - a)[..., None, :]).reshape(-1, 3)
        q = (la[..., None, :] + share * (lb - la)[..., None, :]).reshape(-1, 3)
        return np.sqrt(((p[:, None] - q[None]) ** 2).sum(2)).min()

    assert best(lambda: nearest_person(a, b, r, present, la, lb, lr)) < best(sampled) / 5
