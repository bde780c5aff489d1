"""A few drills with mosquitto: no order is lost, none begins twice, the state comes back."""

from __future__ import annotations

import pytest
from vda_drills import run_drills

pytestmark = pytest.mark.counterpart


def test_faults_in_pairs_during_orders(mosquitto, tmp_path, new_port):
    result = run_drills(mosquitto, tmp_path, new_port(), 10)
    assert (result["lost"], result["twice"]) == (0, 0)
    assert len(result["back_s"]) == 10
    assert max(result["back_s"]) < 20.0  # some 0.2 s where nothing else runs; docs/vda5050.md has the figures of long runs
