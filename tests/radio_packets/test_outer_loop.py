"""Outer-loop link adaptation: kernels beside their reference, where the loop comes to rest, and what a policy makes of it."""

import numpy as np
import pytest
from fabricated_air import FabricatedChannel, nobody
from hypothesis import given, settings
from hypothesis import strategies as st
from packet_scene import CLASSES, DT_US, radio_config
from policy_drive import column, drive
from pydantic import ValidationError

from radio.config import LinkAdaptationConfig, RadioConfig
from radio.messages.traffic import build_traffic
from radio.network import Ether, Network
from radio.policies.outer_loop import HarqFeedback, LinkFeedback, OuterLoop, follow_plain
from radio.policy_config import OuterLoopConfig

N_UE = 6


def adapting(n_trp=1, **loop) -> RadioConfig:
    return radio_config(n_trp, link_adaptation=LinkAdaptationConfig(outer_loop=OuterLoopConfig(enabled=True, **loop)))


@settings(deadline=None, derandomize=True, max_examples=40)
@given(seed=st.integers(0, 2**31), step=st.floats(0.05, 5), target=st.floats(1e-5, 0.2), gain=st.floats(0, 1))
def test_kernels_do_what_the_reference_does(seed, step, target, gain):
    rng = np.random.default_rng(seed)
    config = OuterLoopConfig(enabled=True, step_db=step, target=target, shortfall_gain=gain, minimum_db=1.0, maximum_db=18.0)
    loop, plain = OuterLoop(config, 6.0, N_UE), np.full((2, N_UE), 6.0)
    for _ in range(20):
        told = LinkFeedback(rng.integers(0, 6, (2, N_UE)), rng.integers(0, 3, (2, N_UE)) * (rng.random((2, N_UE)) < 0.2))
        reckoned, measured = rng.uniform(0, 20, (2, N_UE)), rng.uniform(0, 30, (2, N_UE))
        measured[rng.random((2, N_UE)) < 0.2] = np.nan
        loop.follow(told, reckoned, measured)
        plain = follow_plain(plain, told, reckoned, measured, config)
        np.testing.assert_allclose(loop.margin_db, plain, rtol=0, atol=1e-9)
        assert loop.margin_db.min() >= 1.0
        assert loop.margin_db.max() <= 18.0


@pytest.mark.parametrize("target", [0.01, 0.1])
def test_the_share_of_losses_comes_to_the_target(target):
    # Pedersen et al. 2007: up by the step, down by step * target / (1 - target); a message is lost if its fade exceeds the margin
    rng = np.random.default_rng(2)
    loop = OuterLoop(OuterLoopConfig(enabled=True, step_db=0.2, target=target, maximum_db=60.0), 4.0 * np.log(1.0 / target), 50)
    lost = sent = 0
    for k in range(6000):
        fades = rng.exponential(4.0, (2, 50))
        bad = (fades > loop.margin_db).astype(np.int64)
        loop.follow(LinkFeedback(1 - bad, bad), None, None)
        if k >= 1000:
            lost, sent = lost + bad.sum(), sent + bad.size
    assert lost / sent == pytest.approx(target, rel=0.02)


def test_a_shortfall_counts_by_its_depth_and_an_unmeasured_leg_not_at_all():
    loop = OuterLoop(OuterLoopConfig(enabled=True, shortfall_gain=0.5), 6.0, 3)
    loop.follow(None, np.full((2, 3), 14.0), np.array([[4.0, 20.0, np.nan]] * 2))
    assert loop.margin_db[:, 0] == pytest.approx(6.0 + 0.5 * 10.0)
    assert np.all(loop.margin_db[:, 1] < 6.0)
    assert loop.margin_db[:, 2].tolist() == [6.0, 6.0]


def test_bounds_out_of_order_are_refused():
    with pytest.raises(ValidationError, match="minimum_db 9 is above maximum_db 5"):
        OuterLoopConfig(minimum_db=9.0, maximum_db=5.0)


def wandering(t):
    """Let one beam's SNR fall by 8 dB for one tick in five."""
    snr = np.full((1, 1, 2, 1), -20.0)
    snr[0, 0, 0, 0] = 22.0 - 8.0 * (t // DT_US % 5 == 0)
    return snr


def test_reactive_raises_its_margin_where_the_channel_falls_again_and_again():
    fixed = drive("reactive", adapting().model_copy(update={"link_adaptation": LinkAdaptationConfig()}), wandering, 400)
    loop = drive("reactive", adapting(), wandering, 400)

    def short(plans):  # ticks in which the MCS was chosen for more than there was
        reckoned = column(plans, "sinr_dl_db")[200:]
        return np.mean([r > wandering(k * DT_US)[0, 0, 0, 0] for k, r in enumerate(reckoned, 200)])

    assert short(fixed) == pytest.approx(0.2)
    assert short(loop) < 0.05
    assert fixed[-1].margin_db is None
    assert np.all(loop[-1].margin_db > 6.0)


def test_a_steady_channel_gives_margin_back():
    steady = drive("reactive", adapting(target=0.1), lambda t: wandering(DT_US), 400)
    assert steady[-1].margin_db.max() == pytest.approx(0.0)
    reckoned = column(steady, "sinr_dl_db")
    assert reckoned[-1] == pytest.approx(reckoned[10] + 6.0, abs=0.6)


@pytest.mark.parametrize("name", ["duplicate", "human_aware", "decentralised"])
def test_policies_built_on_reactive_adapt_as_well(name):
    plans = drive(name, adapting(2), lambda t: np.tile(wandering(t), (1, 2, 1, 1)), 100)
    assert plans[-1].margin_db is not None
    assert np.all(plans[-1].margin_db[:, 0] > 6.0)


class Told:
    """A tick's messages of one stream of each kind."""

    def __init__(self, stream, ok, transmissions):
        self.stream, self.ok, self.transmissions = np.array(stream), np.array(ok), np.array(transmissions)


def test_feedback_is_late_and_counts_transmissions():
    config = radio_config(1)
    traffic = build_traffic(config, CLASSES, np.random.default_rng(0))
    video = int(np.flatnonzero(traffic.video)[0])
    down = int(np.flatnonzero(~traffic.video & (traffic.direction == 0))[0])
    feedback = HarqFeedback(config, traffic, len(CLASSES))
    # two sent and one of them lost, one that needed three, one never sent, and a frame
    feedback.add(0, DT_US, Told([down, down, down, down, video], [True, False, True, False, True], [1, 1, 3, 0, 0]))
    assert feedback.latest(DT_US).lost.sum() == 0  # decoded, but the answer is still to come
    told = feedback.latest(2 * DT_US)
    u = traffic.ue[down]
    assert (told.acknowledged[0, u], told.lost[0, u]) == (2, 3)
    assert told.acknowledged.sum() == 2
    assert told.lost.sum() == 3
    assert feedback.latest(3 * DT_US).lost.sum() == 0  # nothing is told twice


def test_a_whole_network_reckons_with_less_where_bodies_come_and_go():
    """In ticks in which a 7.5 dB body has just come, an MCS chosen for more than there is left is what loses messages."""

    def overreached(adaptation):
        config = radio_config(4, link_adaptation=adaptation)
        channel = FabricatedChannel(config, len(CLASSES), 11)
        full_db = channel.body_db
        channel.body_db = lambda t: full_db(t) / 4.0
        traffic = build_traffic(config, CLASSES, np.random.default_rng(11))
        ether, network = Ether(config, channel), Network(config, channel, traffic, "reactive", len(CLASSES), 5)
        ues, bodies = nobody(len(CLASSES))
        count = 0
        for k in range(300):
            known = ether.begin(k * DT_US, DT_US, ues)
            plan = network.decide(known)
            network.step(ether.finish(known, bodies, [plan]))
            if k >= 100:
                count += int(np.count_nonzero(plan.sinr_dl_db > network.state.sinr_dl_db[:, 0]))
        return count

    start = LinkAdaptationConfig(margin_db=0.0)
    loop = LinkAdaptationConfig(margin_db=0.0, outer_loop=OuterLoopConfig(enabled=True, shortfall_gain=0.5))
    assert overreached(loop) < 0.2 * overreached(start)
