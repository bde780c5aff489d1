"""Key figures: exact expectations, intervals that hold what they promise, bounded memory, plain JSON."""

import json

import numpy as np
import pytest
from packet_scene import CLASSES, DT_US, make_plan, make_state, radio_config

from radio.config import ServiceConfig
from radio.figures.kpi import KpiAccumulator
from radio.messages.delivery import Cause, Delivered, Delivery
from radio.messages.reliability import iid_mtbf_s, mtbf_figure, service_down, service_down_probability
from radio.messages.traffic import build_traffic

SERVICES = (
    ServiceConfig(name="control", profile="mobile-robot", devices="agv", availability_target=0.99, mtbf_target_s=10.0),
    ServiceConfig(name="panel", profile="mobile-panel-estop", devices="panel"),
)


def make_traffic(n_agv=4):
    config = radio_config(2, services=SERVICES)
    return build_traffic(config, ("agv",) * n_agv + ("panel",), np.random.default_rng(1))


def messages(stream, message, time_us, loss, rng, latency_us=900, n_trp=2):
    """Make the results of a tick: drawn outcomes for given loss probabilities."""
    n = len(stream)
    ok = rng.random(n) >= loss
    none = np.full(n, -1)
    spent, available = np.array([48, 24]), np.full(n_trp, 480)
    return Delivered(
        np.asarray(stream), np.asarray(message), np.asarray(time_us), ok, np.asarray(loss, dtype=float),
        np.where(ok, latency_us, -1), np.where(ok, 0, int(Cause.BODY)), none, none, np.zeros(n), np.zeros(n), none, none, none,
        spent, spent, available, available,
    )  # fmt: skip


def feed(kpis, losses, rng, stream=0, interval_us=10_000, latency_us=900):
    """Feed one stream's messages, 500 a tick; return the outcomes."""
    outcomes = []
    for begin in range(0, len(losses), 500):
        part = np.arange(begin, min(begin + 500, len(losses)))
        got = messages(np.full(len(part), stream), part, part * interval_us, losses[part], rng, latency_us)
        outcomes.append(got.ok)
        kpis.add(got)
    return np.concatenate(outcomes)


def test_figures_equal_the_survival_rule():
    rng = np.random.default_rng(5)
    traffic = make_traffic()
    kpis = KpiAccumulator(traffic, 1)
    losses = [np.clip(rng.normal(0.2, 0.3, 3000), 0, 1), np.clip(rng.normal(0.0, 0.2, 3000), 0, 1)]
    outcomes = [feed(kpis, p, rng, s) for s, p in enumerate(losses)]
    control = kpis.result(30.0)["services"][0]
    down, entry = (np.concatenate(x) for x in zip(*(service_down_probability(p, 2) for p in losses), strict=True))
    counted = [service_down(ok, 2) for ok in outcomes]
    entries = sum(np.count_nonzero(np.diff(np.concatenate(([0], c.astype(int)))) == 1) for c in counted)
    assert control["messages"] == 6000
    assert control["lost"] == sum(np.count_nonzero(~ok) for ok in outcomes)
    assert control["unavailability"]["value"] == pytest.approx(down.mean(), rel=1e-9)
    assert control["availability"]["value"] == pytest.approx(1 - down.mean(), rel=1e-9)
    assert control["mtbf_s"]["value"] == pytest.approx(0.01 * len(entry) / entry.sum(), rel=1e-9)
    assert control["packet_error_ratio"]["value"] == pytest.approx(np.concatenate(losses).mean(), rel=1e-9)
    assert control["outages"] == entries
    assert control["down_s"] == pytest.approx(0.01 * sum(c.sum() for c in counted))
    assert control["counted"]["availability"] == pytest.approx(1 - np.concatenate(counted).mean())
    assert control["causes"] == {"body": control["lost"]}


@pytest.mark.parametrize("split", [1, 7, 50])
def test_result_does_not_depend_on_how_messages_fall_into_ticks(split):
    losses = np.random.default_rng(2).random(700) ** 3
    whole, parts = KpiAccumulator(make_traffic(), 1), KpiAccumulator(make_traffic(), 1)
    got = messages(np.zeros(700, dtype=int), np.arange(700), np.arange(700) * 10_000, losses, np.random.default_rng(3))
    whole.add(got)
    for begin in range(0, 700, split):
        cut = slice(begin, begin + split)
        parts.add(Delivered.of_tick(got.ints[:, cut].copy(), got.floats[:, cut].copy(), got.ok[cut], got.spent, got.available))
    assert whole.result(7.0)["services"] == parts.result(7.0)["services"]


def test_iid_losses_give_the_textbook_figures_inside_their_intervals():
    rng = np.random.default_rng(8)
    kpis = KpiAccumulator(make_traffic(), 1)
    for s in range(4):
        feed(kpis, np.full(30_000, 0.05), rng, s)
    control = kpis.result(300.0)["services"][0]
    assert control["unavailability"]["value"] == pytest.approx(0.0025, rel=1e-3)
    assert control["mtbf_s"]["value"] == pytest.approx(iid_mtbf_s(0.05, 2, 10_000), rel=1e-3)
    # what was counted lies near it: 300 outages expected
    assert control["outages"] == pytest.approx(120_000 * 0.0025 * 0.95, abs=5 * np.sqrt(300))
    assert control["counted"]["availability"] == pytest.approx(0.9975, abs=5e-4)


def test_bootstrap_interval_covers_the_truth():
    """Blocks with and without episodes: of many repetitions about 95 % of the intervals hold the mean over episodes."""
    rng, covered, trials = np.random.default_rng(4), 0, 60
    truth = 0.3 * 0.25 * (1000 - 1) / 1000  # 30 % of the blocks lose each message with 0.5; the first has no history
    for _ in range(trials):
        kpis = KpiAccumulator(make_traffic(), 1)
        losses = np.repeat(np.where(rng.random(60) < 0.3, 0.5, 0.0), 1000)
        losses[::1000] = 0.0  # keeps blocks apart
        feed(kpis, losses, rng)
        interval = kpis.result(600.0, replicates=200)["services"][0]["unavailability"]
        covered += interval["low"] <= truth <= interval["high"]
    assert covered >= 0.85 * trials


def test_few_units_widen_the_bound_to_what_no_failure_proves():
    rng = np.random.default_rng(4)
    kpis = KpiAccumulator(make_traffic(), 1)
    for s in range(4):
        feed(kpis, np.zeros(12_000), rng, s)
    control = kpis.result(120.0)["services"][0]
    assert control["outages"] == 0
    # -ln 0.05 = 2.996 events at most in 48,000 messages of 10 ms
    assert control["unavailability"]["value"] == 0.0
    assert control["unavailability"]["high"] == pytest.approx(2.996 / 48_000, rel=1e-3)
    assert control["mtbf_s"]["value"] is None
    assert control["mtbf_s"]["low"] == pytest.approx(480 / 2.996, rel=1e-3)
    assert control["reason"].startswith("few units carry the risk")
    assert control["target"] == {
        "availability": 0.99, "availability_met": True, "mtbf_s": 10.0, "mtbf_met": True,
    }  # fmt: skip
    # 48 units without an outage: one-sided, 1 - 0.05^(1/48)
    assert control["counted"]["failing_units"] == {"value": 0.0, "low": 0.0, "high": pytest.approx(1 - 0.05 ** (1 / 48))}
    assert control["counted"]["mtbf_s"] is None


def test_a_single_episode_cannot_show_that_a_target_is_met():
    rng = np.random.default_rng(4)
    kpis = KpiAccumulator(make_traffic(), 1)
    losses = np.full(100_000, 1e-9)
    losses[5000:5002] = 0.01
    feed(kpis, losses, rng)
    control = kpis.result(1000.0)["services"][0]
    assert control["unavailability"]["value"] < 2e-9
    assert control["unavailability"]["high"] >= 2.99 / 100_000


@pytest.mark.parametrize(("loss", "told"), [(0.02, True), (1e-3, False), (1e-5, False), (1e-110, False)])
def test_a_time_between_failures_far_beyond_the_run_is_only_bounded(loss, told):
    """480 s of four devices: expected outages are 19 at a loss of 2 %, 0.05 at 0.1 %."""
    kpis = KpiAccumulator(make_traffic(), 1)
    for s in range(4):
        feed(kpis, np.full(12_000, loss), np.random.default_rng(7), s)
    control = kpis.result(120.0)["services"][0]
    mtbf = control["mtbf_s"]
    # The first message of each stream has no loss before it.
    assert control["expected_outages"] == pytest.approx(4 * 11_999 * loss**2 * (1 - loss), rel=2e-3)
    assert (mtbf["value"] is not None) == told
    assert kpis.running()[0].mtbf_s == (pytest.approx(mtbf["value"]) if told else None)
    if told:
        assert mtbf["low"] <= mtbf["value"] <= mtbf["high"]
        assert mtbf["value"] == pytest.approx(iid_mtbf_s(loss, 2, 10_000), rel=1e-3)
        return
    assert "10 times the observed time" in control["reason"]
    assert mtbf["low"] == pytest.approx(480 / (2.996 + control["expected_outages"]), rel=1e-3)
    # A loss of 0.1 % is a risk that was met; one of 1e-110 is nothing that loss probabilities can tell.
    assert (mtbf["high"] is None) == (loss**2 < 1e-12)
    assert control["target"]["mtbf_met"] is True  # 10 s are asked
    json.dumps(control, allow_nan=False)


def test_risk_that_was_met_misses_a_target_though_no_mean_is_told():
    figure = mtbf_figure(0.01, 48_000, 1e-8, 0.8e-8, 1.2e-8)
    assert figure == {"value": None, "low": pytest.approx(0.01 / (1e-8 + 2.995732 / 48_000)), "high": pytest.approx(1.25e6)}
    assert mtbf_figure(0.01, 48_000, 0.0, 0.0, 0.0) == {"value": None, "low": pytest.approx(160.228, rel=1e-4), "high": None}
    edge = mtbf_figure(0.01, 1000, 1e-4, 1e-5, 2e-4)
    assert edge["value"] == pytest.approx(100.0)
    assert edge["low"] == pytest.approx(50.0)


def test_targets_are_met_missed_or_open():
    rng = np.random.default_rng(4)
    verdicts = {}
    for p in (0.01, 0.0955, 0.4):
        kpis = KpiAccumulator(make_traffic(), 1)
        spread = np.repeat(rng.normal(1.0, 0.3, 40).clip(0.2), 1000)
        feed(kpis, np.clip(p * spread, 0, 1), rng)
        target = kpis.result(400.0)["services"][0]["target"]
        verdicts[p] = (target["availability_met"], target["mtbf_met"])
    assert verdicts == {0.01: (True, True), 0.0955: (None, False), 0.4: (False, False)}


def test_latency_percentiles_come_within_the_bin_width():
    rng = np.random.default_rng(4)
    kpis = KpiAccumulator(make_traffic(), 1)
    latency = rng.lognormal(np.log(900), 0.4, 60_000).astype(int)
    for begin in range(0, 60_000, 100):
        part = np.arange(begin, begin + 100)
        kpis.add(messages(np.zeros(100, dtype=int), part, part * 10_000, np.zeros(100), rng, latency[part]))
    figures = kpis.result(600.0)["services"][0]["latency_ms"]
    for name, percentile in {"p50": 50, "p95": 95, "p99": 99, "p999": 99.9}.items():
        want = np.percentile(latency, percentile) / 1e3
        assert figures[name]["value"] == pytest.approx(want, rel=0.03)
        assert figures[name]["low"] <= figures[name]["value"] <= figures[name]["high"]
        assert figures[name]["low"] * 0.97 < want < figures[name]["high"] * 1.03


def test_eight_hours_stay_within_the_same_memory():
    kpis, rng = KpiAccumulator(make_traffic(), 1, max_blocks=8), np.random.default_rng(1)
    losses = np.full(50, 0.1)
    total = 0
    for minute in range(0, 480, 2):
        part = minute * 6000 + np.arange(50)
        kpis.add(messages(np.zeros(50, dtype=int), part, part * 10_000, losses, rng))
        total += 50
    control = kpis.result(8 * 3600.0)["services"][0]
    assert control["messages"] == total
    assert control["packet_error_ratio"]["value"] == pytest.approx(0.1)
    assert control["counted"]["units"] <= 8


def test_result_is_json_without_nan_and_repeatable():
    config = radio_config(4)
    traffic = build_traffic(config, CLASSES, np.random.default_rng(2))
    kpis, delivery = KpiAccumulator(traffic, 3), Delivery(config, traffic, 5)
    for k in range(60):
        plan = make_plan(19, 4, second=k % 2 == 1)
        state = make_state(19, -9.0 if k % 3 == 0 else 26.0, clear_db=26.0, body_db=20.0, owner=1)
        kpis.add(delivery.deliver(k * DT_US, DT_US, plan, state), plan)
    result = kpis.result(0.6)
    text = json.dumps(result, allow_nan=False)
    assert json.dumps(kpis.result(0.6), allow_nan=False) == text
    assert [s["name"] for s in result["services"]] == ["agv-control", "cobot-control", "panel-estop", "agv-video"]
    assert result["resources"]["second_leg_share"] == pytest.approx(0.5)
    assert 0 < result["resources"]["mean_share"] < 1
    assert result["resources"]["beam_switches"] == 0
    assert result["services"][0]["lost"] > 0
    assert result["services"][0]["latency_ms"]["p50"]["value"] < 10.0


def test_beam_switches_are_counted():
    config = radio_config(2, services=SERVICES)
    traffic = make_traffic(2)
    kpis, delivery = KpiAccumulator(traffic, 3), Delivery(config, traffic, 5)
    for k in range(6):
        plan = make_plan(3, 2)
        plan.beam[0, 0] = k // 2
        kpis.add(delivery.deliver(k * DT_US, DT_US, plan, make_state(3)), plan)
    assert kpis.result(0.06)["resources"]["beam_switches"] == 2


def test_use_of_symbols_and_second_legs_is_the_mean_over_ticks():
    config = radio_config(2, services=SERVICES)
    traffic = make_traffic(2)
    kpis, delivery = KpiAccumulator(traffic, 3), Delivery(config, traffic, 5)
    down, up = [], []
    for k in range(8):
        plan = make_plan(3, 2)
        plan.trp[:, 1] = -1
        plan.trp[: k % 3, 1] = 1
        delivered = delivery.deliver(k * DT_US, DT_US, plan, make_state(3))
        down.append(delivered.load_dl)
        up.append(delivered.load_ul)
        kpis.add(delivered, plan)
    used = kpis.result(0.08)["resources"]
    assert used["downlink_share"] == pytest.approx(np.mean(down, axis=0), rel=1e-12)
    assert used["uplink_share"] == pytest.approx(np.mean(up, axis=0), rel=1e-12)
    assert np.max(down) > 0.0
    assert used["second_leg_share"] == pytest.approx((0 + 1 + 2 + 0 + 1 + 2 + 0 + 1) / (8 * 3))


def test_nothing_delivered_and_nothing_arrived_are_told_apart():
    traffic = make_traffic(1)
    empty = KpiAccumulator(traffic, 1).result(0.0)
    json.dumps(empty, allow_nan=False)
    assert empty["services"][0]["reason"] == "no message was finished yet"
    kpis = KpiAccumulator(traffic, 1)
    feed(kpis, np.ones(500), np.random.default_rng(1))
    control = kpis.result(5.0)["services"][0]
    assert control["latency_ms"] == {"p50": None, "p95": None, "p99": None, "p999": None}
    assert "no message arrived" in control["reason"]
    assert control["availability"]["value"] == pytest.approx(1 / 500)  # the first of two bad messages
    json.dumps(control, allow_nan=False)
    nobody = build_traffic(radio_config(2, services=SERVICES), ("agv",), np.random.default_rng(1))
    assert KpiAccumulator(nobody, 1).result(0.0)["services"][1]["reason"] == "the hall has no device of this service"


def test_block_arguments_are_checked():
    with pytest.raises(ValueError, match="max_blocks 7 an even number"):
        KpiAccumulator(make_traffic(), 1, max_blocks=7)
