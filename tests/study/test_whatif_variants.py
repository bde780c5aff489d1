"""Variants: what a line of YAML or a --set does to a scenario, and what is said of a wrong one."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from factory.errors import UserError
from factory.rooms import generator, walk_space
from factory.scenario import Scenario, load_text
from factory.study.changes import known_changes, overrides_between
from factory.study.variants import Base, VariantsFile, axes_of, base_variant, grid_size, grid_variants, values_of
from factory.twin import Twin
from humans.sources import create_crowd
from humans.types import Occupancy

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples" / "whatif").glob("*.yaml"))


@pytest.fixture(scope="module")
def small() -> Base:
    return Base.load("small")


@pytest.fixture(scope="module")
def day_shift() -> Base:
    return Base.load("day-shift")


def changed(base: Base, tmp_path: Path, *lines: str) -> Scenario:
    """Scenario that a variant with these changes comes to, loaded from its overrides as a worker does."""
    file = tmp_path / "variants.yaml"
    file.write_text("variants:\n  - name: x\n    changes:\n" + "".join(f"      - {line}\n" for line in lines))
    ((variant,), same) = VariantsFile.read(file).variants(base)
    assert not same
    assert [line[2:].split(":")[0] for line in variant.changes.splitlines()] == [line.split(":")[0] for line in lines]
    return load_text(base.text, base.path, variant.overrides).scenario


def refused(base: Base, tmp_path: Path, text: str) -> str:
    file = tmp_path / "variants.yaml"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        VariantsFile.read(file).variants(base)
    return str(caught.value).replace(str(file), "FILE")


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda p: p.stem)
def test_every_shipped_example_loads(file, small, day_shift):
    base = day_shift if "whatif day-shift" in file.read_text().splitlines()[0] else small
    variants, _ = VariantsFile.read(file).variants(base)
    assert variants
    for variant in variants:
        assert load_text(base.text, base.path, variant.overrides).scenario != base.scenario


@pytest.mark.system
@pytest.mark.parametrize("file", EXAMPLES, ids=lambda p: p.stem)
def test_every_shipped_example_runs(file):
    shipped = "day-shift" if "whatif day-shift" in file.read_text().splitlines()[0] else "small"
    base = Base.load(shipped, ["radio.compare=[]"])
    for variant in VariantsFile.read(file).variants(base)[0]:
        twin = Twin(load_text(base.text, base.path, variant.overrides))
        try:
            for _ in range(3):
                twin.tick()
            assert twin.time_us == 3 * twin.dt_us
        finally:
            twin.close()


def test_every_change_is_in_an_example_and_on_the_page():
    examples = "".join(file.read_text() for file in EXAMPLES)
    page = (ROOT / "docs" / "what-if.md").read_text()
    without_file = {"shift_file"}  # needs a CSV file of the plant's own
    for word in known_changes():
        assert f"`{word}`" in page, word
        assert f"- {word}:" in examples or word in without_file, word


def test_trps_are_moved_added_removed_tilted_and_switched_off(small, tmp_path):
    radio = changed(
        small,
        tmp_path,
        "move_trp: {name: corner-east, by_m: [0, 3, 0.5], downtilt_deg: 8}",
        "add_trp: {name: new, at_m: [14, 19.5, 4], azimuth_deg: -90, like: corner-east}",
        "trp_power: {name: '*', by_db: -3}",
        "fail_trp: {name: ceiling-*, from_min: 0.5, to_min: 1}",
    ).radio
    assert [t.name for t in radio.trps] == ["ceiling-west", "corner-east", "new"]
    assert radio.trps[1].position_m == (29.5, 5.0, 3.5)
    assert (radio.trps[1].downtilt_deg, radio.trps[1].azimuth_deg) == (8.0, 135.0)
    assert radio.trps[2].position_m == (14.0, 19.5, 4.0)
    assert radio.trps[2].downtilt_deg == 8.0
    assert [t.tx_power_dbm for t in radio.trps] == [27.0, 27.0, 27.0]
    assert [(o.trp, o.from_s, o.to_s) for o in radio.outages] == [("ceiling-west", 30.0, 60.0)]
    removed = changed(small, tmp_path, "fail_trp: {name: corner-east}", "remove_trp: {name: corner-east}").radio
    assert [t.name for t in removed.trps] == ["ceiling-west"]
    assert not removed.outages


def test_an_aisle_that_is_closed_has_neither_lanes_nor_work(small, tmp_path):
    scenario = changed(small, tmp_path, "close_aisle: {zone: aisle 2}")
    ids = {n.id for n in scenario.robots.routes.nodes}
    assert {n.id for n in small.scenario.robots.routes.nodes} - ids == {"a2w", "a2e"}
    assert all(e.start in ids and e.end in ids for e in scenario.robots.routes.edges)
    assert not [s.name for s in scenario.people.stations if s.name.startswith("aisle-2")]
    assert len([s for s in scenario.people.stations if s.name.startswith("aisle-1")]) == 4


def test_boxes_are_moved_raised_added_and_removed(small, tmp_path):
    boxes = changed(
        small,
        tmp_path,
        "move_box: {name: rack-c, by_m: [0, 0.25]}",
        "box_height: {name: rack-*, by_m: 1}",
        "remove_box: {name: cell-2-bench}",
        "add_box: {name: screen, kind: wall, center_m: [10, 17], size_m: [0.1, 4, 3]}",
    ).hall.boxes
    by_name = {b.name: b for b in boxes}
    assert by_name["rack-c"].center_m == (21.0, 13.45)
    assert [by_name[f"rack-{k}"].size_m[2] for k in "abc"] == [5.0, 5.0, 5.0]
    assert "cell-2-bench" not in by_name
    assert by_name["screen"].material == "metal"


def test_agvs_are_counted_slowed_and_kept_off_lanes(small, tmp_path):
    robots = changed(
        small,
        tmp_path,
        "agvs: {add: 2, orders_per_hour: 60}",
        "speed_limit: {zone: cells, max_speed_mps: 0.6}",
        "close_route: {edges: [[w2, w1]]}",
        "add_route: {nodes: {north: [20, 18]}, edges: [[e4, north], [north, w4]]}",
    ).robots
    assert robots.agvs.count == 6
    assert robots.agvs.orders_per_hour == 60.0
    slow = {(e.start, e.end) for e in robots.routes.edges if e.max_speed_mps == 0.6}
    assert slow == {("v1", "drop-1"), ("drop-1", "v2"), ("v2", "v3"), ("v3", "drop-2"), ("drop-2", "v4")}
    assert ("w2", "w1") not in {(e.start, e.end) for e in robots.routes.edges}
    assert "north" in {n.id for n in robots.routes.nodes}


def test_people_come_and_go_by_role(small, tmp_path):
    people = changed(small, tmp_path, "add_people: {count: 4, role: picker}", "remove_people: {count: 1, role: operator}").people
    assert people.count == 9
    assert {r.name: round(r.share * 9) for r in people.roles} == {"operator": 2, "picker": 6, "supervisor": 1}


def test_a_plan_is_changed_crew_by_crew(day_shift, tmp_path):
    shift = changed(
        day_shift,
        tmp_path,
        "change_crew: {name: early, people: 5, break_groups: 1}",
        "remove_crew: {name: late}",
        "add_crew: {name: extra, role: picker, people: 2, starts_at: '07:00', ends_at: '15:00', sick_share: 0.1}",
        "run_starts: {at: '13:50'}",
        "remove_people: {count: 2, role: picker}",
    ).people.shift
    crews = {c.name: c for c in shift.crews}
    assert (crews["early"].people, crews["early"].break_groups, crews["early"].relieved_by) == (5, 1, None)
    assert "late" not in crews
    assert (crews["extra"].sick_share, crews["pickers"].people, crews["extra"].people) == (0.1, 1, 2)
    assert shift.starts_at == "13:50"


def present(base: Base, scenario: Scenario, at_s: tuple[int, ...]) -> list[int]:
    """Count the people in the hall at some instants, from the crowd alone."""
    crowd = create_crowd(
        scenario.people, walk_space(scenario.hall, scenario.robots.cobots), generator(1, "people"), base.path.parent
    )
    nobody, counts = Occupancy(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0)), []
    for k in range(at_s[-1] * 20 + 1):
        crowd.step(k * 50_000, 50_000, nobody)
        if k % 20 == 0 and k // 20 in at_s:
            counts.append(int(crowd.state().present.sum()))
    return counts


def test_an_evacuation_empties_the_hall(small, day_shift, tmp_path):
    at_s = (10, 29, 90)
    assert present(small, changed(small, tmp_path, "evacuation: {at_min: 0.5}"), at_s) == [6, 6, 0]
    assert present(day_shift, changed(day_shift, tmp_path, "evacuation: {at_min: 0.5}"), at_s) == [6, 6, 0]


def test_a_rush_hour_comes_and_goes_and_a_plan_alone_changes_nobody(small, tmp_path):
    rush = changed(small, tmp_path, "rush_hour: {people: 5, from_min: 0.5, to_min: 1.5}")
    assert present(small, rush, (20, 60, 130)) == [6, 11, 6]
    plan = changed(small, tmp_path, "people_by_plan: {}")
    assert present(small, plan, (0, 30, 60)) == [6, 6, 6]
    assert sum(c.people for c in plan.people.shift.crews) == small.scenario.people.count


def test_a_group_of_visitors_sees_its_stops_and_leaves(small, tmp_path):
    line = "visitor_group: {people: 4, at_min: 0.2, stop_min: 0.5, stations: [cell-1-bench, desk-1]}"
    scenario = changed(small, tmp_path, line)
    (crew,) = (c for c in scenario.people.shift.crews if c.role == "visitor")
    assert [(p.station, p.starts_at, p.ends_at) for p in crew.planned] == [
        ("cell-1-bench", "12:00:12", "12:00:42"),
        ("desk-1", "12:00:42", "12:01:12"),
    ]
    assert present(small, scenario, (5, 40, 110)) == [6, 10, 6]


def test_people_near_a_place_work_there(small, tmp_path):
    scenario = changed(small, tmp_path, "add_people: {count: 4, near: aisle 1}")
    (task,) = scenario.people.shift.tasks
    assert set(task.stations) == {f"aisle-1-bay-{k}" for k in (1, 2, 3, 4)}
    (crew,) = (c for c in scenario.people.shift.crews if c.tasks)
    assert (crew.role, crew.people, crew.tasks) == ("picker", 4, (task.name,))


WRONG = {
    "unknown change": ("- move_trps: {name: a}", r"FILE:4:9: variant 'x': unknown change 'move_trps'; did you mean 'move_trp'\?"),
    "unknown field": ("- move_trp: {nam: a}", r"FILE:4:.*move_trp: (unknown key 'nam'; did you mean 'name'\?|name is missing)"),
    "unknown TRP": (
        "- move_trp: {name: corner-est, by_m: [0, 1, 0]}",
        r"FILE:4:26: variant 'x': move_trp: unknown TRP 'corner-est'; did you mean 'corner-east'\?",
    ),
    "outside": (
        "- move_trp: {name: corner-east, to_m: [29.5, 80, 3]}",
        r"FILE:4:9: variant 'x': move_trp: radio\.trps\[1\]\.position_m: .*outside the hall.*y 0\.\.20",
    ),
    "both ways": ("- move_trp: {name: a, to_m: [1, 1, 1], by_m: [1, 1, 1]}", r"give to_m \(the new place\) or by_m"),
    "no mapping": ("- policy: static", r"policy: 'static' is no mapping; write policy: \{name: \.\.\.\}"),
    "wrong unit": ("- carrier: {frequency_hz: 28}", r"carrier: frequency_hz: 28: .*28 GHz is 28e9"),
    "station in a rack": (
        "- move_box: {name: rack-c, by_m: [0, -1.0]}",
        r"station 'aisle-2-bay-1' is inside rack|reaches|inside",
    ),
    "unreachable": ("- close_route: {nodes: [v1]}", r"close_route: robots\.routes.*no way leads from node"),
    "no such zone": ("- close_aisle: {zone: aisle 9}", r"unknown zone 'aisle 9'; did you mean 'aisle [12]'\?"),
    "nobody there": ("- remove_people: {count: 50}", r"there are 6 people; at most that many can go"),
    "no plan": ("- run_starts: {at: '13:50'}", r"no shift plan \(people\.shift\); put people_by_plan: \{\} before"),
    "too short": ("- rush_hour: {people: 3, from_min: 1, to_min: 1.5}", r"who comes stays for a minute or more"),
    "times": ("- rush_hour: {people: 3, from_min: 2, to_min: 1}", r"to_min 1 is not after from_min 2"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_change_names_file_line_and_what_would_be_right(case, small, tmp_path):
    line, message = WRONG[case]
    assert re.search(message, refused(small, tmp_path, f"variants:\n  - name: x\n    changes:\n      {line}\n"))


FILES = {
    "unknown key": ("variants:\n  - {name: x, sets: {}}\n", r"FILE:2:\d+: .*unknown key 'sets'; did you mean 'set'\?"),
    "no variants": ("variant: []\n", r"FILE:1:1: a file of variants is a mapping with variants: or grid:"),
    "empty": ("variants: []\n", r"FILE:1:\d+: there is no variant"),
    "name twice": ("variants:\n  - {name: x}\n  - {name: x}\n", r"FILE:3:12: variant 'x': the name is used twice"),
    "name of the base": ("variants:\n  - {name: base}\n", r"the name is that of the scenario itself"),
    "bad name": ("variants:\n  - {name: a/b}\n", r"'a/b' is no name for a variant"),
    "missing key": (
        "variants:\n  - name: x\n    set: {people.cuont: 3}\n",
        r"FILE:3:\d+: variant 'x': people\.cuont: unknown key 'cuont'; did you mean 'count'\?",
    ),
    "no such entry": ("variants:\n  - name: x\n    set: {'radio.trps[7].name': a}\n", r"FILE:3:.*the list has 2 entries"),
    "seed": (
        "variants:\n  - {name: x, set: {seed: 5}}\n",
        r"FILE:2:\d+: variant 'x': seed: all variants share it; give it with --seeds",
    ),
    "empty axis": ("grid: {people.count: []}\n", r"FILE:1:\d+: people\.count needs a list of values"),
    "no YAML": ("variants: [\n", r"FILE:\d+:\d+: not valid YAML"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_wrong_file_names_the_place(case, small, tmp_path):
    text, message = FILES[case]
    assert re.search(message, refused(small, tmp_path, text))


def test_all_wrong_variants_are_told_at_once(small, tmp_path):
    text = "variants:\n" + "".join(f"  - {{name: v{k}, changes: [policy: {{name: p{k}}}]}}\n" for k in range(3))
    assert len(refused(small, tmp_path, text).splitlines()) == 3


def test_commas_part_values_outside_brackets_and_quotes():
    assert values_of("16, 24,32") == ["16", "24", "32"]
    assert values_of("[30,20,6]") == ["[30,20,6]"]
    assert values_of("[1,2],[3,4]") == ["[1,2]", "[3,4]"]
    assert values_of("{a: 1, b: 2},'x,y'") == ["{a: 1, b: 2}", "'x,y'"]
    for wrong, why in (
        ("", "no value"),
        ("1,,2", "no value"),
        ("1,", "no value"),
        ("[1,2", "bracket"),
        ("1]", "bracket"),
        ("'a", "quote"),
    ):
        with pytest.raises(ValueError, match=why):
            values_of(wrong)


def test_a_grid_has_every_combination_but_the_base_itself(small):
    axes = axes_of(["people.count=6,12", "radio.policy=reactive,static"])
    assert grid_size(axes) == 4
    variants, same = grid_variants(small, axes)
    assert same == ["people.count=6, radio.policy=reactive"]
    assert [v.name for v in variants] == [
        "people-count-6-radio-policy-static",
        "people-count-12-radio-policy-reactive",
        "people-count-12-radio-policy-static",
    ]
    assert variants[2].overrides == ("people.count=12", 'radio.policy="static"')
    assert (
        grid_size(axes_of([f"people.count={','.join(map(str, range(1000)))}", f"seed={','.join(map(str, range(1000)))}"]))
        == 10**6
    )


def test_grid_options_that_are_none_are_refused(small):
    for options, message in (
        (["people.count"], "write key=value"),
        (["people.count="], "there is no value"),
        (["people.count=1", "people.count=2"], "given twice"),
    ):
        with pytest.raises(UserError, match=message):
            axes_of(options)
    with pytest.raises(UserError, match=r"--set people\.cuont=3: people\.cuont: unknown key 'cuont'; did you mean 'count'"):
        grid_variants(small, axes_of(["people.cuont=3"]))
    with pytest.raises(UserError, match=r"--set duration_s=5: duration_s: all variants share it; give it with --minutes"):
        grid_variants(small, axes_of(["duration_s=5"]))


def test_what_is_fixed_holds_for_the_base_too():
    base = Base.load("small", ["radio.compare=[]"])
    variants, _ = grid_variants(base, axes_of(["people.count=8"]))
    assert base_variant(base).overrides == ("radio.compare=[]",)
    assert variants[0].overrides == ("radio.compare=[]", "people.count=8")


def test_differences_are_as_small_as_they_can_be():
    before = {"a": {"b": 1, "c": [1.0, 2.0]}, "d": [{"e": 1}, {"e": 2}], "f": {"8": 0.3}}
    assert overrides_between(before, before) == ()
    after = {"a": {"b": 1, "c": [1.0, 3.0]}, "d": [{"e": 1}, {"e": 3, "g": "x"}], "f": {"8": 0.4}}
    assert overrides_between(before, after) == ("a.c=[1.0, 3.0]", "d[1].e=3", 'd[1].g="x"', 'f={"8": 0.4}')
    assert overrides_between({"d": [1, {"e": 1}]}, {"d": [1]}) == ("d=[1]",)
    assert overrides_between({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}) == ('a={"b": 1}',)
