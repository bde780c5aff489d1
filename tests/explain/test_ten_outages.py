"""Ten outages made by hand, of known cause: explain names it, who or what it was, and what would have saved it."""

import math

import numpy as np
import pytest
from outage_halls import COBOT, CONTROL, SOUTH, WEST, door, hall, record, standing_at, twin_of

from factory.explain import worst_spell
from factory.explain_words import path, tell, why
from radio.config import RadioConfig
from radio.messages import nr
from radio.messages.delivery import Delivery

pytestmark = pytest.mark.system

REACTIVE = {"policy": "reactive", "compare": ["reactive"]}
AGV = {
    "agvs": {"count": 1, "load_heights_m": [1.5], "loaded_share": 1, "load_time_s": 1, "unload_time_s": 1},
    "routes": {
        "nodes": [{"id": "a", "position_m": [6, 1.5], "action": "pick"}, {"id": "b", "position_m": [6, 6.5], "action": "drop"}],
        "edges": [{"start": "a", "end": "b"}],
    },
}


def worst(facts):
    """Return the worst outage and its story, whose shares and columns are as they must be."""
    outage = facts.outage(worst_spell(facts.spells, facts.acting))
    causes = facts.causes(facts.acting)
    assert math.isclose(causes["share_percent"].sum(), 100.0, abs_tol=1e-6)
    story = tell(outage, causes, facts.detailed)
    assert max(len(line) for line in story.splitlines()) <= 80
    assert "nan" not in story
    return outage, story


def by_kind(outage):
    return {option.kind: option for option in outage.saving}


def test_1_a_person_stands_in_the_direct_path(tmp_path):
    outage, story = worst(record(tmp_path, hall(people=standing_at(6.0, 4.0), radio={"trps": [WEST, SOUTH]}), 1.0))
    assert (outage.cause, outage.part, outage.role, outage.trp) == ("body", "trunk", "operator", "west")
    assert outage.blocker.startswith("person-")
    assert np.hypot(outage.blocker_m[0] - 6.0, outage.blocker_m[1] - 4.0) < 0.3
    assert ", direct, 10.7 m long" in path(outage)
    assert outage.saving[0].kind == "other_trp"
    assert outage.saving[0].trp == "south"
    assert outage.saving[0].carried == outage.saving[0].of
    assert by_kind(outage)["no_body"].saves
    assert f"{outage.blocker}'s trunk (operator) stood in the path of west" in " ".join(story.split())
    # the network knew the empty hall alone: it reckoned with what that gives, less its margin
    assert outage.knew.measured_ms is None
    assert outage.knew.reckoned_db > outage.knew.true_db


def test_2_a_hand_is_waved_into_the_path(tmp_path):
    outage, _ = worst(record(tmp_path, "hand-wave", 20.0))
    assert (outage.cause, outage.part, outage.role, outage.trp) == ("body", "right forearm", "operator", "west")
    # there is no other TRP: the MCS could have been more robust, or the hand elsewhere
    assert [o.kind for o in outage.saving] == ["robust_mcs", "no_body"]
    assert all(o.carried == o.of for o in outage.saving)


def test_3_an_agv_carries_its_load_through_the_path(tmp_path):
    trps = [{**WEST, "position_m": [0.6, 4.0, 0.5]}, {**SOUTH, "gain_offset_db": -20}]
    outage, _ = worst(record(tmp_path, hall(robots=AGV, radio={"trps": trps}), 6.0))
    assert (outage.cause, outage.blocker, outage.part, outage.trp) == ("body", "agv-01", "load", "west")
    assert outage.device == "cobot-1"
    assert abs(outage.blocker_m[0] - 6.0) < 0.6
    assert (outage.saving[0].kind, outage.saving[0].trp) == ("other_trp", "south")
    assert outage.service_down
    assert outage.cost.stops == 1


def test_4_a_rack_shadows_the_place(tmp_path):
    rack = {"name": "rack-a", "kind": "rack", "center_m": [6, 4], "size_m": [1.0, 5.0, 3.6], "material": "metal"}
    outage, _ = worst(record(tmp_path, hall(hall={"boxes": [rack]}, radio={"trps": [{**WEST, "gain_offset_db": -20}]}), 0.5))
    assert (outage.cause, outage.blocker, outage.trp) == ("static_shadow", "", "west")
    assert outage.in_between == ("rack-a",)
    assert "rack-a between them" in why(outage)
    assert "over wall" in path(outage)
    assert [o.kind for o in outage.saving] == ["coverage"]
    assert 10.0 < outage.saving[0].by_db < 18.0


def test_5_the_cell_of_another_trp_interferes(tmp_path):
    """Two TRPs face each other across one line, and both have frames to send all the time."""
    cobots = [{**COBOT, "antenna_position_m": [4.0, 4.0, 1.2]}]
    cobots += [{"name": "cobot-2", "position_m": [12.6, 7, 0.8], "yaw_deg": 180, "antenna_position_m": [10.0, 4.0, 1.2]}]
    east = {"name": "east", "position_m": [13.4, 4.0, 1.2], "azimuth_deg": 180, "tx_power_dbm": 0}
    trps = [{**WEST, "tx_power_dbm": 0, "gain_offset_db": 0}, east]
    frames = {"name": "frames", "profile": "video", "devices": "cobot", "direction": "downlink", "message_bytes": 450_000}
    facts = record(tmp_path, hall(robots={"cobots": cobots}, radio={"trps": trps, "services": [CONTROL, frames]}), 1.0)
    outage, story = worst(facts)
    other = {"west": "east", "east": "west"}[outage.trp]
    assert (outage.cause, outage.interferer, outage.blocker) == ("interference", other, "")
    assert (outage.saving[0].kind, outage.saving[0].trp) == ("no_interference", other)
    assert outage.saving[0].by_db > 10.0
    assert f"the cell of {other} drowned {outage.trp}" in " ".join(story.split())


def test_6_the_path_is_free_again_and_the_beam_still_recovers(tmp_path):
    """A sheet is in the path for 30 ms, a beam failure is declared, and random access comes 100 ms later."""
    radio = {**REACTIVE, "beam_management": {"prach_period_ms": 160}}
    sheet = door((1.0, 4.0, 1.2), (3.0, 2.4), 1_000_000, 1_030_000)
    outage, _ = worst(record(tmp_path, hall(radio=radio), 1.5, force=sheet))
    assert (outage.cause, outage.trp) == ("recovery", "west")
    assert "beam failure" in why(outage)
    kinds = [s.kind for s in outage.done]
    assert kinds.index("service_down") < kinds.index("beam_failure") < kinds.index("leg_restored")
    declared, over = (next(s.after_s for s in outage.done if s.kind == kind) for kind in ("beam_failure", "leg_restored"))
    assert 0.0 < declared <= 0.03
    assert over == pytest.approx(1.12 + 0.006 - outage.start_us / 1e6, abs=0.01)  # PRACH at 1.12 s, the next tick's plan
    assert [o.kind for o in outage.saving] == ["no_interruption"]  # there is no other TRP for a second leg
    assert outage.saving[0].by_db > 10.0


def test_7_a_change_of_trp_interrupts(tmp_path):
    trps = [{**WEST, "gain_offset_db": 0}, {**SOUTH, "gain_offset_db": -10}]
    radio = {**REACTIVE, "trps": trps, "beam_management": {"trp_switch_interruption_ms": 150}}
    sheet = door((5.0, 4.0, 1.2), (1.0, 2.4), 1_000_000, 2_000_000)
    outage, _ = worst(record(tmp_path, hall(radio=radio), 1.5, force=sheet))
    assert (outage.cause, outage.trp) == ("recovery", "south")
    assert "changed its TRP to south" in why(outage)
    assert "beam_failure" not in [s.kind for s in outage.done]
    changed, over = (next(s.after_s for s in outage.done if s.kind == kind) for kind in ("beam_switch", "leg_restored"))
    assert over - changed == pytest.approx(0.15)
    assert (outage.saving[0].kind, outage.saving[0].trp) == ("second_leg", "west")
    assert by_kind(outage)["no_interruption"].saves


def test_8_there_are_too_many_frames(tmp_path):
    trps = [{**WEST, "gain_offset_db": 20, "position_m": [0.6, 4, 3.0]}, {**SOUTH, "gain_offset_db": 10}]
    frames = {"name": "frames", "profile": "video", "devices": "agv", "message_bytes": 1_000_000}
    outage, _ = worst(record(tmp_path, hall(robots=AGV, radio={"trps": trps, "services": [frames, CONTROL]}), 0.5))
    assert (outage.cause, outage.service, outage.blocker) == ("no_resources", "frames", "")
    assert (outage.saving[0].kind, outage.saving[0].trp) == ("resources", "west")
    assert not by_kind(outage)["other_trp"].saves  # a larger frame than any MCS can carry in its time


def test_9_the_mcs_is_chosen_by_a_measurement_that_is_old(tmp_path):
    """An AGV drives through fades of centimetres, is measured every 160 ms, and the network keeps no margin."""
    control = {"name": "agv-control", "profile": "mobile-robot", "devices": "agv", "message_bytes": 3000}
    radio = {
        **REACTIVE,
        "trps": [{**WEST, "position_m": [0.6, 4, 3.0]}],
        "link_adaptation": {"margin_db": 0},
        "beam_management": {"bfd_rs_period_ms": 160},
        "services": [control, CONTROL],
    }
    outage, _ = worst(record(tmp_path, hall(robots=AGV, radio=radio), 6.0))
    assert (outage.cause, outage.device, outage.trp, outage.blocker) == ("adaptation", "agv-01", "west", "")
    assert outage.knew.reckoned_db > outage.knew.true_db
    assert outage.knew.measured_drop is False
    assert outage.knew.measured_ms > 100.0
    assert outage.knew.needed_db > outage.knew.true_db
    assert outage.saving[0].kind == "robust_mcs"
    assert outage.saving[0].carried == outage.saving[0].of


def test_10_decoding_fails_by_luck(tmp_path):
    """The SINR lies a hundredth of a decibel above what MCS 27 needs, where 9 of 10,000 blocks fail."""
    elements = float(nr.resource_elements(66, 1))
    size = (int(nr.SPECTRAL_EFFICIENCY[27] * elements * 4) - 24) // 8  # fills four symbols at MCS 27
    services = [
        {**CONTROL, "name": f"control-{k}", "message_bytes": size, "transfer_interval_us": 1000, "max_latency_us": 4000}
        | {"survival_time_us": 0}
        for k in range(4)
    ]
    radio = {"paths": {"max_order": 0}, "link_adaptation": {"margin_db": 0, "target_bler": 9e-4}, "services": services}
    gain_db = -6.0
    for step in range(2):
        folder = tmp_path / str(step)
        folder.mkdir()
        twin = twin_of(folder, hall(radio={**radio, "trps": [{**WEST, "gain_offset_db": gain_db}]}))
        twin.tick()
        sinr_db = float(twin.networks[0].state.sinr_dl_db[0, 0])
        wanted_db = float(Delivery(twin.scenario.radio, twin.traffic, 1)._required_db[0, 27]) + 0.01
        twin.close()
        gain_db += wanted_db - sinr_db
    facts = record(tmp_path, hall(radio={**radio, "trps": [{**WEST, "gain_offset_db": gain_db}]}), 1.5)
    assert set(facts.events.loc[facts.events["kind"] == "packet_lost", "cause"]) == {"decoding"}
    outage, _ = worst(facts)
    assert (outage.cause, outage.trp, outage.blocker, outage.knew.mcs) == ("decoding", "west", "", 27)
    assert 1e-5 < outage.loss_probability < 1e-3
    assert outage.knew.true_db >= outage.knew.needed_db
    assert "bad luck" in why(outage)
    assert outage.saving[0].kind == "repetition"
    assert outage.saving[0].by_db == pytest.approx(3.0, abs=0.1)


@pytest.mark.skipif("outages" not in RadioConfig.model_fields, reason="this version switches no TRP off")
def test_11_a_trp_is_switched_off(tmp_path):
    """West is off for half a second; the network finds out by its own measurements and moves the device to south."""
    off = [{"trp": "west", "from_s": 0.5, "to_s": 1.0}]
    outage, story = worst(record(tmp_path, hall(radio={**REACTIVE, "trps": [WEST, SOUTH], "outages": off}), 1.5))
    assert (outage.cause, outage.trp, outage.blocker) == ("trp_down", "west", "")
    assert outage.start_us == pytest.approx(500_000, abs=10_000)
    assert "west was out of service" in " ".join(story.split())
    kinds = [s.kind for s in outage.done]
    assert kinds.index("trp_down") < kinds.index("beam_failure") < kinds.index("beam_switch") < kinds.index("leg_restored")
    assert next(s.trp for s in outage.done if s.kind == "beam_switch") == "south"
    assert {o.kind for o in outage.saving if o.trp == "south" and o.saves} >= {"other_trp", "second_leg"}
