"""A mapping file: what it binds, what it refuses and in which words, and how values are turned."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plant_server import HALL, bound

from bridges.mapping_file import MappingError, read_mapping
from bridges.mapping_path import find, parse_json_path
from bridges.mapping_values import BAD, GOOD, MappedValues, WrongValueError, converted
from factory.observed_feed import mapping_of
from factory.scenario import load_scenario

EXAMPLE = Path(__file__).parents[2] / "examples" / "mapping" / "cell.yaml"
HEAD = """version: 1
sources:
  cell: {kind: opcua, url: 'opc.tcp://10.0.0.5:4840'}
  gate: {kind: mqtt}
  tape: {kind: csv, file: tape.csv}
variables:
"""


def test_the_shipped_example_is_a_mapping_of_the_small_hall():
    mapping = mapping_of(EXAMPLE, load_scenario("small").scenario)
    assert len(mapping.entries) == 16
    assert [b.variable.name for b in mapping.advice_to("robot-cell")] == ["links.cobot-1.risk"]
    assert mapping.mapping.sources["recording"].file == EXAMPLE.parent / "drive.csv"
    assert mapping.mapping.when_stale_of("agv-02") == "stand"
    assert mapping.mapping.when_stale_of("agv-01") == "simulate"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{twin: cobots.cobot-1.joint_9, source: cell, node: i=1}", ":7:12: variables[0].twin: 'cobots.cobot-1.joint_9'"),
        ("{twin: agvs.agv1.x, source: cell, node: i=1}", "did you mean 'agvs.agv-01.x'"),
        ("{twin: agvs.agv-01.x, source: sell, node: i=1}", "source: 'sell' is no source; did you mean 'cell'?"),
        ("{twin: agvs.agv-01.x, source: cell, node: i=1, unit: deg}", "'deg' is no unit of 'agvs.agv-01.x' (length); known: m"),
        ("{twin: agvs.agv-01.x, source: cell}", "node: is missing; source 'cell' is of kind opcua"),
        ("{twin: agvs.agv-01.x, source: gate, node: i=1, topic: a, path: $.x}", "node: is for sources of kind opcua"),
        ("{twin: agvs.agv-01.x, source: cell, node: 'nosuch'}", ":7:47: variables[0].node: node 'nosuch' is no node id"),
        ("{twin: agvs.agv-01.x, source: gate, topic: a, path: '$..x'}", "cannot be read from '..x' on"),
        ("{twin: agvs.agv-01.x, source: gate, topic: 'a/#', path: $.x}", "holds a wildcard"),
        ("{twin: agvs.agv-01.x, source: tape, column: x, skale: 2}", "unknown key 'skale'; did you mean 'scale'?"),
        ("{twin: agvs.agv-01.x, source: tape, column: x, scale: 0}", "scale 0 would make every value the same"),
        ("{twin: agvs.agv-01.x, source: tape, column: x, stale_after_s: 0.01}", "stale_after_s: 0.01: input should be greater"),
        ("{twin: machines.press-2.running, source: tape, column: x, scale: 2}", "is true or false; use true_when"),
        ("{twin: links.agv-01.risk, source: cell, node: i=1}", "is the twin's own advice: add write_back"),
        ("{twin: agvs.agv-01.x, source: cell, node: i=1, write_back: {}}", "write_back: 'agvs.agv-01.x' is told by the plant"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place_and_what_would_be_right(tmp_path, line, says):
    with pytest.raises(MappingError) as caught:
        bound(tmp_path, HEAD + f"  - {line}\n")
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'mapping.yaml'}:")


def test_all_faults_are_told_at_once_and_a_variable_is_mapped_once(tmp_path):
    lines = "  - {twin: agvs.agv-01.x, source: tape, column: x}\n  - {twin: agvs.agv-01.x, source: nil, column: x}\n"
    with pytest.raises(MappingError) as caught:
        bound(tmp_path, HEAD + lines + "assets: {agv-09: {when_stale: stand}}\n")
    assert len(caught.value.problems) == 3
    assert "has an entry already in line 7" in caught.value.problems[1]
    assert "'agv-09' is no asset of this hall; did you mean 'agv-0" in caught.value.problems[2]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{kind: opcua, url: 'http://x'}", "url"),
        ("{kind: opcua, url: 'opc.tcp://x', policy: 'None'}", "add insecure: true for a trial"),
        ("{kind: opcua, url: 'opc.tcp://x', user: me}", "has no password: give password_file"),
        ("{kind: modbus}", "a source is of kind opcua, mqtt or csv"),
    ],
)
def test_a_source_that_is_unsafe_or_unknown_is_refused(tmp_path, source, says):
    with pytest.raises(MappingError, match=says):
        bound(tmp_path, f"version: 1\nsources:\n  s: {source}\nvariables: []\n")


def test_no_yaml_and_no_file_are_told(tmp_path):
    with pytest.raises(MappingError, match=r"mapping.yaml:2:\d+: not valid YAML"):
        bound(tmp_path, "version: 1\nsources: [}\n")
    with pytest.raises(MappingError, match="cannot be read: No such file"):
        read_mapping(tmp_path / "none.yaml", HALL)


def one(folder: Path, rest: str):
    return bound(folder, HEAD + f"  - {{source: tape, column: x, {rest}}}\n").entries[0]


@settings(deadline=None, derandomize=True)
@given(raw=st.floats(-100, 100), scale=st.sampled_from([-1.0, 0.5, 1.0]), offset=st.floats(-20, 20))
def test_a_value_is_scaled_shifted_and_turned_into_the_twins_unit(tmp_path_factory, raw, scale, offset):
    entry = one(tmp_path_factory.mktemp("m"), f"twin: cobots.cobot-1.joint_2, unit: deg, scale: {scale}, offset: {offset}")
    degrees = raw * scale + offset
    if abs(degrees) > 120.001:  # the iiwa's second axis
        with pytest.raises(WrongValueError, match="are possible"):
            converted(entry, raw)
    elif abs(degrees) < 119.999:
        assert converted(entry, raw) == pytest.approx(math.radians(degrees), abs=1e-12)


@pytest.mark.parametrize("raw", ["7", None, True, [1.0], float("nan"), float("inf"), 1e9])
def test_what_is_no_possible_number_is_refused(tmp_path, raw):
    with pytest.raises(WrongValueError):
        converted(one(tmp_path, "twin: agvs.agv-01.x"), raw)


def test_truth_values(tmp_path):
    plain, listed = (
        one(tmp_path, "twin: machines.press-2.running"),
        one(tmp_path, "twin: machines.press-2.running, true_when: [3, RUN]"),
    )
    assert [converted(plain, raw) for raw in (True, False, 1, 0, 1.0)] == [1, 0, 1, 0, 1]
    assert [converted(listed, raw) for raw in (3, "RUN", 4, "STOP")] == [1, 1, 0, 0]
    with pytest.raises(WrongValueError, match="true_when"):
        converted(plain, 3)


def test_paths_find_one_place():
    document = {"a": {"b c": [1, {"d": 2}]}, "x-y": 3}
    assert find(document, parse_json_path("$.a['b c'][-1].d")) == 2
    assert find(document, parse_json_path("$.x-y")) == 3
    assert find(7, parse_json_path("$")) == 7
    with pytest.raises(LookupError, match="there is no 'z'; there are a, x-y"):
        find(document, parse_json_path("$.z"))
    for wrong in ("a", "$.*", "$[1:2]", "$[?(@.a)]", "$.", "$[01]"):
        with pytest.raises(ValueError, match="path"):
            parse_json_path(wrong)


def test_late_values_are_dropped_until_the_clock_was_clearly_set_back(tmp_path):
    values = MappedValues(bound(tmp_path, HEAD + "  - {source: tape, column: x, twin: agvs.agv-01.x}\n"), print)
    values.put(0, 1.0, GOOD, 100.0, 100.0)
    assert values.take(100.1).value.tolist() == [1.0]
    for k in range(4):
        values.put(0, 2.0, GOOD, 50.0 + k, 100.2)
    assert values.take(100.2).value.tolist() == [1.0]
    assert values.counts[0]["out_of_order"] == 4
    values.put(0, 3.0, GOOD, 60.0, 100.3)
    assert values.take(100.3).value.tolist() == [3.0]
    values.put(0, "x", GOOD, 101.0, 101.0)
    now = values.take(101.0)
    assert (now.value.tolist(), now.quality.tolist(), now.stale.tolist()) == ([3.0], [BAD], [True])


def test_a_flood_is_bounded(tmp_path):
    text = HEAD.replace("version: 1", "version: 1\nmax_waiting: 100") + "  - {source: tape, column: x, twin: agvs.agv-01.x}\n"
    values = MappedValues(bound(tmp_path, text), print)
    for k in range(1000):
        values.put(0, 0.01 * k, GOOD, 100.0 + k, 2000.0)
    assert values.overflow == 900
    assert values.take(2000.0).value[0] == pytest.approx(9.99)
