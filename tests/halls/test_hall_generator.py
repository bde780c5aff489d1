"""The generator of halls: same bytes from the same seed, a clear refusal or a hall that loads, and AGVs that get there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from factory.cli import app
from factory.errors import UserError
from factory.halls.command import asked
from factory.halls.options import HallOptions, decide
from factory.halls.write import command_of, generate
from factory.production import production
from factory.rooms import walk_space
from factory.scenario import load_text
from factory.twin import Twin
from humans.sources import create_crowd

ANYTHING = st.fixed_dictionaries(
    {"seed": st.integers(0, 2**40)},
    optional={
        "aisles": st.integers(1, 6),
        "length_m": st.floats(15, 120).map(lambda x: round(x, 1)),
        "aisle_length_m": st.floats(6, 80).map(lambda x: round(x, 1)),
        "aisle_width_m": st.floats(2.0, 8).map(lambda x: round(x, 2)),
        "rack_height_m": st.floats(1, 12).map(lambda x: round(x, 1)),
        "rack_material": st.sampled_from(("metal", "chipboard", "wood")),
        "height_m": st.floats(4, 15).map(lambda x: round(x, 1)),
        "cobots": st.integers(0, 4),
        "agvs": st.integers(0, 40),
        "people": st.integers(0, 60),
        "panels": st.integers(0, 20),
        "trps": st.integers(1, 12),
        "trp_layout": st.sampled_from(("ceiling", "aisle-ends", "corners", "crossing")),
        "carrier": st.sampled_from(("28ghz", "28ghz-wide", "3.7ghz")),
        "mix": st.sampled_from(("standard", "video", "control", "panels")),
    },
)


def loaded(**ask):
    return load_text(generate(HallOptions(**ask)), Path("generated.yaml"))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(ANYTHING)
def test_any_options_give_a_refusal_or_a_hall_with_what_was_asked(options):
    ask, refusal, text = HallOptions(**options), None, ""
    try:
        text = generate(ask)
    except UserError as error:
        refusal = str(error)
    if refusal is not None:
        assert refusal.startswith("--")
        assert any(word in refusal for word in ("or more", "or fewer", "fewer", "lower"))
        return
    scenario = load_text(text, Path("generated.yaml")).scenario
    given_and_found = {
        "agvs": scenario.robots.agvs.count, "cobots": len(scenario.robots.cobots), "people": scenario.people.count,
        "panels": scenario.people.panels, "trps": len(scenario.radio.trps), "height_m": scenario.hall.size_m[2],
        "aisles": sum(b.kind == "rack" for b in scenario.hall.boxes) - 1,
    }  # fmt: skip
    for name, found in given_and_found.items():
        assert options.get(name, found) == found, name
    if "length_m" in options:
        assert scenario.hall.size_m[0] == pytest.approx(options["length_m"], abs=2e-3)
    racks = [b for b in scenario.hall.boxes if b.kind == "rack"]
    if "aisle_width_m" in options:
        free_m = racks[1].center_m[1] - racks[0].center_m[1] - racks[0].size_m[1]
        assert free_m == pytest.approx(options["aisle_width_m"], abs=2e-3)
    assert generate(ask) == text


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_people_can_stand_and_walk_to_every_station(seed):
    rng = np.random.default_rng(seed)
    aisles, cobots = int(rng.integers(1, 5)), int(rng.integers(0, 5))
    scenario = loaded(seed=seed, aisles=aisles, cobots=cobots).scenario
    crowd = create_crowd(scenario.people, walk_space(scenario.hall, scenario.robots.cobots), np.random.default_rng(seed), None)
    assert len(crowd.state().present) == scenario.people.count


def test_another_seed_is_another_hall_and_an_option_leaves_the_rest_as_it_was():
    assert len({generate(HallOptions(seed=s)) for s in range(20)}) == 20
    free, given_trps = decide(HallOptions(seed=5)), decide(HallOptions(seed=5, trps=6))
    assert given_trps.trps == 6
    assert free.model_copy(update={"trps": 6}) == given_trps


@pytest.mark.parametrize(("seed", "agvs"), [(3, 4), (8, 6)])
def test_agvs_finish_orders_in_generated_halls(seed, agvs):
    """Without radio no command is ever late, so that only the routes and people are in the way.

    Loading takes 2 s here: with the default of 15 s not even `small` has finished an order within the minute.
    """
    ask = HallOptions(seed=seed, aisles=2, aisle_length_m=9, agvs=agvs)
    quick = ["radio.enabled=false", "robots.agvs.load_time_s=2", "robots.agvs.unload_time_s=2"]
    twin = Twin(load_text(generate(ask), Path("generated.yaml"), quick))
    try:
        start = twin.agvs.position_m.copy()
        for _ in range(6_000):
            twin.tick()
        assert production(twin)["orders"] >= 1
        assert (np.hypot(*(twin.agvs.position_m - start).T) > 0.5).sum() >= 2
    finally:
        twin.close()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"aisle_width_m": 2.5}, "--aisle-width-m 2.5: an AGV of 0.8 m and a person beside its lane need 2.8 m or more"),
        ({"people": 150, "aisles": 1}, "--people 150: there are"),
        ({"agvs": 40}, "ask for fewer"),
        ({"panels": 9, "people": 3}, "--panels 9: there are 3 people to hold them; ask for 3 or fewer"),
        ({"length_m": 20}, "or more"),
        ({"rack_height_m": 6, "height_m": 5}, "below a ceiling at 5 m racks may be 4.2 m high"),
        ({"agvs": 0, "cobots": 0, "panels": 0}, "nothing in the hall has a radio"),
        ({"mix": "panels", "panels": 0}, "--mix panels: there is no panel"),
    ],
)
def test_impossible_asks_say_what_would_be_right(options, says):
    with pytest.raises(UserError) as error:
        generate(HallOptions(**options))
    assert says in str(error.value)


def test_values_out_of_range_name_the_option():
    with pytest.raises(UserError, match=r"--trp-layout walls: .*ceiling"):
        asked(trp_layout="walls")
    with pytest.raises(UserError, match=r"--aisles 9: .*less than or equal to 6.*Rack aisles, 1 to 6"):
        asked(aisles=9, seed=1)


def test_the_command_writes_and_does_not_overwrite(tmp_path):
    out, runner = tmp_path / "my-hall.yaml", CliRunner()
    command = ["hall", "--seed", "7", "--aisles", "3", "--length-m", "33.5", "--out", str(out)]
    assert runner.invoke(app, command).exit_code == 0
    text = out.read_bytes()
    assert text == generate(HallOptions(seed=7, aisles=3, length_m=33.5)).encode()
    assert b"# Made by: factory-twin hall --seed 7 --aisles 3 --length-m 33.5\n" in text
    out.write_text("mine")
    refused = runner.invoke(app, command)
    assert isinstance(refused.exception, UserError)
    assert "exists already" in str(refused.exception)
    assert out.read_text() == "mine"
    assert runner.invoke(app, [*command, "--force"]).exit_code == 0
    assert out.read_bytes() == text
    assert [p.name for p in tmp_path.iterdir()] == ["my-hall.yaml"]


def test_wrong_asks_end_with_exit_code_2(tmp_path, monkeypatch, capsys):
    from factory import cli

    monkeypatch.setattr("sys.argv", ["factory-twin", "hall", "--aisle-width-m", "2", "--out", str(tmp_path / "x.yaml")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("--aisle-width-m 2: ")
    assert not list(tmp_path.iterdir())


def test_the_command_in_the_header_gives_the_hall_again():
    ask = HallOptions(seed=9, aisle_width_m=3.25, mix="video")
    assert command_of(ask) == "factory-twin hall --seed 9 --aisle-width-m 3.25 --mix video"
