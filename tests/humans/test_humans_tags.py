"""Location tags: noise, gaps, delays, and bodies of which only the place is known."""

from __future__ import annotations

import numpy as np
import pytest
from humans_hall import assembly_hall, assembly_people, run
from pydantic import ValidationError

from humans.crowd import Crowd
from humans.tags import TagReport, TagStream, WatchConfig, known_by_place

_EVERY_US = 100_000


def _reports(seed: int = 1, seconds: float = 200.0, n: int = 20, **changes: object) -> list[TagReport]:
    stream = TagStream(n, WatchConfig.model_validate({"observed_by": "tags", **changes}), np.random.default_rng(seed))
    there = np.ones(n, np.bool_)
    out = []
    for k in range(round(seconds * 1e6 / _EVERY_US)):
        now = k * _EVERY_US
        out += stream.read(now, np.full((n, 2), 5.0) + np.array([1.0, 0.0]) * now * 1e-6, there)
    return out


def test_tags_report_at_their_rate_with_their_noise_and_gaps():
    reports = _reports(tag_rate_hz=4.0, tag_sigma_m=0.2, tag_gap_share=0.2, tag_delay_ms=0)
    assert len(reports) == pytest.approx(4 * 200, abs=2)
    error = np.concatenate([
        (r.position_m - np.array([5.0 + r.time_us * 1e-6, 5.0]))[r.heard] for r in reports
    ])  # fmt: skip
    assert error.std(axis=0) == pytest.approx([0.2, 0.2], rel=0.05)
    assert abs(error.mean()) < 0.01  # no lag: places are those of the stamp
    heard = np.array([r.heard for r in reports])
    assert 1 - heard.mean() == pytest.approx(0.2, abs=0.03)
    lengths = np.diff(np.flatnonzero(np.diff(heard[:, 0].astype(int))))
    assert lengths.mean() > 2  # gaps come in runs, not reading by reading


def test_reports_arrive_late_and_sometimes_out_of_order():
    reports = _reports(tag_rate_hz=10.0, tag_delay_ms=300)
    delay_ms = np.array([(r.known_us - r.time_us) / 1e3 for r in reports])
    assert delay_ms.min() >= 150
    assert delay_ms.mean() == pytest.approx(300, rel=0.1)
    stamps = np.array([r.time_us for r in reports])
    assert (np.diff(stamps) < 0).any()
    assert len(set(stamps.tolist())) == len(stamps)


def test_who_is_not_in_the_hall_is_not_heard_and_the_same_seed_says_the_same():
    stream = TagStream(2, WatchConfig(observed_by="tags", tag_delay_ms=0), np.random.default_rng(0))
    reports = [stream.read(k * _EVERY_US, np.ones((2, 2)), np.array([True, False])) for k in range(50)]
    assert not any(r.heard[1] for part in reports for r in part)
    one, two = _reports(7, 20.0), _reports(7, 20.0)
    assert all((a.position_m == b.position_m).all() and a.known_us == b.known_us for a, b in zip(one, two, strict=True))
    with pytest.raises(ValueError, match="not after the last reading"):
        stream.read(0, np.ones((2, 2)), np.ones(2, np.bool_))


def test_a_place_alone_makes_an_upright_body_there():
    crowd = Crowd(assembly_people(count=5, panels=1), assembly_hall(), np.random.default_rng(1))
    run(crowd, 20.0)
    people = crowd.state()
    place, known = people.position_m + np.array([1.0, 2.0]), np.array([True, True, True, True, False])
    seen = known_by_place(people, place, np.zeros(5), known)
    assert (seen.present == known).all()
    assert len(seen.load_holder) == 0
    assert np.allclose(seen.position_m[:4], place[:4])
    assert np.allclose(seen.position_m[4], people.position_m[4])
    middle = 0.5 * (seen.capsule_a[:4, 3] + seen.capsule_b[:4, 3])[:, :2]
    assert np.abs(middle - place[:4]).max() < 0.05
    assert seen.capsule_b[:, 0, 2].max() > 0.85 * people.stature_m.min()  # heads are up
    k = int(people.panel_holder[0])
    if known[k]:
        assert np.hypot(*(seen.panel_position_m[0, :2] - place[k])) < 0.5


@pytest.mark.parametrize(("field", "value"), [("tag_sigma_m", 15.0), ("tag_rate_hz", 100.0), ("tag_delay_ms", 5000.0)])
def test_a_wrong_unit_is_refused(field: str, value: float):
    with pytest.raises(ValidationError, match=field):
        WatchConfig.model_validate({field: value})


def test_poses_are_the_default():
    assert WatchConfig().observed_by == "poses"
    assert assembly_people().forecast.observed_by == "poses"
