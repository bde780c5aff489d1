"""A hall on two carriers: every TRP has the symbols, times, resource blocks and noise of its own."""

import math

import numpy as np
import pytest
from packet_scene import CLASSES, DT_US, make_plan, make_state, one_stream

from factory.margin import LinkMargin
from radio.config import NamedCarrierConfig, PanelConfig, RadioConfig, TrpConfig
from radio.links import Channel
from radio.messages import nr
from radio.messages.delivery import Delivery
from radio.messages.reliability import required_sinr_db
from radio.messages.traffic import build_traffic
from radio.network import Ether, Network
from radio.policies import LinkBudget
from radio.policies.base import recovery_tail_us
from radio.propagation.geometry import Hall
from radio.types import SHAPE_CAPSULE, Blockers, Ues

# 100 MHz at 30 kHz hold 273 PRBs (TS 38.101-1 table 5.3.2-1).
MID_BAND = NamedCarrierConfig(
    name="mid-band", frequency_hz=3.7e9, bandwidth_hz=100e6, subcarrier_spacing_hz=30_000, resource_blocks=273
)
WIDE = NamedCarrierConfig(name="wide", frequency_hz=27e9, bandwidth_hz=400e6, resource_blocks=264)


def hall_of(*carriers: str | None, named=(MID_BAND,), **changes: object) -> RadioConfig:
    """Radio section with a TRP per carrier name, None for the carrier section (28 GHz, 120 kHz, 66 PRBs)."""
    trps = tuple(
        TrpConfig(name=f"trp-{t}", position_m=(3.0 + 8.0 * t, 3.0 + 7.0 * (t % 2), 5.0), downtilt_deg=45.0, carrier=c)
        for t, c in enumerate(carriers)
    )
    return RadioConfig(trps=trps, carriers=named, **changes)  # type: ignore[arg-type]


def on_trp(n_ue, trp, **kwargs):
    plan = make_plan(n_ue, 1, **kwargs)
    plan.trp[:, 0] = trp
    return plan


def test_the_mid_band_leg_uses_symbols_of_30_khz():
    config = hall_of(None, "mid-band")
    traffic = one_stream(config, profile="mobile-robot")
    offset = int(traffic.offset_us[0])
    mu = 1
    preparation = (
        500 + nr.pusch_preparation_us(mu) / 2
    )  # edge host, then half of N2: 12 symbols of 35.7 us (TS 38.214 table 6.4-1)
    assert nr.pusch_preparation_us(mu) == pytest.approx(428.1, abs=0.1)
    result = Delivery(config, traffic, 1).deliver(0, DT_US, on_trp(1, 1, sinr_db=20.0), make_state(1))
    # 64 byte take less than a symbol of 3276 RE at MCS 28, and a mini-slot has two
    assert result.spent_dl.tolist() == [0, 2]
    # 14 of the 28 symbols of a millisecond are downlink, 86 % of them carry data
    assert result.available_dl.tolist() == [480, 120]
    period, inside = divmod(offset + preparation, 1000.0)
    symbol = max(math.ceil(inside / (500 / 14)), 2)  # the first two symbols are overhead
    begin = period * 1000 + symbol * 500 / 14 if symbol <= 12 else (period + 1) * 1000 + 2 * 500 / 14
    latency = begin + 2 * 500 / 14 + nr.pdsch_processing_us(mu) / 2 - offset
    assert int(result.latency_us[0]) == math.ceil(latency)


@pytest.mark.parametrize("seed", range(6))
def test_each_carrier_works_as_if_it_were_alone(seed):
    """UEs that stay on one carrier fare exactly as in a hall where every TRP is on it."""
    rng = np.random.default_rng(seed)
    both = hall_of(None, "mid-band")
    alone = hall_of(None, None), hall_of("mid-band", "mid-band")
    n_ue = len(CLASSES)
    traffic = build_traffic(both, CLASSES, rng)
    deliveries = [Delivery(c, traffic, seed) for c in (both, *alone)]
    trp = rng.integers(0, 2, n_ue)
    seen = [0, 0]
    for k in range(25):
        plan, state = make_plan(n_ue, 2), make_state(n_ue, owner=1)
        plan.trp[:, 0] = trp
        plan.usable[:] = rng.random(plan.usable.shape) < 0.9
        plan.repetitions[:] = rng.choice([1, 2, 4], n_ue)
        for values in (plan.sinr_dl_db, plan.sinr_ul_db, state.sinr_dl_db, state.sinr_ul_db, state.clear_dl_db):
            values[:] = rng.uniform(-10, 30, values.shape)
        got, *others = (d.deliver(k * DT_US, DT_US, plan, state) for d in deliveries)
        for t, other in enumerate(others):
            mine, theirs = trp[traffic.ue[got.stream]] == t, trp[traffic.ue[other.stream]] == t
            seen[t] += mine.sum()
            for name in ("stream", "message", "ok", "loss_probability", "latency_us", "cause", "owner", "mcs", "trp"):
                a = getattr(got, name)[mine]
                b = getattr(other, name)[theirs]
                order_a, order_b = (np.lexsort((r.message[m], r.stream[m])) for r, m in ((got, mine), (other, theirs)))
                np.testing.assert_array_equal(a[order_a], b[order_b])
            assert (got.spent_dl[t], got.spent_ul[t]) == (other.spent_dl[t], other.spent_ul[t])
            assert got.available_ul[t] == other.available_ul[t]
    assert min(seen) > 50


def test_legs_on_two_carriers_take_the_symbols_of_each():
    config = hall_of(None, "mid-band")
    traffic = one_stream(config, profile="control-to-control")
    plan = make_plan(1, 2, 3.0, second=True)
    bits, efficiency = 8000 + 24, nr.SPECTRAL_EFFICIENCY
    mcs = int(Delivery(config, traffic, 1).deliver(0, DT_US, plan, make_state(1)).mcs[0])
    symbols = [math.ceil(bits / efficiency[mcs] / (12 * blocks)) for blocks in (66, 273)]
    assert min(symbols) >= 2
    elements = [count * 12 * blocks for count, blocks in zip(symbols, (66, 273), strict=True)]
    # on 273 PRBs the block fills whole symbols less closely, so that the same risk needs less
    sinr_db = [float(required_sinr_db(n, bits, e)) + 2.0 for n, e in zip(elements, (0.1, 0.3), strict=True)]
    assert sinr_db[0] - sinr_db[1] > 0.2
    state = make_state(1, sinr_db[0], second_db=sinr_db[1])
    result = Delivery(config, traffic, 1).deliver(0, DT_US, plan, state)
    assert result.spent_dl.tolist() == symbols
    assert result.loss_probability[0] == pytest.approx(0.1 * 0.3, rel=1e-6)


def test_a_message_waits_for_the_leg_that_has_time_left():
    """At 30 kHz decoding takes longer, so the last chance of a leg comes earlier there; the other leg still has one."""
    config = hall_of("mid-band", None)
    traffic = one_stream(config, profile="mobile-robot", max_latency_us=10_000, transfer_interval_us=10_000)
    plan, state = make_plan(1, 2, 20.0, second=True, usable=False), make_state(1)
    delivery = Delivery(config, traffic, 1)
    # arrives in tick 0, due in tick 1 by either carrier: nothing is decided while no leg is usable
    assert delivery.deliver(0, DT_US, plan, state).stream.size == 0
    plan.usable[:] = True
    later = delivery.deliver(DT_US, DT_US, plan, state)
    assert later.message.tolist() == [0, 1]
    assert later.ok.all()
    assert set(later.trp.tolist()) == {0}


def test_noise_and_recovery_follow_the_carrier():
    config = hall_of(None, "mid-band", "wide", named=(MID_BAND, WIDE))
    budget = LinkBudget(config)
    # four times the bandwidth is 6.02 dB more noise
    assert budget.offset_dl_db[0] - budget.offset_dl_db[2] == pytest.approx(10 * math.log10(4))
    assert budget.offset_ul_db[1] == pytest.approx(budget.offset_ul_db[0])
    # 4 slots and 30 symbols: of 500 us at 30 kHz, of 125 us at 120 kHz
    assert recovery_tail_us(config).tolist() == pytest.approx([500 + 30 * 125 / 14, 2000 + 30 * 500 / 14, 500 + 30 * 125 / 14])


def test_ticks_must_hold_the_periods_of_every_carrier():
    config = hall_of(None, "mid-band")
    with pytest.raises(ValueError, match="whole multiples of the TDD period, 1000 us"):
        Delivery(config, one_stream(config, profile="mobile-robot"), 1).deliver(0, 500, make_plan(1, 2), make_state(1))


def test_margin_is_held_against_the_carrier_of_the_leg():
    config = hall_of(None, "mid-band")
    traffic = build_traffic(config, ("agv", "agv"), np.random.default_rng(1))
    margin, state, plan = LinkMargin(config, traffic, 2), make_state(2, 20.0), make_plan(2, 2)
    alone = [LinkMargin(c, traffic, 2).of(state) for c in (hall_of(None), hall_of("mid-band"))]
    # a slot of 273 PRBs needs less SINR for the same bits than one of 66
    assert np.all(alone[1] != alone[0])
    got = margin.of(state, plan.trp)
    assert got.tolist() == [alone[0][0], alone[1][1]]
    np.testing.assert_array_equal(margin.of(state), np.minimum(*alone))
    unused = make_state(2, 20.0, second_db=math.nan)
    np.testing.assert_array_equal(margin.of(unused, plan.trp), got)


def test_a_hall_on_two_carriers_runs_for_two_seconds():
    """One TRP at 3.7 GHz and three at 28 GHz, all policies, a walker between them and the devices."""
    config = hall_of("mid-band", None, None, None)
    weak = config.trps[0].model_copy(update={"panel": PanelConfig(rows=1, columns=2), "tx_power_dbm": 20.0})
    config = config.model_copy(update={"trps": (weak, *config.trps[1:])})
    hall = Hall(
        size_m=np.array([30.0, 15.0, 7.0]), box_center_m=np.array([[15.0, 7.5, 1.0]]), box_half_m=np.array([[2.0, 1.0, 1.0]]),
        box_yaw_rad=np.zeros(1), box_material=("metal",), wall_material="concrete", floor_material="concrete",
        ceiling_material="metal",
    )  # fmt: skip
    n_ue = 5
    channel = Channel(config, hall)
    traffic = build_traffic(config, ("agv",) * 3 + ("cobot", "panel"), np.random.default_rng(2))
    ether = Ether(config, channel)
    networks = [Network(config, channel, traffic, p, n_ue, 3) for p in config.policies]
    start = np.array([[2.0, 2.0, 1.2], [9.0, 12.0, 1.2], [27.0, 4.0, 1.2], [20.0, 10.0, 1.5], [12.0, 3.0, 1.2]])
    heading, owner = np.zeros(n_ue), np.full(n_ue, -1)

    def scene(time_us):
        t = time_us * 1e-6
        move = np.array([[1.5 * t, 0, 0], [1.0 * t, 0, 0], [-1.5 * t, 0, 0], [0, 0, 0], [0, 0.8 * t, 0]])
        body = np.array([[6.0 + 1.2 * t, 5.0, 0.3], [18.0 - t, 9.0, 0.3]])
        head = body + np.array([0.0, 0.0, 1.2])
        shape, n = np.full(2, SHAPE_CAPSULE), np.arange(2)
        return Ues(start + move, heading, owner), Blockers(
            body, head, np.full((2, 2), 0.25), np.zeros(2), shape, n, np.zeros(2, int)
        )

    served = set()
    for k in range(200):
        now = k * DT_US
        if ether.forecast_due(now):
            ether.take_forecast([(now + h, *scene(now + h)) for h in (100_000, 250_000, 500_000)])
        ues, bodies = scene(now)
        known = ether.begin(now, DT_US, ues)
        air = ether.finish(known, bodies, [network.decide(known) for network in networks])
        for network in networks:
            delivered = network.step(air)
            served |= set(network.plan.trp[network.plan.usable].tolist())
            assert np.all(delivered.spent_ul <= delivered.available_ul)
            assert np.all(delivered.latency_us[delivered.ok] <= traffic.deadline_us[delivered.stream[delivered.ok]])
            assert delivered.available_dl.tolist() == [120, 480, 480, 480]
    assert {0} < served  # the 3.7 GHz TRP and others
    for network in networks:
        services = network.kpi.result(2.0, 20)["services"]
        assert [s["messages"] > 0 for s in services] == [True] * 4
        assert services[0]["packet_error_ratio"]["value"] < 0.5
