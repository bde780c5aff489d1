"""In whole halls: what is worse than reactive would be a defect, however dear a message is."""

from __future__ import annotations

import numpy as np
import pytest

from factory.scenario import load_scenario
from factory.twin import Twin

TICKS = 1200


@pytest.mark.parametrize("seed", [2, 3])
def test_long_messages_are_not_given_up_by_the_planner(seed):
    """Cobots of this hall get 6000 bytes at a time over weak links: a plan that saves symbols there loses machines."""
    twin = Twin(load_scenario("ci", ["radio.compare=[reactive,adaptive,human_aware]", f"seed={seed}"]))
    policies = [network.policy for network in twin.networks]
    lost = np.zeros((len(policies), len(twin.traffic.service_name)))
    try:
        for _ in range(TICKS):
            for row, messages in zip(lost, twin.tick().delivered, strict=True):
                np.add.at(row, twin.traffic.service[messages.stream], messages.loss_probability)
    finally:
        twin.close()
    reactive = lost[policies.index("reactive")]
    for name in ("adaptive", "human_aware"):
        assert np.all(lost[policies.index(name)] <= 1.1 * reactive + 3.0), (name, lost.tolist())
