"""What is counted every tick: overdue commands, services that go down and come back, time spent on the floor."""

from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.outages import DownTracker
from factory.recording import spend_time


def _tracker(survival=(2, 1), interval_us=(10_000, 20_000), deadline_us=(5_000, 1_000), ue=(0, 1)):
    columns = {"survival": survival, "interval_us": interval_us, "deadline_us": deadline_us, "ue": ue}
    traffic = SimpleNamespace(n_streams=len(ue), **{k: np.array(v, np.int64) for k, v in columns.items()})
    traffic.sent = SimpleNamespace(jitter_us=np.zeros(len(ue), np.int64))
    return DownTracker(traffic, max(ue) + 1)


def _messages(*rows):
    stream, time_us, ok = (np.array(c) for c in zip(*rows, strict=True)) if rows else (np.zeros(0, np.int64),) * 3
    return SimpleNamespace(
        stream=stream.astype(np.int64),
        time_us=time_us.astype(np.int64),
        ok=ok.astype(bool),
        loss_probability=np.full(len(rows), 0.1),
    )


def test_a_service_goes_down_with_the_message_that_uses_up_its_survival_time_and_comes_back_with_the_next_good_one():
    tracker = _tracker()
    assert len(tracker.add(_messages()).stream) == 0
    assert len(tracker.add(_messages((0, 10, True), (0, 20, False))).stream) == 0
    down = tracker.add(_messages((1, 25, True), (0, 30, False)))
    assert (down.stream.tolist(), down.time_us.tolist(), down.down.tolist(), down.row.tolist()) == ([0], [30], [True], [1])
    assert tracker.down_since_us.tolist() == [30, -1]
    back = tracker.add(_messages((0, 40, False), (0, 50, True), (1, 55, False)))
    assert back.stream.tolist() == [0, 1]
    assert back.down.tolist() == [False, True]
    assert down.stream.tolist() == [0]  # what was told stays as it was told
    assert tracker.last_ok_us.tolist() == [50, 25]


def test_a_machine_waits_for_the_command_that_is_overdue_longest():
    tracker = _tracker(survival=(1, 1, 1), interval_us=(10, 10, 100), deadline_us=(5, 5, 50), ue=(0, 1, 1))
    tracker.add(_messages((0, 1_000, True), (1, 900, True), (2, 900, True)))
    assert tracker.overdue_us(1_020).tolist() == [5, 105, 0]
    stream, machine = np.array([0, 1, 2]), np.array([2, 1, 1])
    assert tracker.longest_overdue_us(1_020, stream, machine, 4).tolist() == [0, 105, 5, 0]
    assert tracker.longest_overdue_us(1_010, stream, machine, 4).tolist() == [0, 95, 0, 0]  # in time is not overdue


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.lists(st.tuples(st.floats(-3, 12), st.floats(-3, 9), st.floats(0, 1)), max_size=20))
def test_time_is_spent_in_the_cell_that_one_stands_in(stays):
    places = np.array([s[:2] for s in stays]).reshape(-1, 2)
    time_s = np.array([s[2] for s in stays])
    grid = np.zeros(9 * 6)
    spend_time(np.concatenate((places, [[np.nan, 1.0]])), np.append(time_s, 5.0), 9, 6, grid)
    inside = (places >= 0).all(axis=1) & (places[:, 0] < 9) & (places[:, 1] < 6)
    wanted = np.histogram2d(*places[inside][:, ::-1].T, bins=(np.arange(7), np.arange(10)), weights=time_s[inside])[0]
    assert np.allclose(grid.reshape(6, 9), wanted)
