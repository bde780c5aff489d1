"""Files that are no layouts end in one message with the file's name, exit code 2 and nothing written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layout_tools import SAMPLES, imported, plan_of

from factory.errors import UserError
from factory.layouts.read import Reading, kind_of, read_layout
from factory.layouts.report import LayoutError

LIF, PLANT, MAP = SAMPLES / "strays.lif.json", SAMPLES / "small-plant.xml", SAMPLES / "workshop.building.yaml"
BOMB = """<?xml version="1.0"?>
<!DOCTYPE model [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<model name="&c;"/>
"""
XXE = '<?xml version="1.0"?>\n<!DOCTYPE model [<!ENTITY x SYSTEM "file:///etc/hostname">]>\n<model name="&x;"/>\n'
YAML_BOMB = "levels: &a [1,2,3]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" + "".join(
    f"{n}: &{n} [{','.join(['*' + p] * 9)}]\n" for p, n in zip("bcdefgh", "cdefghi", strict=True)
)

CASES: dict[str, tuple[str, bytes, str]] = {
    "truncated JSON": ("a.json", LIF.read_bytes()[:700], r"a\.json:\d+:\d+: not valid JSON"),
    "JSON that is no LIF": ("a.json", b'{"a": 1}', r"layouts: is missing or no list"),
    "LIF without layouts": ("a.json", b'{"layouts": []}', r"layouts: is empty"),
    "layout that is a number": ("a.json", b'{"layouts": [5]}', r"layouts\[0\]: is 5 where an object belongs"),
    "NaN in JSON": ("a.json", LIF.read_bytes().replace(b'"x": 12.5', b'"x": NaN', 1), r"not valid JSON: NaN is no JSON number"),
    "half a character": ("a.json", LIF.read_bytes().replace(b'"Press"', b'"\\ud800"', 1), r"holds half a character"),
    "deep JSON": ("a.json", b"[" * 200_000, r"a\.json: is nested too deeply"),
    "empty": ("a.json", b"  \n", r"a\.json: is empty"),
    "not UTF-8": ("a.json", b'{"layouts": "\xff\xfe"}', r"a\.json: is not UTF-8 text"),
    "truncated XML": ("a.xml", PLANT.read_bytes()[:900], r"a\.xml:\d+:\d+: not valid XML"),
    "entity bomb": ("a.xml", BOMB.encode(), r"a\.xml:2: has a document type \(DOCTYPE\)"),
    "entity of a file": ("a.xml", XXE.encode(), r"a\.xml:2: has a document type \(DOCTYPE\)"),
    "deep XML": ("a.xml", b"<model>" * 100_000, r"a\.xml:1: is nested too deeply"),
    "other XML": ("a.xml", b"<svg/>", r"a\.xml:1: the root element is <svg>"),
    "plant without points": ("a.xml", b'<model version="6.0.0"/>', r"has no point with a name"),
    "YAML bomb": ("a.building.yaml", YAML_BOMB.encode(), r"levels: is missing or empty"),
    "truncated YAML": ("a.building.yaml", MAP.read_bytes()[:200] + b"\n  - {", r"a\.building\.yaml:\d+:\d+: not valid YAML"),
    "no layout at all": ("a.yaml", b"hello: 1\n", r"a\.yaml: nothing tells what kind of layout this is; name it with --kind"),
    "unknown ending": ("a.obj", b"v 1 2 3\n", r"nothing tells what kind of layout this is"),
}


@pytest.mark.parametrize("case", CASES)
def test_message_names_file_and_place(case: str, tmp_path: Path) -> None:
    name, content, message = CASES[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LayoutError, match=message) as raised:
        imported(tmp_path / name, tmp_path / "out.yaml")
    assert str(raised.value).startswith(str(tmp_path / name))
    assert len(str(raised.value)) < 1000
    assert sorted(p.name for p in tmp_path.iterdir()) == [name]


def test_command_ends_with_code_2_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "bomb.xml").write_text(BOMB)
    command = [sys.executable, "-m", "factory.cli", "import", "bomb.xml", "--out", "out.yaml", "--json", "report.json"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("bomb.xml:2: has a document type")
    assert "Traceback" not in result.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bomb.xml"]


def test_absent_file_and_folder_are_told(tmp_path: Path) -> None:
    for name in ("gone.json", "gone.xml", "gone.building.yaml", "gone.yaml", "gone.csv"):
        with pytest.raises(LayoutError, match=r"cannot be read: No such file"):
            read_layout(tmp_path / name, Reading())
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(LayoutError, match="is a folder"):
        read_layout(tmp_path / "folder.json", Reading())


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out.yaml").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        imported(LIF, tmp_path / "out.yaml")
    assert (tmp_path / "out.yaml").read_text() == "mine"


OPTIONS = {
    "kind": (LIF, Reading(kind="step"), r"--kind step: give one of lif, opentcs"),
    "level": (PLANT, Reading(level="1"), r"--level goes with lif and rmf files, not with opentcs"),
    "scale": (LIF, Reading(scale=0.1), r"--scale goes with rmf files"),
    "zero scale": (MAP, Reading(scale=0.0), r"--scale 0: give metres per pixel, more than 0"),
    "NaN scale": (MAP, Reading(scale=float("nan")), r"--scale nan: give metres per pixel"),
    "units": (LIF, Reading(units="parsec"), r"--units parsec: give one of m, mm"),
    "no layers": (Path("hall.dxf"), Reading(), r"a DXF file needs --layers"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_option_that_does_not_fit_is_told(case: str) -> None:
    path, reading, message = OPTIONS[case]
    with pytest.raises(UserError, match=message):
        read_layout(path, reading)


def test_kind_is_told_by_name_and_content(tmp_path: Path) -> None:
    assert [kind_of(p) for p in (LIF, PLANT, MAP)] == ["lif", "opentcs", "rmf"]
    (tmp_path / "a.yaml").write_text("image: a.png\nresolution: 0.05\n")
    assert kind_of(tmp_path / "a.yaml") == "ros"


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.sampled_from([LIF, PLANT, MAP]),
    st.integers(0, 10_000),
    st.sampled_from(["", "null", "-1", "1e308", "[]", "{}", '"x"', "&", "\t"]),
)
def test_damage_ends_in_a_message_or_a_scenario(tmp_path_factory: pytest.TempPathFactory, path: Path, at: int, junk: str) -> None:
    text = path.read_text()
    place = at % len(text)
    file = tmp_path_factory.mktemp("damage") / path.name
    file.write_text(text[:place] + junk + text[place + 3 :])
    try:
        told = str(plan_of(file).found.report.source)
    except LayoutError as error:
        told = str(error)
    assert path.name in told
