"""Slices: shares are kept in every tick, what is free is shared, and one slice's overload is its own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packet_scene import CLASSES, DT_US, make_plan, make_state, radio_config
from pydantic import ValidationError
from test_user_plane import column, random_plan

from radio.config import CarrierConfig, ServiceConfig, SliceConfig
from radio.messages.delivery import Cause, Delivery
from radio.messages.slices import Slices
from radio.messages.traffic import build_traffic

SERVICES = (
    ServiceConfig(name="control", profile="mobile-robot", devices="agv", direction="uplink"),
    ServiceConfig(name="video", profile="video", devices="agv"),
)


def hall(slices=(), services=SERVICES, agvs=6, blocks=20, scheduler="first_come"):
    carrier = CarrierConfig(resource_blocks=blocks)
    config = radio_config(1, services=services, slices=slices, carrier=carrier, scheduler=scheduler)
    traffic = build_traffic(config, ("agv",) * agvs, np.random.default_rng(3))
    return config, traffic


def run(config, traffic, ticks=60, agvs=6, reckoned=20.0):
    delivery = Delivery(config, traffic, 1)
    plan, state = make_plan(agvs, 1, reckoned), make_state(agvs, 30.0)
    return [delivery.deliver(k * DT_US, DT_US, plan, state) for k in range(ticks)]


def test_an_overload_of_video_stays_in_its_slice():
    """Without slices and priorities frames that wait keep control waiting; with a guaranteed share they do not."""
    config, traffic = hall()
    plain = run(config, traffic)
    control = ~traffic.video[column(plain, "stream")]
    lost = ~column(plain, "ok")
    assert lost[control].mean() > 0.3
    assert set(column(plain, "cause")[lost & control]) == {Cause.NO_RESOURCES}
    config, traffic = hall((SliceConfig(name="control", services=("control",), guaranteed_share=0.1),))
    sliced = run(config, traffic)
    control = ~traffic.video[column(sliced, "stream")]
    assert column(sliced, "ok")[control].all()
    assert (~column(sliced, "ok"))[~control].any()  # the overload is still there, in video


def test_a_maximum_caps_the_one_that_overloads():
    config, traffic = hall((SliceConfig(name="video", services=("video",), maximum_share=0.5),))
    results = run(config, traffic)
    control = ~traffic.video[column(results, "stream")]
    assert column(results, "ok")[control].all()
    for r in results:
        assert r.spent_by_service[1, 1, 0] <= 0.5 * r.available_ul[0]
    assert max(r.spent_by_service[1, 1, 0] for r in results) == int(0.5 * results[0].available_ul[0])


def test_dedicated_symbols_are_lost_to_others_and_guaranteed_ones_are_not():
    spent = {}
    for kind in ("dedicated_share", "guaranteed_share"):
        config, traffic = hall((SliceConfig(name="control", services=("control",), **{kind: 0.4}),))
        results = run(config, traffic)
        spent[kind] = max(int(r.spent_by_service[1, 1, 0]) for r in results)
    available = int(results[0].available_ul[0])
    assert spent["dedicated_share"] <= available - int(0.4 * available)
    assert spent["guaranteed_share"] > 0.9 * available


def test_slices_of_two_tenants_keep_their_floor_under_each_other():
    """Two control services, of which the one with less time has more traffic than fits."""
    services = (
        ServiceConfig(name="ours", profile="mobile-robot", devices="agv", share=0.2, direction="uplink"),
        ServiceConfig(
            name="theirs", profile="mobile-robot", devices="agv", direction="uplink", transfer_interval_us=200,
            survival_time_us=1_000, max_latency_us=5_000,
        ),
    )  # fmt: skip
    kept = {}
    for slices in ((), (SliceConfig(name="ours", services=("ours",), guaranteed_share=0.2),)):
        config, traffic = hall(slices, services, agvs=10, scheduler="control_first")
        results = run(config, traffic, ticks=40, agvs=10, reckoned=5.0)
        kept[len(slices)] = column(results, "ok")[traffic.service[column(results, "stream")] == 0].mean()
    assert kept[1] == 1.0
    assert kept[0] < 0.9


@settings(deadline=None, max_examples=40, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    dedicated=st.floats(0, 0.3),
    guaranteed=st.floats(0, 0.4),
    maximum=st.floats(0.05, 1.0),
    scheduler=st.sampled_from(["control_first", "earliest_deadline", "first_come"]),
    chains=st.integers(1, 2),
)
def test_shares_are_kept_in_every_tick(seed, dedicated, guaranteed, maximum, scheduler, chains):
    rng = np.random.default_rng(seed)
    first = SliceConfig(
        name="a", services=("agv-control", "agv-video"), dedicated_share=dedicated, guaranteed_share=dedicated + 0.1
    )
    maximum = max(maximum, guaranteed)
    second = SliceConfig(name="b", services=("cobot-control",), guaranteed_share=guaranteed, maximum_share=maximum)
    config = radio_config(3, slices=(first, second), scheduler=scheduler, carrier=CarrierConfig(resource_blocks=20))
    trps = tuple(t.model_copy(update={"rf_chains": chains}) for t in config.trps)
    config = config.model_copy(update={"trps": trps})
    traffic = build_traffic(config, CLASSES, rng)
    slices = Slices(config.slices, traffic.service_name)
    delivery = Delivery(config, traffic, seed)
    total = finished = 0
    for k in range(10):
        plan, state = random_plan(rng, len(CLASSES), 3)
        got = delivery.deliver(k * DT_US, DT_US, plan, state)
        by_slice = np.array([got.spent_by_service[slices.of_service == i].sum(axis=0) for i in range(2)])
        np.testing.assert_array_equal(by_slice, delivery._by_slice[0])
        np.testing.assert_array_equal(got.spent_by_service.sum(axis=0), got.spent)
        assert np.all(got.spent <= got.available)
        assert np.all(by_slice[1] <= np.floor(maximum * got.available + 1e-9))
        outside_a = got.spent - by_slice[0]
        assert np.all(outside_a <= got.available - np.floor(dedicated * got.available + 1e-9))
        total += int(got.spent.sum())
        finished += int(got.spent_symbols.sum())
        queued = delivery._queue_i[0, : delivery._n_queue[0]]
        assert total == finished + int(queued[:, 7].sum())


def test_symbols_of_the_shares_are_whole():
    shares = Slices((SliceConfig(name="s", services=("x",), dedicated_share=0.3, maximum_share=0.7),), ("w", "x"))
    assert shares.of_service.tolist() == [-1, 0]
    symbols = shares.symbols(np.array([[480], [101]]))
    assert symbols[:, 0, :, 0].tolist() == [[144, 30], [144, 30], [336, 70]]


@pytest.mark.parametrize(
    ("slices", "match"),
    [
        (
            ({"dedicated_share": 0.6}, {"services": ("video",), "guaranteed_share": 0.5}),
            r"add up to 1\.1; there is no more than 1",
        ),
        (({}, {"services": ("control", "video")}), "service 'control' is in 'a' and in 'b'; it can be in one"),
        (({"services": ("controll",)},), "'a' has service 'controll', which does not exist; known: control, video"),
        (({"dedicated_share": 0.5, "guaranteed_share": 0.4},), "must not fall in this order"),
        (({"guaranteed_share": 0.5, "maximum_share": 0.4},), "must not fall in this order"),
        (({"guaranteed_share": 40},), "less than or equal to 1"),
        (({"maximum_share": 0},), "greater than 0"),
    ],
)
def test_slices_that_cannot_be(slices, match):
    made = [{"name": name, "services": ("control",)} | s for name, s in zip("ab", slices, strict=False)]
    with pytest.raises(ValidationError, match=match):
        radio_config(1, services=SERVICES, slices=made)
