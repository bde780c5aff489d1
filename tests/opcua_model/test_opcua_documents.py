"""The reference page is of this server, and the NodeSet2 export is one that another server loads."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from asyncua import Server, ua

from bridges.opcua.export import export, main
from bridges.opcua.nodes import NAMESPACE_URI
from bridges.opcua.reference import reference
from bridges.opcua.rights import concerns_people

PAGE = Path(__file__).parents[2] / "docs" / "opcua-reference.md"
XML = "{http://opcfoundation.org/UA/2011/03/UANodeSet.xsd}"


def test_the_page_is_up_to_date():
    made = asyncio.run(reference())
    assert PAGE.read_text() == made, "run: python -m bridges.opcua.reference > docs/opcua-reference.md"
    assert "| `Links/agv-01/RiskIn1s` | Double | [1] 0 to 1 |" in made
    assert "*safety*" in made
    assert "| `Assets/people/Age` | Double | [s] 0 to 10 | Age of information" in made
    assert "| `Advice/agv_slow_agv-01/Reason` | String |  | *engineer* Why, in words |" in made


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("nodeset") / "twin.xml"
    assert main([str(path)]) == 0
    return path


def test_an_empty_server_loads_the_export(exported):
    async def load():
        server = Server()
        await server.init()
        made = await server.import_xml(str(exported))
        index = await server.get_namespace_index(NAMESPACE_URI)
        unit = await server.get_node(ua.NodeId("Links/agv-01/SinrDownlink/EngineeringUnits", index)).read_value()
        arguments = await server.get_node(ua.NodeId("Methods/StartWhatIf/InputArguments", index)).read_value()
        root = await server.nodes.objects.get_child(f"{index}:FactoryTwin")
        names = {(await child.read_browse_name()).Name for child in await root.get_children()}
        frame = server.get_node(ua.NodeId("Machines/agv-01/SpatialObject/PositionFrame", index))
        kind = await server.get_node(await frame.read_type_definition()).read_browse_name()
        return len(made), unit, [a.Name for a in arguments], names, kind.Name

    count, unit, arguments, names, kind = asyncio.run(load())
    assert count > 500
    assert unit.DisplayName.Text == "dB"
    assert arguments == ["changes", "seconds", "seeds"]
    folders = {"Machines", "Links", "Services", "Trps", "Zones", "Assets", "Advice"}
    assert names == folders | {"Twin", "Methods", "Alarms", "Settings"}
    assert kind == "CartesianFrameAngleOrientationType"


def test_the_export_counts_namespaces_as_the_specification_does(exported):
    root = ET.parse(exported).getroot()
    uris = [uri.text for uri in root.iter(f"{XML}Uri")]
    assert "http://opcfoundation.org/UA/" not in uris  # index 0 is not listed (OPC 10000-6 annex F.3)
    twin = uris.index(NAMESPACE_URI) + 1
    ids = {element.get("NodeId") for element in root if element.get("NodeId")}
    assert f"ns={twin};s=Links/agv-01/SinrDownlink" in ids
    targets = {r.text for r in root.iter(f"{XML}Reference") if r.text and r.text.startswith("ns=")}
    assert targets <= ids, "no reference leads out of the file but to the core namespace"


def test_the_export_holds_no_value_that_lives_and_nobody(exported):
    root = ET.parse(exported).getroot()
    assert not any("People" in (e.get("NodeId") or "").split("s=")[-1].split("/")[:1] for e in root)
    live = [e for e in root.iter(f"{XML}UAVariable") if (e.get("NodeId") or "").endswith("s=Links/agv-01/SinrDownlink")]
    assert len(live) == 1
    assert live[0].find(f"{XML}Value") is None


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--help"]])
def test_a_wrong_command_says_how(capsys, arguments):
    assert main(arguments) == 2
    assert "usage: python -m bridges.opcua.export FILE" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_told(tmp_path, capsys):
    (tmp_path / "taken").write_text("")
    assert main([str(tmp_path / "taken" / "x.xml")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_sample_with_people_is_exported_as_it_is(whole_hall, tmp_path):
    count = whole_hall.run(export(whole_hall.sample, tmp_path / "people.xml"))
    assert count == len(whole_hall.sample.nodes)
    assert any(concerns_people(node) for node in whole_hall.sample.nodes)
