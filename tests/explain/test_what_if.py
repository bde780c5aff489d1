"""What losses are recorded with: by plain means, and without a trace in what the twin does."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outage_halls import SOUTH, WEST, hall, record, standing_at, twin_of

from factory.explain_run import standing_between
from factory.explain_saving import options
from factory.journal import Journal
from factory.margin import LinkMargin
from factory.recording import RunFolder
from factory.what_if import HEARD_DB, LOOK_US, _device_columns, _interferers, mcs_needs_db, stream_needs_db
from radio.config import RadioConfig, ServiceConfig, TrpConfig
from radio.messages import nr
from radio.messages.reliability import block_error
from radio.messages.traffic import build_traffic
from radio.types import LinkState

TRPS = (TrpConfig(name="a", position_m=(1.0, 1.0, 3.0)), TrpConfig(name="b", position_m=(9.0, 1.0, 3.0)))
SERVICES = (
    ServiceConfig(name="small", profile="mobile-robot", devices="agv"),
    ServiceConfig(name="large", profile="control-to-control", devices="cobot"),
    ServiceConfig(name="long", profile="control-to-control", devices="cobot", message_bytes=6000, direction="uplink"),
    ServiceConfig(name="frames", profile="video", devices="agv"),
)


def radio():
    config = RadioConfig(trps=TRPS, services=SERVICES)
    return config, build_traffic(config, ("agv", "cobot"), np.random.default_rng(1))


def test_a_message_needs_what_its_block_error_says():
    """One slot of 66 PRBs is 11,088 resource elements; 2 dB are lost to gap and channel estimation."""
    config, traffic = radio()
    need_db = stream_needs_db(config.carrier, config.link_adaptation, traffic)
    small, large, long, _ = need_db
    assert block_error(small - 2.0, 11_088.0, 64 * 8 + 16) == pytest.approx(1e-5, rel=1e-3)
    assert block_error(large - 2.0, 11_088.0, 1000 * 8 + 24) == pytest.approx(1e-5, rel=1e-3)
    # 6,000 bytes do not fit a slot at MCS 14, which has 1.1758 bits in each element
    assert block_error(long - 2.0, (6000 * 8 + 24 * 7) / 1.1758, 6000 * 8 + 24 * 7) == pytest.approx(1e-5, rel=0.2)


def test_devices_need_what_their_margin_is_measured_from():
    """`LinkMargin` says the same of services whose messages fit a slot, device by device."""
    config, traffic = radio()
    needs = stream_needs_db(config.carrier, config.link_adaptation, traffic)
    level = np.zeros((2, 2))
    state = LinkState(*(level,) * 9, level.astype(np.int64), level.astype(np.int64))
    margin_db = LinkMargin(config, traffic, len(state.sinr_dl_db)).of(state)
    assert margin_db[0] == pytest.approx(-max(needs[0], needs[3]), abs=1e-9)


def test_a_higher_mcs_needs_more():
    config, traffic = radio()
    needs = mcs_needs_db(config.carrier, config.link_adaptation, traffic)
    assert needs.shape == (4, 29)
    assert (np.diff(needs, axis=1) >= -1e-9).all()
    # a message of 64 bytes fills two symbols, 1,584 elements, from MCS 8 on
    assert np.ptp(needs[0, 8:]) == 0.0
    assert block_error(needs[0, 20] - 2.0, 1584.0, 64 * 8 + 16) == pytest.approx(1e-5, rel=1e-3)
    assert nr.SPECTRAL_EFFICIENCY[8] * 1584 > 64 * 8 + 16


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_other_trps_and_interferers_are_those_of_plain_loops(seed):
    rng = np.random.default_rng(seed)
    n_ue, n_trp, n_beam, n_sector = 6, 4, 5, 2
    plan_trp = rng.integers(0, n_trp, (n_ue, 2))
    plan_trp[rng.random(n_ue) < 0.5, 1] = -1
    beam, sector = rng.integers(0, n_beam, (n_ue, 2)), rng.integers(0, n_sector, (n_ue, 2))
    usable = rng.random((n_ue, 2)) < 0.7
    best_dl_db, best_ul_db = rng.normal(10, 8, (2, n_ue, n_trp))
    need_db = rng.normal(0, 5, (2, n_trp, n_ue))
    need_db[1, :, 0] = -np.inf
    numbers, codes = _device_columns(plan_trp, usable, best_dl_db, best_ul_db, need_db, 0.001)
    for u in range(n_ue):
        free = [t for t in range(n_trp) if t not in plan_trp[u]]
        other = max(free, key=lambda t: best_dl_db[u, t])
        snr = 10 ** (np.array([best_dl_db[u, other], best_ul_db[u, other]]) / 10)
        margin_db = 10 * np.log10(1 / (1 / snr + 0.001)) - need_db[:, other, u]
        assert codes[1, u] == other
        assert numbers[2, u] == pytest.approx(margin_db.min())
    assert np.isnan(numbers[1, 0])
    gain, power, load = rng.random((n_ue, n_trp, n_beam, n_sector)), rng.random(n_trp), rng.random((2, n_trp))
    carrier = rng.integers(0, 2, n_trp)
    ue, direction = np.arange(n_ue), rng.integers(0, 2, n_ue)
    heard_db = rng.random(n_ue) * 4
    leg = np.zeros(n_ue, np.int64)
    found = _interferers(
        ue, direction, plan_trp[:, 0], leg, heard_db, plan_trp, beam, sector, gain, carrier, power, load[0], load[1]
    )
    for u in range(n_ue):
        heard = np.zeros(n_trp)
        for o in range(n_trp):
            its = np.flatnonzero(plan_trp[:, 0] == o)
            if o == plan_trp[u, 0] or carrier[o] != carrier[plan_trp[u, 0]] or not len(its):
                continue
            if direction[u] == 0:
                heard[o] = power[o] * load[0, o] * gain[u, o, beam[its, 0], sector[u, 0]].mean()
            else:
                heard[o] = load[1, o] * gain[its, plan_trp[u, 0], beam[u, 0], sector[its, 0]].mean()
        wanted = heard.argmax() if heard_db[u] > HEARD_DB and heard.max() > 0 else -1
        assert found[u] == wanted


@pytest.mark.system
def test_a_second_leg_has_the_margin_that_its_own_run_shows(tmp_path):
    """South, where it serves itself, has the SINR that it was told to have beside west."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    both = record(tmp_path / "a", hall(people=standing_at(6.0, 4.0), radio={"trps": [WEST, SOUTH]}), 0.3)
    alone = record(tmp_path / "b", hall(people=standing_at(6.0, 4.0), radio={"trps": [SOUTH]}), 0.3)
    first = both.events[both.events["kind"] == "packet_lost"].iloc[0]
    assert first["other_trp"] == "south"
    ticks = alone.run.ticks()
    margin_db = ticks["sinr_dl_db"].iloc[0] - first["need_db"]
    assert first["other_margin_db"] == pytest.approx(margin_db, abs=0.1)
    assert ticks["margin_db"].iloc[0] == pytest.approx(margin_db, abs=0.01)
    # a sweep adds paths in power and sees no phases: within the fading of few paths
    assert both.run.ticks()["other_margin_db"].iloc[0] == pytest.approx(margin_db, abs=3.0)
    # looked at when the loss begins, then five times a second
    looked = both.events[(both.events["kind"] == "packet_lost") & both.events["other_margin_db"].notna()]
    assert len(looked) == 1 + (300_000 - 1) // LOOK_US


@pytest.mark.system
def test_recording_leaves_no_trace_in_the_twin(tmp_path):
    """Messages are the same bit by bit whether or not somebody looks at what they could have had."""
    seen = []
    for recorded in (False, True):
        twin = twin_of(tmp_path, hall(people=standing_at(6.0, 4.0), radio={"trps": [WEST, SOUTH], "policy": "reactive"}))
        kept = RunFolder.create(tmp_path / f"run-{recorded}", twin.loaded.text, {}, 1)
        journal = Journal(twin, kept)
        mine = []
        for _ in range(60):
            tick = twin.tick()
            if recorded:
                journal.add(tick)
            mine += [np.concatenate([d.floats.ravel(), d.ints.ravel()]) for d in tick.delivered]
        journal.recorder.close({})
        twin.close()
        seen.append(np.concatenate(mine))
    np.testing.assert_array_equal(*seen)
    assert np.isfinite(seen[0]).any()


@pytest.mark.parametrize(
    ("to_m", "wanted"),
    [
        ((9.0, 5.0, 1.0), ("far", "near")),
        ((5.0, 5.0, 1.0), ("near",)),
        ((9.0, 5.0, 9.9), ()),  # passes above both
        ((1.0, 9.0, 1.0), ()),
    ],
)
def test_boxes_between_two_places(to_m, wanted):
    boxes = [
        {"name": "near", "center_m": [3.0, 5.0], "size_m": [1.0, 2.0, 2.0]},
        {"name": "far", "center_m": [7.0, 5.0], "size_m": [0.2, 3.0, 2.0], "yaw_deg": 30},
    ]
    assert standing_between({"hall": {"boxes": boxes}}, (1.0, 5.0, 1.0), to_m) == wanted


def test_no_option_is_made_of_nothing():
    assert options(pd.DataFrame({"cause": []}), "body") == ()
    blank = pd.DataFrame({"cause": ["body"], "need_db": [np.nan], "other_margin_db": [np.nan]})
    assert options(blank, "body") == ()
