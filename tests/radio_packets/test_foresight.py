"""A forecast that is worked out where somebody looks says the same as one that is worked out everywhere."""

from dataclasses import fields

import numpy as np
import pytest
from fabricated_air import FabricatedChannel, nobody
from packet_scene import CLASSES, DT_US, radio_config

from radio.foresight import Foresight
from radio.messages.traffic import build_traffic
from radio.network import Ether, Network
from radio.policies import LinkBudget

HORIZONS_US = (100_000, 250_000, 500_000)


def scenes(now_us, n_ue):
    return [(now_us + h, *nobody(n_ue)) for h in HORIZONS_US]


@pytest.mark.parametrize("seed", range(3))
def test_covering_piece_by_piece_equals_covering_all(seed):
    rng = np.random.default_rng(seed)
    config, n_ue = radio_config(4), 6
    channel, budget = FabricatedChannel(config, n_ue, seed), LinkBudget(config)
    n_links = n_ue * channel.n_trp
    whole = Foresight(channel, budget, scenes(0, n_ue), np.ones(n_links, bool))
    first, second = rng.random(n_links) < 0.3, rng.random(n_links) < 0.5
    parts = Foresight(channel, budget, scenes(0, n_ue), first)
    for known in (first, first | second, np.ones(n_links, bool)):
        if known is not first:
            assert parts.cover(known)
        assert not parts.cover(known)  # nothing is worked out twice
        np.testing.assert_array_equal(parts.covered, known)
        for got, want in zip(parts.reports, whole.reports, strict=True):
            assert got.time_us == want.time_us
            flat, all_of_it = got.gain.reshape(n_links, -1), want.gain.reshape(n_links, -1)
            np.testing.assert_array_equal(flat[known], all_of_it[known])
            assert (flat[~known] == 0.0).all()
            for name in ("dl_db", "ul_db", "beam", "sector"):  # also when asked before more was covered
                a, b = getattr(got.best(), name).ravel(), getattr(want.best(), name).ravel()
                np.testing.assert_array_equal(a[known], b[known])


def test_of_several_futures_a_report_says_what_all_but_a_share_exceed():
    config, n_ue = radio_config(4), 3
    channel = FabricatedChannel(config, n_ue, 5)
    futures = [scene for scene in scenes(0, n_ue) for _ in range(5)]

    class Falling(FabricatedChannel):
        calls = 0

        def sweep(self, *given):
            self.calls += 1
            sweep = super().sweep(*given)
            return type(sweep)(sweep.time_us, sweep.gain * (6 - (self.calls - 1) % 5))

    everywhere = np.ones(n_ue * channel.n_trp, bool)
    alone = Foresight(channel, LinkBudget(config), scenes(0, n_ue), everywhere).reports
    for share, factor in ((0.01, 2), (0.3, 3), (0.99, 5)):  # of gains times 2, 3, 4, 5 and 6, the lower neighbour
        drawn = Foresight(Falling(config, n_ue, 5), LinkBudget(config), futures, everywhere, share).reports
        assert [r.time_us for r in drawn] == list(HORIZONS_US)
        for one, many in zip(alone, drawn, strict=True):
            np.testing.assert_allclose(many.gain, factor * one.gain, rtol=1e-12)
            best = one.gain.max(axis=(2, 3))
            np.testing.assert_allclose(many.futures, [k * best for k in (6, 5, 4, 3, 2)], rtol=1e-12)  # each kept apart
    assert all(r.futures is None for r in alone)


def test_a_foresight_keeps_its_scenes():
    """Devices and bodies go on in their arrays; what is asked for later is of the scenes as they were expected."""
    seen = []

    class Watched(FabricatedChannel):
        def paths(self, ues, needed=None, remember=True):
            seen.append((ues.position_m.copy(), needed.copy(), remember))
            return super().paths(ues, needed, remember)

    config, n_ue = radio_config(4), 3
    channel = Watched(config, n_ue, 1)
    ahead = scenes(0, n_ue)
    none = np.zeros(n_ue * channel.n_trp, bool)
    foresight = Foresight(channel, LinkBudget(config), ahead, none)
    for _, ues, _ in ahead:
        ues.position_m[:] += 1.0
    foresight.cover(~none)
    assert all((position == 0.0).all() and not remember for position, _, remember in seen)
    assert [bool(needed.any()) for _, needed, _ in seen] == [False] * 3 + [True] * 3


@pytest.mark.parametrize("seed", range(3))
def test_a_policy_decides_the_same(seed):
    """Over two seconds, with bodies, handovers and recoveries, and without most links of the forecasts."""
    config, n_ue = radio_config(4), len(CLASSES)
    traffic = build_traffic(config, CLASSES, np.random.default_rng(seed))
    plans, covered = [], []
    for everything in (True, False):
        channel = FabricatedChannel(config, n_ue, seed)
        ether = Ether(config, channel)
        network = Network(config, channel, traffic, "human_aware", n_ue, seed)
        plans.append([])
        for k in range(200):
            now = k * DT_US
            if ether.forecast_due(now):
                ether.take_forecast(scenes(now, n_ue))
            known = ether.begin(now, DT_US, nobody(n_ue)[0])
            source = known.forecast[0].source
            if everything:
                source.cover(np.ones(n_ue * channel.n_trp, bool))
            plan = network.decide(known)
            if not everything and k > 0:
                covered.append(source.covered.mean())
            plans[-1].append(plan)
            network.step(ether.finish(known, nobody(n_ue)[1], [plan]))
    for got, want in zip(*plans, strict=True):
        for f in fields(want):
            np.testing.assert_array_equal(getattr(got, f.name), getattr(want, f.name))
    assert any((plan.trp[:, 1] >= 0).any() for plan in plans[0])  # second legs were chosen
    assert min(covered) < 1.0  # a fifth of all links fails at any time here, so most devices are looked at
