"""Policies side by side: what one call delivers and counts for all is what each delivers and counts alone."""

import numpy as np
from packet_scene import CLASSES, DT_US, make_plan, radio_config

from radio.figures.kpi import KpiAccumulator
from radio.messages.delivery import Delivery
from radio.messages.packets import Packets
from radio.messages.traffic import build_traffic
from radio.types import LinkState, LinkStates

N_UE = len(CLASSES)
FIELDS = (
    "stream", "message", "time_us", "ok", "loss_probability", "latency_us", "cause", "owner", "part", "sinr_db", "plan_sinr_db",
    "trp", "beam", "mcs", "spent_dl", "spent_ul", "available_dl", "available_ul", "load_dl", "load_ul",
)  # fmt: skip


def any_state(rng: np.random.Generator) -> LinkState:
    """Return levels around the lower end of the MCS table, so that messages are lost for all sorts of reasons."""
    sinr = [rng.normal(3.0, 8.0, (N_UE, 2)) for _ in range(2)]
    better = [level + rng.exponential(4.0, (N_UE, 2)) for _ in range(3) for level in sinr]
    owner = rng.integers(-1, 4, (N_UE, 2))
    return LinkState(*sinr, *better, rng.exponential(3.0, (N_UE, 2)), owner, np.where(owner >= 0, 2, -1))


def same(one, other) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def counted(kpi: KpiAccumulator) -> dict:
    """Return the figures but for the tail of margins, which are followed for policies side by side alone."""
    result = kpi.result(2.0, 20)
    for service in result["services"]:
        del service["estimators"]["peaks_over_threshold"]
    return result


def test_side_by_side_is_as_alone():
    config, rng = radio_config(3), np.random.default_rng(4)
    traffic = build_traffic(config, CLASSES, rng)
    packets = Packets(config, traffic, 3, N_UE, 9)
    alone = [(Delivery(config, traffic, 9), KpiAccumulator(traffic, 9)) for _ in range(3)]
    fixed = make_plan(N_UE, 3, 12.0, second=True)
    for k in range(200):
        plans = [fixed, make_plan(N_UE, 3, rng.normal(8.0, 5.0)), make_plan(N_UE, 3, 4.0, second=True, usable=k % 9 != 0)]
        states = [any_state(rng) for _ in plans]
        got = packets.deliver(k * DT_US, DT_US, (0, 1, 2), plans, LinkStates.of(states))
        for p, (delivery, kpi) in enumerate(alone):
            wanted = delivery.deliver(k * DT_US, DT_US, plans[p], states[p])
            kpi.add(wanted, plans[p])
            same(got[p], wanted)
            np.testing.assert_array_equal(packets.load[p], delivery.load[0])
    for p, (_, kpi) in enumerate(alone):
        assert counted(packets.kpis[p]) == counted(kpi)
        assert packets.kpis[p].running() == kpi.running()
    assert len({str(kpi.result(2.0, 20)) for kpi in packets.kpis}) == 3


def test_policies_may_be_stepped_one_by_one_and_in_any_order():
    config, rng = radio_config(3), np.random.default_rng(5)
    traffic = build_traffic(config, CLASSES, rng)
    together, apart = (Packets(config, traffic, 2, N_UE, 9) for _ in range(2))
    for k in range(30):
        plans, states = [make_plan(N_UE, 3, 9.0), make_plan(N_UE, 3, 3.0)], [any_state(rng) for _ in range(2)]
        got = together.deliver(k * DT_US, DT_US, (0, 1), plans, LinkStates.of(states))
        for p in (1, 0):
            same(apart.deliver(k * DT_US, DT_US, (p,), plans[p : p + 1], LinkStates.of(states[p : p + 1]))[0], got[p])


def test_what_was_delivered_is_not_written_to_again():
    config = radio_config(3)
    packets = Packets(config, build_traffic(config, CLASSES, np.random.default_rng(5)), 1, N_UE, 9)
    plan, states = make_plan(N_UE, 3, 9.0), LinkStates.of([any_state(np.random.default_rng(6))])
    first = packets.deliver(0, DT_US, (0,), [plan], states)[0]
    kept = first.ints.copy(), first.floats.copy(), first.spent.copy()
    packets.deliver(DT_US, DT_US, (0,), [plan], states)
    for array, before in zip((first.ints, first.floats, first.spent), kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_states_side_by_side_give_each_state_back():
    states = [any_state(np.random.default_rng(seed)) for seed in range(3)]
    stacked = LinkStates.of(states)
    assert len(stacked) == 3
    assert LinkStates.of(stacked) is stacked
    for got, wanted in zip([*stacked[:1], stacked[1], stacked[2]], states, strict=True):
        for name in LinkState.__slots__:
            np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name))
