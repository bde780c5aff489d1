"""Fusing location systems at one instant, and places that come out of order at the door."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from bridges import fusion
from bridges.fusion import Fusion
from bridges.tags import TagObservations, TagReader, TagsConfig
from bridges.vda5050.base import stamp

NOW_S = 1_767_225_600.0


def places(*rows):
    tag, at, x, y, sigma, name = zip(*rows, strict=True)
    return TagObservations(
        np.array(tag), np.array(at, np.float64), np.array([x, y], np.float64).T, np.array(sigma, np.float64), tuple(name), 7
    )


def test_gates_are_those_of_chi_square():
    for n in range(2, 9):
        assert fusion._gate(n) == pytest.approx(chi2.ppf(0.999, 2 * (n - 1)), rel=1e-9 if n < 5 else 0.01)


def test_two_systems_at_one_instant_are_weighted_by_accuracy():
    fused = Fusion(0.01).fuse(
        places((1, 0.0, 0.0, 0.0, 0.1, "uwb"), (2, 0.1, 5.0, 5.0, 0.3, "uwb"), (1, 0.004, 0.3, 0.0, 0.2, "rfid"))
    )
    assert fused.tag.tolist() == [1, 2]
    assert fused.position_m[0] == pytest.approx([0.06, 0.0])  # weights 100 and 25
    assert fused.accuracy_m[0] == pytest.approx(125**-0.5)
    assert fused.measured_s[0] == pytest.approx(0.0008)
    assert fused.provider[0] == "uwb+rfid"
    assert fused.epoch == 7


def test_places_of_other_instants_and_people_are_left_alone():
    given_ = places((1, 0.0, 0.0, 0.0, 0.1, "a"), (1, 0.2, 0.1, 0.0, 0.1, "b"), (2, 0.2, 3.0, 0.0, 0.1, "a"))
    assert Fusion(0.01).fuse(given_) is given_


@pytest.mark.parametrize(
    ("rows", "place", "spread", "left_out"),
    [
        ([(0.0, 0.1), (4.0, 0.5)], 0.0, 0.1, 1),  # the exact one is believed
        ([(0.0, 0.1), (4.0, 0.12)], 4.0 * (0.12**-2) / (0.1**-2 + 0.12**-2), 2.0, 0),  # nobody knows which
        ([(0.0, 0.1), (0.1, 0.1), (9.0, 0.1)], 0.05, 0.1 / 2**0.5, 1),  # outvoted
    ],
)
def test_systems_that_contradict_each_other(rows, place, spread, left_out):
    fusing = Fusion(0.01)
    fused = fusing.fuse(places(*[(1, 0.0, x, 0.0, s, f"s{k}") for k, (x, s) in enumerate(rows)]))
    assert len(fused.tag) == 1
    assert fused.position_m[0, 0] == pytest.approx(place)
    assert fused.accuracy_m[0] == pytest.approx(spread)
    assert (fusing.counts["conflict"], fusing.counts["left_out"]) == (1, left_out)


def test_agreement_tells_of_a_system_that_promises_too_much():
    rng, honest, boasting = np.random.default_rng(1), Fusion(0.01), Fusion(0.01)
    for _ in range(2000):
        a, b = rng.normal(0, 0.1, 2), rng.normal(0, 0.3, 2)
        honest.fuse(places((1, 0.0, *a, 0.1, "uwb"), (1, 0.0, *b, 0.3, "ble")))
        boasting.fuse(places((1, 0.0, *a, 0.1, "uwb"), (1, 0.0, *b, 0.1, "ble")))
    assert honest.agreement["ble uwb"] == pytest.approx(2.0, abs=0.6)
    assert boasting.agreement["ble uwb"] > 6.0


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 4), st.floats(-5, 5), st.floats(0.05, 1.0)), min_size=1, max_size=20))
def test_never_more_than_one_place_per_person_and_instant_and_all_between_theirs(rows):
    given_ = places(*[(tag, 0.2 * at, x, 0.0, s, "p") for tag, at, x, s in rows])
    fused = Fusion(0.01).fuse(given_)
    pairs = [(t, round(s, 3)) for t, s in zip(fused.tag.tolist(), fused.measured_s.tolist(), strict=True)]
    assert len(set(pairs)) == len(pairs) or len(fused.tag) == len({*given_.tag.tolist()}) or fused is given_
    assert set(pairs) == {(t, round(0.2 * a, 3)) for t, a, _, _ in rows}
    for tag, at_s, (x, _) in zip(fused.tag, fused.measured_s, fused.position_m, strict=True):
        own = [r[2] for r in rows if r[0] == tag and abs(0.2 * r[1] - at_s) < 0.01]
        assert min(own) - 1e-9 <= x <= max(own) + 1e-9


def give(reader, at_s, x, arrived_s, provider="tag-1", accuracy=0.1):
    return reader.take(json.dumps({
        "position": {"type": "Point", "coordinates": [x, 0.0]}, "source": "z", "provider_type": "uwb", "provider_id": provider,
        "trackables": ["Anna"], "timestamp_generated": stamp(NOW_S + at_s), "accuracy": accuracy,
    }).encode(), NOW_S + arrived_s)  # fmt: skip


def test_a_place_a_little_out_of_order_comes_through_with_its_time_and_a_later_one_does_not():
    reader = TagReader(TagsConfig(reorder_s=0.5))
    assert give(reader, 0.0, 0.0, 0.1) == 1
    assert give(reader, 0.8, 0.8, 0.9) == 1
    assert give(reader, 0.4, 0.4, 1.0) == 1
    assert give(reader, 0.4, 0.4, 1.1) == 0  # twice
    assert give(reader, 0.4, 0.4, 1.1, provider="her second tag") == 1
    assert give(reader, 0.2, 0.2, 1.2) == 0
    assert give(reader, 0.6, 9.0, 1.2) == 0  # out of order, and nobody walks so fast
    assert {k: v for k, v in reader.counts.items() if v} == {
        "taken": 4,
        "reordered": 2,
        "duplicate": 1,
        "out_of_order": 1,
        "jump": 1,
    }
    seen = reader.drain()
    assert (seen.measured_s - NOW_S).round(3).tolist() == [0.0, 0.4, 0.4, 0.8]
    assert len(set(seen.tag.tolist())) == 1


def test_a_vague_system_beside_an_exact_one_is_no_jump():
    reader = TagReader(TagsConfig())
    assert give(reader, 0.0, 0.0, 0.1) == 1
    assert give(reader, 0.0, 2.0, 0.1, provider="gps", accuracy=1.0) == 1
    assert give(reader, 0.1, 0.1, 0.2) == 1
    assert reader.counts["jump"] == 0


def test_places_tell_when_all_pseudonyms_have_changed():
    reader = TagReader(TagsConfig(rotation_s=60.0))
    give(reader, 0.0, 0.0, 0.1)
    give(reader, 59.0, 0.0, 59.1)
    before = reader.drain()
    give(reader, 60.1, 0.0, 60.2)
    after = reader.drain()
    assert after.epoch == before.epoch + 1
    assert after.tag[0] not in before.tag


def test_systems_that_change_their_names_fill_no_memory():
    fused = Fusion(0.01)
    for k in range(300):
        fused.fuse(places((1, k, 0.0, 0.0, 0.1, f"a{k}"), (1, k, 0.0, 0.1, 0.1, f"b{k}")))
    assert fused.counts["fused"] == 300
    assert len(fused.agreement) == 100
    assert "a0 b0" in fused.agreement
