"""The study of policies: figures on sums reckoned by hand, verdicts, margins, capacity; runs, resumed, and refused."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import policies_stub as stub
import pytest
from rich.console import Console

from factory.errors import UserError
from factory.scenario import load_scenario, shipped_scenario
from factory.study.policies import aims, parts
from factory.study.policies.aims import MET, NOT_ASKED, NOT_MET, OPEN, Compared
from factory.study.policies.capacity import AVAILABILITY, TARGETS, carried
from factory.study.policies.command import policies_command
from factory.study.policies.figures import CONTROL, Pool
from factory.study.policies.output import BEGIN, END, with_generated
from factory.study.policies.point import needed_symbols, simulate_policies
from factory.study.policies.settings import PARTS, Asked, Effort, asked_of, halls_of
from factory.study.worker import PointTask
from factory.twin import Twin
from radio.messages.delivery import Delivery
from radio.messages.traffic import build_traffic

CALM = {"seeds": "6", "seconds": 10.0, "workers": 1, "part": None, "fixes": (), "quick": True}


def pool(*downs: list[float], policy: str = "reactive", copies: int = 1, **changes) -> Pool:
    points = [stub.point({policy: [stub.service("c", d, **changes), stub.service("v", [0.0])]}, copies=copies) for d in downs]
    return Pool(tuple(points))


def asked(out: Path, **changes) -> Asked:
    fields = {**CALM, "out": out, "halls": ("hand-wave",), "policies": "static,reactive,duplicate,human_aware,oracle", **changes}
    return asked_of(**fields)


def study(asked_for: Asked, folder: Path) -> tuple[int, str]:
    said = io.StringIO()
    console = Console(file=said, width=300)
    return policies_command(asked_for, "factory-twin study policies", folder, console, console, stub.synthetic), said.getvalue()


def test_unavailability_and_stops_are_what_the_sums_say():
    held = pool([1.0, 3.0], [0.0, 0.0])
    # 4 of 4000 messages down; each expected outage a stop of its own 10 ms and 2 s of restart
    figure = held.unavailability("reactive", "c")
    assert figure.value == pytest.approx(1e-3)
    assert figure.low < 1e-3 < figure.high
    stops, minutes = held.stops("reactive")
    assert stops.tolist() == [4.0, 0.0]
    assert minutes.tolist() == pytest.approx([4.0 * (0.01 + 2.0) / 60.0, 0.0])
    assert held.mtbf_s("reactive", "c").value == pytest.approx(4000 * 0.01 / 4.0)


def test_no_risk_has_an_upper_end_and_no_mean_time_between_failures():
    held = pool([0.0, 0.0], [0.0, 0.0])
    figure = held.unavailability("reactive", "c")
    # half of chi2(0.975, 2) times an episode of 0.2 s in 40 device seconds
    assert (figure.value, figure.low) == (0.0, 0.0)
    assert figure.high == pytest.approx(0.5 * 7.3778 * 0.2 / 40.0, rel=1e-4)
    mtbf = held.mtbf_s("reactive", "c")
    assert mtbf.value is None
    assert "fewer than 0.1 failures" in mtbf.reason
    assert held.latency_ms("reactive", "c").value == pytest.approx(10e-3 * math.exp(100.999 / 34.0), rel=1e-4)


def test_what_is_below_the_floor_of_loss_probabilities_is_none():
    held = pool([1e-160, 0.0], [0.0, 0.0])
    assert held.unavailability("reactive", "c").value == 0.0
    assert held.stops("reactive")[0].tolist() == [0.0, 0.0]


def test_redundant_symbols_are_those_beyond_one_transmission_on_one_leg():
    held = pool([0.0], [0.0], symbols=2100, needed=1000)
    assert held.symbols("reactive", CONTROL, "redundant").tolist() == [1100.0, 1100.0]


def control(risk: float, symbols: float = 1000.0, redundant: float = 0.0, spread: float = 0.05) -> Compared:
    wave = 1.0 + spread * np.cos(np.arange(10))
    return Compared(risk * wave, symbols * wave, redundant * wave)


@pytest.mark.parametrize(
    ("aware", "reactive", "verdict"),
    [
        (control(1e-6, 1100.0), control(1e-3), MET),
        (control(1e-6, 1200.0), control(1e-3), NOT_MET),  # too dear
        (control(1e-4, 1100.0), control(1e-3), NOT_MET),  # ten times is not a hundred
        (control(0.0, 1000.0), control(1e-3), OPEN),  # none in ten seeds proves less than a hundred times less
        (control(1e-9, 1000.0), control(1e-7), NOT_ASKED),
    ],
)
def test_a_hundred_times_less_at_most_15_percent_dearer(aware, reactive, verdict):
    assert aims.against_reactive(aware, reactive).verdict == verdict


def test_redundancy_is_saved_only_at_no_worse_unavailability():
    duplicate = control(1e-6, 2000.0, 1000.0)
    assert aims.against_duplicate(control(1e-7, 1000.0, 100.0), duplicate).verdict == MET
    assert aims.against_duplicate(control(1e-5, 1000.0, 100.0), duplicate).verdict == NOT_MET
    assert aims.against_duplicate(control(1e-7, 1000.0, 300.0), duplicate).verdict == NOT_MET
    assert aims.against_duplicate(control(1e-7), control(1e-6)).verdict == NOT_ASKED


def test_ratio_of_symbols():
    # b - 1.5 a is -1, 0, 1: its standard error 1 / sqrt(3), t with two degrees of freedom 4.3027, and the mean of a is 10
    found = aims.spent_ratio(np.array([10.0, 10.0, 10.0]), np.array([14.0, 15.0, 16.0]))
    assert (found.value, found.low, found.high) == pytest.approx((1.5, 1.5 - 0.43027 / 3**0.5, 1.5 + 0.43027 / 3**0.5), rel=1e-4)


def test_other_verdicts():
    assert aims.against_oracle(control(1.5e-6), control(1e-6)).verdict == MET
    assert aims.against_oracle(control(3e-6), control(1e-6)).verdict == NOT_MET
    assert aims.against_oracle(control(0.0), control(0.0)).verdict == MET
    assert aims.against_oracle(control(1e-6), control(0.0)).verdict == NOT_MET
    assert aims.never_worse(control(2e-6), control(1e-6)).verdict == NOT_MET
    assert aims.never_worse(control(1e-6), control(1e-6)).verdict == MET
    assert aims.by_forecasts(control(1e-6), control(1e-5)).verdict == MET
    assert aims.by_forecasts(control(1e-6), control(1e-6)).verdict == NOT_MET  # the same is not less
    assert aims.by_forecasts(control(0.0), control(0.0)).verdict == NOT_ASKED
    assert aims.capacity_aim((64, 48, 64), (20, 16, 24), False).verdict == MET
    assert aims.capacity_aim((32, 32, 32), (20, 20, 20), False).verdict == NOT_MET
    assert aims.capacity_aim((64, 32, 64), (20, 16, 24), False).verdict == OPEN
    assert aims.capacity_aim((0, 0, 0), (0, 0, 0), False).verdict == OPEN
    assert aims.capacity_aim((64, 64, 64), (64, 64, 64), True).verdict == OPEN
    risk = {"reactive": control(1e-6).risk, "duplicate": control(1e-6).risk}
    assert aims.agree(risk).verdict == MET
    assert aims.agree({**risk, "static": control(1e-4).risk}).verdict == NOT_MET


def test_half_of_the_decades():
    reactive, poses = control(1e-2).risk, control(1e-6).risk
    assert aims.tags_aim(reactive, poses, control(1e-5).risk).verdict == MET
    assert aims.tags_aim(reactive, poses, control(1e-3).risk).verdict == NOT_MET
    assert aims.tags_aim(reactive, np.zeros(10), poses).verdict == OPEN
    assert aims.tags_aim(poses, reactive, poses).verdict == NOT_ASKED


def test_capacity_is_the_last_count_that_19_of_20_devices_are_carried_at():
    held = {
        1: pool([0.0] * 4, [0.0] * 4),
        2: pool([1e-5] * 8, [1e-5] * 8, copies=2),  # unavailability 1e-8, a failure in 1e6 s: both are met
        4: pool([1e-4] * 16, [1e-4] * 16, copies=4),  # 1e-7: within 1e-6, but a failure in 1e5 s
        8: pool([1.0] + [0.0] * 31, [0.0] * 32, copies=8),  # one of 32 devices, in one seed
        16: pool([1.0] * 64, [0.0] * 64, copies=16),
    }
    by_both, by_one = (carried(held, "reactive", "c", c, 6.0) for c in (TARGETS, AVAILABILITY))
    assert (by_both.value, by_one.value) == (8.0, 32.0)
    assert not by_one.most
    assert by_one.low == 32.0
    assert by_one.high == 64.0  # seeds drawn without the first one know of no failure


def test_the_whole_study_runs_finds_what_is_there_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "has_outer_loop", lambda: True)
    monkeypatch.setattr(parts, "has_risk_knob", lambda: True)
    wanted = asked(tmp_path / "study")
    wanted = replace(wanted, table=Effort(tuple(range(1, 11)), 1.0, 1), capacity=replace(wanted.capacity, seeds=(60_001, 60_002)))
    status, said = study(wanted, tmp_path / "docs")
    assert status == 0, said
    data = json.loads((tmp_path / "docs" / "policies.json").read_text())
    tuned = data["margins"][0]
    assert (tuned["own_db"], tuned["best_db"]) == (6.0, 15.0)  # 30 dB and more would be worse; 15 is the least risk
    rows = {(r["policy"], r["service"]): r for r in data["rows"]}
    value = rows["reactive", CONTROL]["unavailability"]
    assert value["value"] == pytest.approx(1.2e-3 * 10 ** (-6 / 15), rel=1e-6)
    assert value["low"] < value["value"] < value["high"]
    assert rows["reactive at its best margin", CONTROL]["unavailability"]["value"] == pytest.approx(1.2e-4, rel=1e-6)
    assert rows["duplicate", CONTROL]["redundant_symbols_per_s"]["value"] == pytest.approx(100.0)
    verdicts = {
        a["aim"].split(" ")[2] + a["aim"].split(" ")[3]: a["verdict"] for a in data["aims"] if a["aim"].startswith(CONTROL)
    }
    assert verdicts[">=100x"] == MET
    assert verdicts[">=80"] == MET
    assert rows["reactive with an outer loop", CONTROL]["margin_db"] == 6.0
    knobs = {(p["policy"], p["knob"]) for p in data["curve"]}
    assert {("reactive", 0.0), ("human_aware", 1e-3), ("human_aware", 1e-8), ("oracle", None)} <= knobs
    capacity = {(c["policy"], c["criterion"]): c["value"] for c in data["capacity"] if not c["best_margin"]}
    assert capacity["human_aware", TARGETS] == 3 * stub.DEVICES
    assert capacity["reactive", TARGETS] == 0.0
    assert {s["name"] for s in data["sensitivity"]} >= {"the hall as it is", "tags 10 cm, 5 Hz", "people absent"}
    assert [a["policy"] for a in data["acting"]] == list(wanted.policies)
    page = (tmp_path / "docs" / "policies-study.md").read_text()
    assert "| hand-wave | all control | reactive at its best margin | 15 |" in page
    for picture in ("policies-unavailability.svg", "policies-curve.svg", "policies-capacity.svg"):
        assert f"]({picture})" in page
        assert (tmp_path / "docs" / picture).read_text().startswith("<?xml")

    begun = (tmp_path / "study" / "begun.txt").read_text().splitlines()
    assert len(set(begun)) == len(begun)
    gone = tmp_path / "study" / "table" / "hand-wave" / "points" / "own" / "seed-3" / "kpi.json"
    gone.unlink()
    gone.parent.rmdir()
    again, said = study(replace(wanted, parts=("table",)), tmp_path / "docs")
    assert again == 0, said
    assert (tmp_path / "study" / "begun.txt").read_text().splitlines()[len(begun) :] == ["table own 3"]
    assert json.loads((tmp_path / "docs" / "policies.json").read_text())["capacity"] == data["capacity"]

    with pytest.raises(UserError, match="another study"):
        study(replace(wanted, table=replace(wanted.table, seeds=(1, 2))), tmp_path / "docs")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seconds": 0.1}, "--seconds 0.1: give simulated seconds"),
        ({"workers": 0}, "--workers 0"),
        ({"seeds": "x"}, "--seeds x"),
        ({"seeds": "90001,"}, "seeds from 50001 on choose margins"),
        ({"part": "tables"}, "'tables' is no part of the study; give table, curve"),
        ({"policies": "reactive,human-aware"}, "did you mean 'human_aware'"),
        ({"policies": "static"}, "reactive is what all others are compared with"),
        ({"policies": "reactive,reactive"}, "reactive is there twice"),
        ({"halls": ("hand-wave", "hand-wave")}, "there twice"),
        ({"halls": ("no-such-hall.yaml",)}, "no-such-hall.yaml"),
        ({"fixes": ("radio.enabled=false",)}, "needs the radio"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_written(tmp_path, changes, said):
    with pytest.raises(UserError, match=said):
        asked(tmp_path / "study", **changes)
    assert not (tmp_path / "study").exists()


def test_halls_that_are_not_there_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="name scenarios"):
        halls_of(())


def test_nothing_is_chosen_by_the_seeds_that_it_is_judged_by(tmp_path):
    wanted = asked(tmp_path, quick=False, seeds="20", seconds=60.0)
    assert wanted.parts == PARTS
    assert len(wanted.table.seeds) == 20
    efforts = (wanted.table, wanted.training, wanted.curve, wanted.capacity, wanted.sensitivity, wanted.acting)
    seeds = [s for e in efforts for s in e.seeds]
    assert len(set(seeds)) == len(seeds)


def test_a_real_point_adds_up(tmp_path):
    path = shipped_scenario("small")
    overrides = ("radio.policy=reactive", "radio.compare=[reactive,duplicate]", "radio.services[0].copies=3")
    task = PointTask("x3", 1, path.read_text(), str(path), overrides, 0.5 / 60.0, str(tmp_path / "p"))
    simulate_policies(task, tmp_path / "p")
    (held,) = Pool.read([tmp_path / "p" / "kpi.json"]).points
    first = held["policies"]["duplicate"]["services"][0]
    assert len(first["messages"]) == 4 * 3
    assert sum(first["messages"]) == pytest.approx(12 * 50, abs=24)  # 10 ms, the last ones under way
    assert first["needed_symbols"] < first["symbols"] <= 2 * first["needed_symbols"]
    alone = held["policies"]["reactive"]["services"][0]
    assert alone["symbols"] == alone["needed_symbols"] > 0
    with pytest.raises(UserError, match="not readable as a point"):
        Pool.read([tmp_path / "none.json"])


def test_copies_are_devices_of_their_own_that_stop_no_machine():
    loaded = load_scenario("small", ["radio.services[0].copies=3"])
    plain = load_scenario("small")
    radio, classes = loaded.scenario.radio, ["agv"] * 4 + ["cobot"] * 2 + ["panel"]
    traffic = build_traffic(radio, classes, np.random.default_rng(1))
    before = build_traffic(plain.scenario.radio, classes, np.random.default_rng(1))
    n = before.n_streams
    assert traffic.n_streams == n + 8
    assert traffic.offset_us[:n].tolist() == before.offset_us.tolist()
    assert traffic.sent.copy.tolist() == [0] * n + [1] * 4 + [2] * 4
    assert traffic.ue[n:].tolist() == [0, 1, 2, 3] * 2
    table = Delivery(radio, traffic, 1)._symbols
    assert np.array_equal(needed_symbols(radio, traffic), table)
    twin, alone = Twin(loaded), Twin(plain)
    try:
        assert twin._guarding.tolist() == alone._guarding.tolist()
    finally:
        twin.close()
        alone.close()


def test_what_is_written_by_hand_stays():
    page = f"# Title\n\nBy hand.\n\n{BEGIN}\nold\n{END}\n\nBelow.\n"
    assert with_generated(page, "new") == f"# Title\n\nBy hand.\n\n{BEGIN}\nnew\n{END}\n\nBelow.\n"
    assert with_generated("# Title\n", "new") == f"# Title\n\n{BEGIN}\nnew\n{END}\n"


def test_halls_in_which_a_second_leg_helps_come_first_where_a_gain_is_examined():
    def tuned(reactive, twice):
        return parts.Tuned((6.0,), (reactive,), (reactive,), (1.0,), (reactive,), 0, None if twice is None else (twice,))

    known = {"interference": tuned(4e-3, 2e-3), "bodies": tuned(5e-4, 0.0), "weak": tuned(6e-4, 1e-5), "none": tuned(1e-3, None)}
    asked = SimpleNamespace(halls=[SimpleNamespace(name=name) for name in ("untrained", *known)])
    assert [h.name for h in parts.ranked(asked, known)][:2] == ["interference", "none"]
    assert [h.name for h in parts.ranked_by_use(asked, known)] == ["weak", "bodies", "interference", "none", "untrained"]
