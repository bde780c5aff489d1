"""Location tags: single and batch, what is refused, jumps and swaps, other coordinates, and that no name comes through."""

from __future__ import annotations

import json
import logging
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridges.broker import EmbeddedBroker
from bridges.config import MqttConfig
from bridges.map_frame import MapFrame, MapFrameConfig
from bridges.mqtt import Message, MqttConnection
from bridges.tag_listener import TagListener
from bridges.tags import TagReader, TagsConfig
from bridges.vda5050.base import stamp, time_of

NOW_S = 1_767_225_600.0


def location(name="tag-anna", at_s=0.0, x=1.0, y=2.0, **more):
    return {
        "position": {"type": "Point", "coordinates": [x, y]}, "source": "zone-1", "provider_type": "uwb", "provider_id": name,
        "timestamp_generated": stamp(NOW_S + at_s), "accuracy": 0.1, **more,
    }  # fmt: skip


def give(reader, *locations, delay_s=0.1, batch=False):
    latest = max((time_of_entry(entry) for entry in locations), default=NOW_S)
    payload = json.dumps(list(locations) if batch or len(locations) > 1 else locations[0]).encode()
    return reader.take(payload, latest + delay_s)


def time_of_entry(entry):
    return time_of(entry["timestamp_generated"])


def test_one_place_and_a_batch_come_out_in_the_order_of_measuring():
    reader = TagReader(TagsConfig())
    assert give(reader, location()) == 1
    assert give(reader, location("b", 0.4, 3.0), location("c", 0.2, 4.0), location("tag-anna", 0.3, 1.2)) == 3
    o = reader.drain()
    assert (o.measured_s - NOW_S).round(3).tolist() == [0.0, 0.2, 0.3, 0.4]
    assert o.position_m[:, 0].tolist() == [1.0, 4.0, 1.2, 3.0]
    assert o.tag[0] == o.tag[2]
    assert len(set(o.tag.tolist())) == 3
    assert o.accuracy_m.tolist() == [0.1] * 4
    assert o.provider == ("uwb",) * 4
    assert len(reader.drain().tag) == 0


def test_no_name_comes_through_and_pseudonyms_change(caplog):
    caplog.set_level(logging.DEBUG)
    config = TagsConfig(rotation_s=60.0)
    reader, other = TagReader(config), TagReader(config)
    for r in (reader, other):
        assert give(r, location(trackables=["Anna Berg"])) == 1
        assert give(r, location("second tag of hers", 0.5, trackables=["Anna Berg"])) == 1  # two providers, one person
        assert give(r, {**location(at_s=61.0), "trackables": ["Anna Berg"]}) == 1
        give(r, {**location(), "accuracy": "Anna Berg"})
    seen, elsewhere = reader.drain().tag, other.drain().tag
    assert seen[0] == seen[1]
    assert seen[2] != seen[0]
    assert not set(seen.tolist()) & set(elsewhere.tolist())  # every start has its own key
    assert "Berg" not in caplog.text
    assert "Berg" not in repr(vars(reader))


@pytest.mark.parametrize(
    ("change", "delay_s", "reason"),
    [
        ({"accuracy": 9.0}, 0.1, "accuracy"),
        ({"crs": "EPSG:25832"}, 0.1, "crs"),
        ({}, 5.0, "late"),
        ({}, -5.0, "early"),
        ({"timestamp_generated": "today"}, 0.1, "schema"),
        ({"position": {"type": "Point", "coordinates": [1.0]}}, 0.1, "schema"),
        ({"position": {"type": "Point", "coordinates": [1.0, math.nan]}}, 0.1, "schema"),
        ({"position": {"type": "Polygon", "coordinates": [1.0, 2.0]}}, 0.1, "schema"),
        ({"accuracy": -1}, 0.1, "schema"),
        ({"provider_id": ""}, 0.1, "schema"),
        ({"provider_id": 7}, 0.1, "schema"),
    ],
)
def test_what_cannot_be_used_is_counted_under_its_reason_and_the_rest_of_the_batch_is_taken(change, delay_s, reason):
    reader = TagReader(TagsConfig())
    bad, good = {**location("bad"), **change}, location("good", delay_s)
    assert reader.take(json.dumps([bad, good]).encode(), NOW_S + delay_s) == 1
    assert reader.counts == {reason: 1, "taken": 1}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [(b"{", "json"), (b"\xff", "json"), (b"7", "schema"), (b"[" * 100_000, "json"), (b" " * 1_000_001, "size"),
     (b"[" + b"0," * 1000 + b"0]", "batch")],
)  # fmt: skip
def test_garbage_is_survived(payload, reason):
    reader = TagReader(TagsConfig())
    assert reader.take(payload, NOW_S) == 0
    assert reader.counts[reason] == 1


def test_places_that_come_twice_or_out_of_order_are_refused():
    reader = TagReader(TagsConfig(reorder_s=0.0))
    for at_s, taken in ((0.0, 1), (0.4, 1), (0.2, 0), (0.4, 0), (0.6, 1)):
        assert give(reader, location(at_s=at_s)) == taken
    assert (reader.counts["out_of_order"], reader.counts["duplicate"]) == (1, 1)


def test_a_jump_is_refused_and_believed_when_others_agree():
    reader = TagReader(TagsConfig())
    places = [(0.0, 1.0, 1), (0.2, 20.0, 0), (0.4, 1.3, 1), (0.6, 20.0, 0), (0.8, 20.2, 0), (1.0, 20.4, 1), (1.2, 20.6, 1)]
    for at_s, x, taken in places:
        assert give(reader, location(at_s=at_s, x=x)) == taken, at_s
    assert (reader.counts["jump"], reader.counts["relocated"]) == (3, 1)


def test_people_who_swap_tags_keep_their_pseudonyms():
    reader = TagReader(TagsConfig())
    give(reader, location("a", 0.0, 0.0))
    give(reader, location("b", 0.0, 20.0))
    first = reader.drain()
    for k in range(1, 6):
        give(reader, location("a", 0.2 * k, 20.0 + 0.1 * k))  # a's tag is with b now
        give(reader, location("b", 0.2 * k + 0.05, 0.1 * k))
    assert reader.counts["swapped"] == 1
    later = reader.drain()
    for tag, x in zip(first.tag, first.position_m[:, 0], strict=True):
        own = later.position_m[later.tag == tag, 0]
        assert len(own) >= 4
        assert np.abs(own - x).max() < 1.0


def test_what_waits_is_bounded():
    reader = TagReader(TagsConfig(max_waiting=10))
    for k in range(30):
        assert give(reader, location(at_s=0.2 * k)) == 1
    o = reader.drain()
    assert len(o.tag) == 10
    assert reader.counts["overflow"] == 20
    assert o.measured_s[-1] == pytest.approx(NOW_S + 0.2 * 29, abs=0.002)


def test_a_turned_and_shifted_frame():
    frame = MapFrame(MapFrameConfig(crs="EPSG:25832", origin=(500_000.0, 5_700_000.0), x_axis_deg=90.0))
    assert frame.to_hall(np.array([500_000.0, 5_700_010.0])) == pytest.approx([10.0, 0.0], abs=1e-9)
    assert frame.to_hall(np.array([[499_995.0, 5_700_000.0]])) == pytest.approx(np.array([[0.0, 5.0]]), abs=1e-9)


@pytest.mark.parametrize(
    "config",
    [MapFrameConfig(origin=(3.0, -4.0), x_axis_deg=30.0), MapFrameConfig(crs="EPSG:4326", origin=(11.6, 48.1), x_axis_deg=-75.0)],
)
def test_one_point_and_many_agree(config):
    frame = MapFrame(config)
    there = np.array(config.origin) + np.random.default_rng(1).normal(scale=0.001, size=(20, 2))
    assert np.array([frame.point_to_hall(*p) for p in there]) == pytest.approx(frame.to_hall(there), abs=1e-9)


def test_degrees_against_the_ellipsoid_itself():
    """The chord between two points of the WGS 84 ellipsoid, computed in space, is what the plane should show."""
    a, e2 = 6_378_137.0, 6.694379990141317e-3

    def in_space(longitude, latitude):
        lon, lat = math.radians(longitude), math.radians(latitude)
        n = a / math.sqrt(1 - e2 * math.sin(lat) ** 2)
        return np.array([n * math.cos(lat) * math.cos(lon), n * math.cos(lat) * math.sin(lon), n * (1 - e2) * math.sin(lat)])

    for latitude in (0.0, 48.1, -33.9, 64.0):
        frame = MapFrame(MapFrameConfig(crs="EPSG:4326", origin=(11.6, latitude)))
        for east, north in ((0.002, 0.0), (0.0, 0.002), (0.003, -0.002)):
            there = np.array([11.6 + east, latitude + north])
            distance = np.linalg.norm(in_space(*there) - in_space(11.6, latitude))
            assert np.linalg.norm(frame.to_hall(there)) == pytest.approx(distance, abs=0.05)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(-3, 3), st.floats(0, 30), st.floats(-1, 4)), min_size=1, max_size=40))
def test_every_place_is_counted_once_and_no_track_goes_back_in_time(places):
    reader = TagReader(TagsConfig(), key=b"k" * 16)
    for name, at_s, x, delay_s in places:
        reader.take(json.dumps(location(name, at_s, x)).encode(), NOW_S + at_s + delay_s)
    reasons = ("taken", "late", "early", "duplicate", "out_of_order", "jump")
    counted = sum(reader.counts[r] for r in reasons)
    assert len(places) - reader.counts["swapped"] <= counted <= len(places)
    o = reader.drain()
    for tag in set(o.tag.tolist()):
        assert (np.diff(o.measured_s[o.tag == tag]) > 0).all()


def test_tags_come_over_a_broker_and_retained_ones_are_not_read(tmp_path, free_port):
    broker = EmbeddedBroker(free_port, tmp_path / "broker.log")
    broker.start()
    mqtt = MqttConfig(host="127.0.0.1", port=free_port)
    listener, mouth = TagListener(mqtt, TagsConfig(topic="tags/#")), MqttConnection(mqtt, "tags")
    try:
        mouth.start()
        assert mouth.wait_connected(15)
        assert mouth.publish(Message("tags/old", b"{}", 1, retain=True))
        listener.start()
        assert listener.connection.wait_connected(15)
        deadline = time.monotonic() + 15
        taken = 0
        while not taken or not listener.retained:
            assert time.monotonic() < deadline
            mouth.publish(Message("tags/1", json.dumps({**location(), "timestamp_generated": stamp(time.time())}).encode()))
            time.sleep(0.05)
            taken += len(listener.drain().tag)
        assert listener.reader.counts["schema"] == 0
    finally:
        listener.stop()
        mouth.stop()
        broker.stop()
