"""The policies at the ends: everything twice, and the true channel; and policies of other packages."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from packet_scene import DT_US, radio_config
from policy_drive import column, drive, report_of, standing, sweep_of
from pydantic import ValidationError

from radio import policy_names
from radio.config import RadioConfig
from radio.policies import Observation, ServingMonitor, create_policy
from radio.policies.reactive import ReactivePolicy
from radio.policies.sensing import Sensing


def world(levels_db):
    """SNR of one UE with one beam a TRP and one sector, (1, T, 1, 1) [dB]."""
    return np.array(levels_db, dtype=float)[None, :, None, None]


def switched(before, after, at_us):
    return lambda t: world(before if t < at_us else after)


# everything twice


def test_duplicate_keeps_the_two_best_trps() -> None:
    plans = drive("duplicate", radio_config(3), lambda t: world([20, 5, 12]), 100)
    assert set(column(plans, "trp", leg=0)) == {0}
    assert set(column(plans, "trp", leg=1)) == {2}
    usable = column(plans, "usable", leg=1)
    first = int(np.argmax(usable))
    assert 0 < first * DT_US <= 40_000  # the interruption of a change of TRP, and no report needed
    assert usable[first:].all()


def test_duplicate_changes_its_second_trp_by_reports_alone() -> None:
    config = radio_config(3)
    at_us = 400_000
    plans = drive("duplicate", config, switched([20, 5, 12], [20, 12, 5], at_us), 120)
    second = column(plans, "trp", leg=1)
    change_us = int(np.argmax(second == 1)) * DT_US
    late_us = config.beam_management.ssb_period_ms * 1000 + round(config.beam_management.report_delay_ms * 1000)
    assert at_us < change_us <= at_us + late_us + 2 * DT_US
    small = drive("duplicate", config, switched([20, 5, 12], [20, 13, 12], at_us), 120)
    assert set(column(small, "trp", leg=1)) == {2}  # better by less than the hysteresis


def test_duplicate_needs_no_recovery_where_the_second_leg_works() -> None:
    config = radio_config(2)
    at_us = 400_000
    plans = drive("duplicate", config, switched([20, 15], [-30, 15], at_us), 120)
    served = [
        any(plan.usable[0, leg] and (plan.trp[0, leg] == 1 or k * DT_US < at_us) for leg in (0, 1))
        for k, plan in enumerate(plans)
    ]
    assert all(served[20:])
    alone = drive("reactive", config, switched([20, 15], [-30, 15], at_us), 120)
    gap = [not (p.usable[0, 0] and p.trp[0, 0] == 1) for p in alone[at_us // DT_US :]]
    assert sum(gap) >= 1  # what the second leg saved


def test_duplicate_in_a_hall_of_one_trp_is_reactive() -> None:
    config = radio_config(1)
    wave = lambda t: world([10 + 15 * np.sin(t / 50_000)])  # noqa: E731
    for mine, theirs in zip(drive("duplicate", config, wave, 100), drive("reactive", config, wave, 100), strict=True):
        np.testing.assert_array_equal(mine.trp, theirs.trp)
        np.testing.assert_array_equal(mine.usable, theirs.usable)
        np.testing.assert_array_equal(mine.sinr_dl_db, theirs.sinr_dl_db)


# the true channel


def test_oracle_is_on_the_best_trp_in_the_very_tick() -> None:
    rng = np.random.default_rng(3)
    levels = rng.uniform(0, 30, (60, 3))
    plans = drive("oracle", radio_config(3), lambda t: world(levels[t // DT_US % 60]), 60)
    for k, plan in enumerate(plans):
        assert levels[k].max() - levels[k][plan.trp[0, 0]] <= 0.5
        assert plan.usable[0, 0]


def test_oracle_sends_nothing_twice_where_one_leg_is_enough() -> None:
    plans = drive("oracle", radio_config(2), switched([25, 10], [-30, 10], 300_000), 60)
    assert set(column(plans, "trp", leg=1)) == {-1}
    assert set(column(plans, "repetitions")) == {1}
    assert list(column(plans, "trp", leg=0)) == [0] * 30 + [1] * 30


def test_oracle_refuses_to_guess() -> None:
    config = radio_config(2)
    survey = report_of(np.zeros((1, 2, 1, 1)), 0)
    blind = ServingMonitor(config, 1).observe(0, survey, None, np.zeros(2), np.zeros(2))
    with pytest.raises(ValueError, match="the oracle needs the true channel"):
        create_policy("oracle", config, 1).plan(blind)


@pytest.mark.parametrize("name", ["static", "reactive", "duplicate", "human_aware", "decentralised", "adaptive"])
def test_nobody_else_looks_at_the_truth(name) -> None:
    """Another truth changes no plan: what a real network could not know does not leak."""
    config = radio_config(2)
    rng, load = np.random.default_rng(5), np.zeros(2)
    policies, sensing = [create_policy(name, config, 4) for _ in range(2)], Sensing(config, np.random.default_rng(6))
    for k in range(60):
        gain = rng.uniform(0, 30, (4, 2, 3, 1))
        report, serving = report_of(gain, k * DT_US), rng.uniform(-5, 30, (4, 2))
        plans = []
        for policy, level in zip(policies, (0.0, 60.0), strict=True):
            truth = report_of(rng.uniform(0, 30, (4, 2, 3, 1)) + level, k * DT_US)
            seen = Observation((k + 1) * DT_US, report, report, k * DT_US, 1, serving, serving, load, load, (report,), truth)
            if getattr(policy, "wants_sensing", False):
                seen = replace(seen, sensed=sensing.now())
            plans.append(policy.plan(seen))
        sensing.measure(sweep_of(config, gain, k * DT_US))
        sensing.look(k * DT_US, DT_US, *standing(4))
        np.testing.assert_array_equal(plans[0].trp, plans[1].trp)
        np.testing.assert_array_equal(plans[0].sinr_dl_db, plans[1].sinr_dl_db)


# policies of other packages


class Lazy(ReactivePolicy):
    name = "lazy"


@pytest.fixture
def lazy(monkeypatch):
    policy_names.registered.cache_clear()
    points = [EntryPoint("lazy", "test_policy_bounds:Lazy", policy_names.GROUP)]
    monkeypatch.setattr(policy_names, "entry_points", lambda group: points if group == policy_names.GROUP else [])
    yield points
    policy_names.registered.cache_clear()


def test_a_registered_policy_can_be_asked_for(lazy) -> None:
    base = radio_config(2)
    config = RadioConfig.model_validate({**base.model_dump(), "policy": "lazy", "compare": []})
    assert config.policies == ("lazy",)
    assert create_policy("lazy", config, 3).name == "lazy"
    known = ", ".join((*policy_names.BUILT_IN, "lazy"))
    with pytest.raises(ValidationError, match=f"known: {known}"):
        RadioConfig.model_validate({**base.model_dump(), "policy": "lazier"})


def test_registered_policies_that_do_not_work_are_named(lazy) -> None:
    config = radio_config(2)
    lazy[:] = [EntryPoint("lazy", "test_policy_bounds:Missing", policy_names.GROUP)]
    with pytest.raises(ValueError, match=r"policy 'lazy' is registered as test_policy_bounds:Missing, which cannot be loaded"):
        create_policy("lazy", config, 3)
    policy_names.registered.cache_clear()
    lazy[:] = [EntryPoint("lazier", "test_policy_bounds:Lazy", policy_names.GROUP)]
    with pytest.raises(ValueError, match="has to have a method plan and name = 'lazier'"):
        create_policy("lazier", config, 3)
    policy_names.registered.cache_clear()
    lazy[:] = [EntryPoint("oracle", "test_policy_bounds:Lazy", policy_names.GROUP)]
    with pytest.raises(ValueError, match="has the name of a built-in policy"):
        create_policy("oracle", config, 3)


def test_the_worked_example_of_the_docs_keeps_the_contract(lazy, monkeypatch) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
    module = ModuleType("my_package")
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1], module.__dict__)
    monkeypatch.setitem(sys.modules, "my_package", module)
    name, value = re.search(r'```toml.*?\n(\w+) = "(.*?)"\n```', page, re.DOTALL).groups()
    policy_names.registered.cache_clear()
    lazy[:] = [EntryPoint(name, value, policy_names.GROUP)]
    config = radio_config(2)
    for mine, theirs in zip(
        drive("stubborn", config, lambda t: world([20, 5]), 40),
        drive("reactive", config, lambda t: world([20, 5]), 40),
        strict=True,
    ):
        np.testing.assert_allclose(mine.sinr_dl_db, theirs.sinr_dl_db - 3.0)
