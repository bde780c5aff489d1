"""The people tracker: against matrices, late places in any order, jumps, swapped tags, silence, and that its spread is true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humans.tracking import PeopleTracker, TrackingConfig, filter_reference
from humans.tracking_kernels import ACCEPTED, DUPLICATE, GATED, LATE

CONFIG = TrackingConfig()


def one(tracker, key, at_s, x, y=0.0, sigma=0.1):
    row = np.array([key]), np.array([round(at_s * 1e6)]), np.array([[x, y]], np.float64), np.array([sigma])
    return int(tracker.take(*row)[0])


def walk(rng, n=40, dt_s=0.2, sigma=0.1):
    """Draw a person of the filter's own model: times, true places, and places with noise."""
    motion, fine = CONFIG.motion(), 20
    step_s = dt_s / fine
    walks = rng.random() < motion[4] / (motion[4] + motion[5])
    v, x, places = rng.normal(0, motion[2 * walks], 2), np.zeros(2), []
    for k in range(n * fine):
        if k % fine == 0:
            places.append(x.copy())
        x = x + v * step_s
        if rng.random() < motion[5 if walks else 4] * step_s:
            walks = not walks
            v = rng.normal(0, motion[2 * walks], 2)
        e = np.exp(-step_s / motion[2 * walks + 1])
        v = e * v + rng.normal(0, motion[2 * walks] * np.sqrt(1 - e * e), 2)
    true = np.array(places)
    return np.arange(n) * dt_s, true, true + rng.normal(0, sigma, (n, 2))


@settings(deadline=None, derandomize=True, max_examples=8)
@given(st.integers(0, 2**31), st.integers(2, 20))
def test_the_kernels_are_the_matrices(seed, n):
    rng = np.random.default_rng(seed)
    at_s = np.round(np.cumsum(rng.uniform(0.0, 0.4, n)), 6)
    sigma = rng.uniform(0.02, 0.5, n)
    place = np.cumsum(rng.normal(0, 0.05, (n, 2)), axis=0)
    config = TrackingConfig(gate=1.0 - 1e-15)
    tracker = PeopleTracker(2, config)
    fate = tracker.take(np.full(n, 7), np.round(at_s * 1e6).astype(np.int64), place, sigma)
    assert (fate == ACCEPTED).all()
    state, covariance, _ = filter_reference(at_s, place, sigma, at_s[-1] + 0.3, config)
    seen = tracker.estimate(round((at_s[-1] + 0.3) * 1e6))
    assert np.allclose(seen.position_m[0], state[0], atol=1e-6)
    assert np.allclose(seen.velocity_mps[0], state[1], atol=1e-6)
    assert seen.sigma_m[0] == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-6)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(st.integers(0, 2**31))
def test_late_places_within_the_window_change_nothing_in_the_end(seed):
    rng = np.random.default_rng(seed)
    at_s, _, seen = walk(rng)
    in_order, late = PeopleTracker(1, CONFIG), PeopleTracker(1, CONFIG)
    arrival = np.argsort(at_s + np.where(np.arange(40) > 2, rng.uniform(0.0, 0.8, 40), 0.0), kind="stable")
    for k in range(40):
        one(in_order, 1, at_s[k], *seen[k])
    for k in arrival:
        assert one(late, 1, at_s[k], *seen[k]) in (ACCEPTED, GATED)
    a, b = (t.estimate(round((at_s[-1] + 0.1) * 1e6)) for t in (in_order, late))
    if late.counts["gated"] == in_order.counts["gated"] == 0:
        assert np.allclose(a.position_m, b.position_m, atol=1e-9)
        assert a.sigma_m == pytest.approx(b.sigma_m)
    assert late.counts["reordered"] > 0


def test_what_comes_too_late_or_twice_is_counted_and_changes_nothing():
    tracker = PeopleTracker(1, TrackingConfig(window_s=0.5))
    for k in range(10):
        assert one(tracker, 1, 1.0 + 0.2 * k, 0.02 * k) == ACCEPTED
    before = tracker.estimate(3_000_000)
    assert one(tracker, 1, 1.0, 9.0) == LATE
    assert one(tracker, 1, 2.0, 9.0) == LATE
    assert one(tracker, 1, 2.8, 0.18) == DUPLICATE
    after = tracker.estimate(3_000_000)
    assert np.array_equal(before.position_m, after.position_m)
    assert (tracker.counts["late"], tracker.counts["duplicate"]) == (2, 1)


def test_several_providers_are_weighted_by_their_accuracy():
    """Standing person; a good and a bad system at the same instants, and at others: the mean is that of least squares."""
    rng = np.random.default_rng(3)
    slow = TrackingConfig(walking_sd_mps=0.1, walking_time_s=0.1, standing_sd_mps=0.01)
    errors = {"good": [], "bad": [], "both": [], "both, at other instants": []}
    for _ in range(200):
        good, bad = rng.normal(0, 0.05, (10, 2)), rng.normal(0, 0.5, (10, 2))
        for name, out in errors.items():
            tracker = PeopleTracker(1, slow)
            apart = 0.07 if name.endswith("instants") else 0.0
            for k in range(10):
                if name != "bad":
                    one(tracker, 1, 0.2 * k, *good[k], 0.05)
                if name != "good":
                    one(tracker, 1, 0.2 * k + apart, *bad[k], 0.5)
            out.append(np.hypot(*tracker.estimate(1_900_000).position_m[0]))
    rms = {name: np.sqrt(np.mean(np.square(e))) for name, e in errors.items()}
    assert rms["both"] < 1.02 * rms["good"] < 0.5 * rms["bad"]  # a bad system does no harm
    assert rms["both, at other instants"] < 1.05 * rms["good"]
    assert rms["good"] < 0.05 * np.sqrt(2.0)  # better than one place


def test_a_jump_is_not_followed_and_three_that_agree_are():
    tracker = PeopleTracker(2, CONFIG)
    for k in range(10):
        one(tracker, 1, 0.2 * k, 0.0)
    assert one(tracker, 1, 2.0, 8.0) == GATED
    assert abs(tracker.estimate(2_000_000).position_m[0, 0]) < 0.2
    assert one(tracker, 1, 2.2, 0.0) == ACCEPTED
    for k, x in enumerate((8.0, 8.1, 8.2)):
        one(tracker, 1, 2.4 + 0.2 * k, x)
    assert tracker.counts["restarted"] == 1
    assert tracker.estimate(2_800_000).position_m[0, 0] == pytest.approx(8.2, abs=0.2)


def test_jumps_that_do_not_agree_never_move_anybody():
    tracker = PeopleTracker(2, CONFIG)
    for k in range(10):
        one(tracker, 1, 0.2 * k, 0.0)
    for k in range(9):
        one(tracker, 1, 2.0 + 0.2 * k, (20.0, -20.0, 50.0)[k % 3])
    assert tracker.counts["restarted"] == 0
    assert abs(tracker.estimate(3_600_000).position_m[0, 0]) < 0.2


def test_swapped_tags_change_tracks_over_a_distance_that_could_be_walked():
    tracker = PeopleTracker(3, CONFIG)
    rng = np.random.default_rng(5)
    for k in range(20):
        one(tracker, 1, 0.2 * k, *(rng.normal(0, 0.1, 2)))
        one(tracker, 2, 0.2 * k + 0.1, rng.normal(1.1, 0.1), rng.normal(0.0, 0.1))
    a, b = tracker.slot_of(1), tracker.slot_of(2)
    for k in range(20, 30):  # the first person wears the second's tag now
        one(tracker, 1, 0.2 * k, rng.normal(1.1, 0.1), rng.normal(0.0, 0.1))
        one(tracker, 2, 0.2 * k + 0.1, *(rng.normal(0, 0.1, 2)))
    assert tracker.counts["swapped"] == 1
    assert tracker.counts["restarted"] == 0
    assert (tracker.slot_of(1), tracker.slot_of(2)) == (b, a)
    x = tracker.estimate(6_000_000).position_m[:, 0]
    assert abs(x[a]) < 0.2
    assert abs(x[b] - 1.1) < 0.2


def test_a_walker_who_stops_is_not_taken_for_a_jump():
    rng, tracker = np.random.default_rng(9), PeopleTracker(1, CONFIG)
    for k in range(100):
        at = 0.2 * k
        x = 1.5 * min(at, 8.0) if at < 12.0 else 12.0 - 1.5 * (at - 12.0)
        one(tracker, 1, at, rng.normal(x, 0.1), rng.normal(0.0, 0.1))
    assert (tracker.counts["restarted"], tracker.counts["gated"] <= 4) == (0, True), tracker.counts


def test_spread_grows_with_silence_until_the_person_is_forgotten():
    tracker = PeopleTracker(1, TrackingConfig(forget_s=5.0))
    assert not tracker.estimate(0).known.any()
    one(tracker, 1, 0.0, 0.0)
    assert not tracker.estimate(0).known.any()  # one place is no person yet
    for k in range(1, 20):
        one(tracker, 1, 0.2 * k, 0.2 * k)
    spread = [tracker.estimate(3_800_000 + round(1e6 * s)) for s in (0.0, 0.2, 0.5, 1.0, 2.0, 4.9)]
    assert all(e.known[0] for e in spread)
    assert (np.diff([e.sigma_m[0] for e in spread]) > 0).all()
    assert spread[0].sigma_m[0] < 0.12 < 0.9 < spread[-1].sigma_m[0]
    assert [int(e.age_us[0]) for e in spread][:2] == [0, 200_000]
    assert not tracker.estimate(3_800_000 + 5_100_000).known[0]
    tracker.forget(9_000_000)
    assert tracker.slot_of(1) == -1
    assert tracker.counts["forgotten"] == 1


def test_the_spread_is_true_for_people_of_the_model():
    """Squared errors over their variance: chi-square with 2 degrees of freedom, also ahead; 300 independent people."""
    rng = np.random.default_rng(11)
    ratio = {0.0: [], 0.4: []}
    innovation = []
    for _ in range(300):
        at_s, true, seen = walk(rng, n=30)
        tracker = PeopleTracker(1, TrackingConfig(gate=1 - 1e-12))
        for k in range(27):
            one(tracker, 1, at_s[k], *seen[k])
        innovation.append(tracker.squared_innovation)
        for ahead in ratio:
            j = 26 + round(ahead / 0.2)  # places come every 0.2 s
            e = tracker.estimate(round((26 * 0.2 + (j - 26) * 0.2) * 1e6))
            ratio[ahead].append(((e.position_m[0] - true[j]) ** 2).sum() / e.sigma_m[0] ** 2)
    for ahead, values in ratio.items():
        half = 3.0 * np.std(values) / np.sqrt(len(values))  # three standard errors
        assert 0.9 < np.mean(np.array(values) < 5.99) < 0.99  # 95 % for one Gaussian; a mixture has longer tails
        assert abs(np.mean(values) - 2.0) < half, (ahead, np.mean(values))


def test_tracks_are_bounded_and_a_pause_moves_them_all():
    tracker = PeopleTracker(2, CONFIG)
    for key in (1, 2, 3):
        for k in range(3):
            one(tracker, key, 0.2 * k, float(key))
    assert tracker.counts["full"] == 3
    tracker.shift(-60_000_000)
    assert not tracker.estimate(400_000).known.any()
    tracker.shift(60_000_000)
    assert tracker.estimate(400_000).known.all()
    tracker.clear()
    assert not tracker.estimate(400_000).known.any()


def test_a_place_without_spread_is_refused():
    with pytest.raises(ValueError, match="sigma_m above 0"):
        one(PeopleTracker(1, CONFIG), 1, 0.0, 1.0, sigma=0.0)
    with pytest.raises(ValueError, match="at least one person"):
        PeopleTracker(0, CONFIG)
