"""Whole networks over a fabricated channel: every policy, tick after tick, down to what was delivered and counted."""

import hashlib

import numpy as np
import pytest
from fabricated_air import FabricatedChannel, nobody
from packet_scene import CLASSES, DT_US, radio_config

from radio.messages.traffic import build_traffic
from radio.network import Ether, Network

TICKS = 300
NAMES = ("static", "reactive", "human_aware")


@pytest.fixture(scope="module")
def runs():
    """Run three seconds of the three policies; what each delivered and planned."""
    config = radio_config(4)
    channel = FabricatedChannel(config, len(CLASSES), 11)
    traffic = build_traffic(config, CLASSES, np.random.default_rng(11))
    ether = Ether(config, channel)
    networks = [Network(config, channel, traffic, name, len(CLASSES), 5) for name in NAMES]
    delivered, plans = [[] for _ in NAMES], [[] for _ in NAMES]
    for k in range(TICKS):
        now = k * DT_US
        if ether.forecast_due(now):
            ether.take_forecast([(now + h, *nobody(len(CLASSES))) for h in (100_000, 250_000, 500_000)])
        known = ether.begin(now, DT_US, None)
        air = ether.finish(known, None, [network.decide(known) for network in networks])
        for i, network in enumerate(networks):
            delivered[i].append(network.step(air))
            plans[i].append(network.plan)
    return traffic, networks, delivered, plans


def joined(results, name):
    return np.concatenate([getattr(r, name).ravel() for r in results])


def fingerprint(results, names):
    digest = hashlib.sha256()
    for name in names:
        digest.update(np.ascontiguousarray(joined(results, name), dtype="<i8").tobytes())
    return digest.hexdigest()[:16]


OUTCOME = (
    "stream", "message", "time_us", "ok", "latency_us", "cause", "owner", "part", "trp", "beam", "mcs", "spent_dl", "spent_ul",
)  # fmt: skip
ORDERS = ("trp", "beam", "sector", "usable", "repetitions")
# Written down from the NumPy form of the policies, human_aware from its kernels: outcomes, orders,
# expected losses, sum of the reckoned SINRs [dB], beam changes.
RECORDED = {
    "static": ("f88be0c70916f22c", "830f74d9b87fd01f", 942.331021094477, 258522.66317248732, 65),
    "reactive": ("d9372a5411e6ad18", "6028e7256908a1cd", 156.43311157022856, 179040.3589132022, 149),
    "human_aware": ("c536b67d7ff623f9", "d9f2c2aee5bfb978", 14.711852140985211, 137647.16550892274, 423),
}


@pytest.mark.parametrize("name", NAMES)
def test_networks_do_what_they_always_did(runs, name):
    _, networks, delivered, plans = runs
    i = NAMES.index(name)
    assert fingerprint(delivered[i], OUTCOME) == RECORDED[name][0]
    assert fingerprint(plans[i], ORDERS) == RECORDED[name][1]
    assert joined(delivered[i], "loss_probability").sum() == pytest.approx(RECORDED[name][2], rel=1e-9)
    reckoned = sum(float(p.sinr_dl_db.sum() + p.sinr_ul_db.sum()) for p in plans[i])
    assert reckoned == pytest.approx(RECORDED[name][3], rel=1e-9)
    assert networks[i].kpi.result(TICKS * DT_US * 1e-6, 20)["resources"]["beam_switches"] == RECORDED[name][4]


def test_every_network_meets_the_same_messages(runs):
    traffic, _, delivered, _ = runs
    sent = [{(int(s), int(m)) for r in d for s, m in zip(r.stream, r.message, strict=True)} for d in delivered]
    # what the one still has in its queue at the end, the other may have finished
    assert all(len(sent[0] ^ other) <= traffic.n_streams for other in sent[1:])


def test_load_is_what_was_spent(runs):
    _, networks, delivered, _ = runs
    for network, results in zip(networks, delivered, strict=True):
        last = results[-1]
        np.testing.assert_array_equal(network.load_dl, last.load_dl)
        np.testing.assert_array_equal(network.load_ul, last.load_ul)
        assert np.all(last.load_ul <= 1.0)
        assert last.load_ul.max() > 0.0


def test_a_static_plan_is_made_once_per_survey(runs):
    _, _, _, plans = runs
    static = plans[NAMES.index("static")]
    made = [k for k in range(1, TICKS) if static[k] is not static[k - 1]]
    assert made == list(range(10, TICKS, 10))
