"""Slips in a shift end with file, line and column of the scenario, and of the plan where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from factory.errors import ScenarioError
from factory.rooms import blaming, generator, walk_space
from factory.scenario import load_scenario, shipped_scenario
from humans.sources import create_crowd

_PEOPLE = """people:
  panels: 0
  stations:
    - {name: gate, position_m: [1.2, 12.0], kind: gate}
    - {name: bench, position_m: [7.0, 5.4], kind: cell}
  roles:
    - {name: operator, stations: [cell]}
  shift:
    starts_at: 05:59
    tasks:
      - {name: assemble, station_kinds: [cell], duration_mean_s: 90}
    crews:
      - {name: early, role: operator, people: 3, starts_at: 06:00, ends_at: 14:00, breaks: [09:00-09:15], tasks: [assemble]}
"""


def _scenario(folder: Path, was: str = "", put: str = "") -> tuple[Path, int]:
    """Write the small scenario with a shift, changed; return the file and the line of ``people``."""
    text = shipped_scenario("small").read_text(encoding="utf-8")
    start, end = text.index("people:\n"), text.index("radio:\n")
    assert was in _PEOPLE
    path = folder / "hall.yaml"
    path.write_text(text[:start] + _PEOPLE.replace(was, put) + "\n" + text[end:], encoding="utf-8")
    return path, text[:start].count("\n") + 1


def test_a_shift_is_read(tmp_path: Path) -> None:
    shift = load_scenario(str(_scenario(tmp_path)[0])).scenario.people.shift
    assert shift is not None
    assert shift.crews[0].ends_at == "14:00"


@pytest.mark.parametrize(
    ("was", "put", "line", "said"),
    [
        ("ends_at: 14:00", "ends_at: 05:00", 12, r"crew 'early': ends_at '05:00' is before starts_at '06:00'"),
        ("role: operator", "role: oprator", 12, r"crew 'early': unknown role 'oprator'; did you mean 'operator'"),
        ("breaks: [09:00-09:15]", "breaks: [09:00-09:15, 09:10-09:20]", 12, r"break '09:10-09:20' overlaps break '09:00-09:15'"),
        ("people: 3", "peeple: 3", 12, r"unknown key 'peeple'; did you mean 'people'"),
        ("kind: gate", "kind: gatte", 3, r"'gatte' should be .*did you mean 'gate'"),
        ("[1.2, 12.0]", "[5.0, 2.2]", 3, r"station 'gate' is inside machine 'cell-1-machine'"),
        ("duration_mean_s: 90", "duration_mean_s: -90", 10, r"-90: input should be greater than or equal to 1"),
        ("starts_at: 05:59", "starts_at: 559", 8, r"559 is no time of day; write it in quotes as '06:00'"),
    ],
)
def test_slips_are_placed(tmp_path: Path, was: str, put: str, line: int, said: str) -> None:
    path, first = _scenario(tmp_path, was, put)
    with pytest.raises(ScenarioError, match=said) as caught:
        load_scenario(str(path))
    assert caught.value.problems[0].line == first + line


def test_a_slip_in_a_plan_names_the_scenario_and_the_plan(tmp_path: Path) -> None:
    (tmp_path / "week.csv").write_text("person,role,starts_at,ends_at,task\n1,operator,06:00,07:00,asemble\n")
    path, first = _scenario(tmp_path, "    tasks:", "    plan: week.csv\n    tasks:")
    loaded = load_scenario(str(path))
    with pytest.raises(ScenarioError, match=r"week\.csv:2:5: unknown task 'asemble'; did you mean 'assemble'") as caught:
        with blaming(loaded, "people"):
            create_crowd(loaded.scenario.people, walk_space(loaded.scenario.hall), generator(1, "people"), tmp_path)
    assert caught.value.problems[0].line >= first
    assert caught.value.problems[0].key.startswith("people")
