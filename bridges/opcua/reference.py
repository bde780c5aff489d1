"""``python -m bridges.opcua.reference`` prints docs/opcua-reference.md, every node of the server, out of the address space."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIdNames, ObjectIds

from bridges.config import OpcUaConfig
from bridges.opcua.conditions import situations
from bridges.opcua.rights import concerns_advice, concerns_people
from bridges.opcua.sample import Sample, make_sample, sample_view
from bridges.opcua.space import node_id

__all__ = ["main", "reference"]

_HEAD = """# OPC UA: every node

Made by `python -m bridges.opcua.reference` of a hall with one of each: `agv-01`, `cobot-1`, `panel-1`, `trp-1`, the service
`agv-control` and the zone `aisle`. `Assets` and `Advice` have nodes where a live twin observes its plant and looks ahead. How to
connect, roles, alarms and history: [opcua.md](opcua.md).

Namespaces: {namespaces}.

Identifiers are strings in `urn:factory-twin:telemetry`, for example `nsu=urn:factory-twin:telemetry;s=Twin/Time`. A unit stands
in brackets, with the range that the value normally stays in; both are properties of the variable (`EngineeringUnits`, `EURange`).
Everybody reads what is below; *safety* marks what exists for that role alone, and only where `people_for_safety` is true;
*engineer* what exists for engineers and safety, not for viewers.
"""
_LEFT_OUT = ("EngineeringUnits", "EURange", "InputArguments", "OutputArguments", "LengthUnit", "AngleUnit")


class _Reader:
    """Reads attributes of a sample's nodes."""

    def __init__(self, sample: Sample, uris: list[str]) -> None:
        self._aspace, self.uris = sample.guarded.aspace, uris

    def value(self, node: ua.NodeId, attribute: AttributeIds) -> Any:
        data = self._aspace.read_attribute_value(node, attribute)
        return data.Value.Value if data.Value is not None else None

    def name(self, node: ua.NodeId) -> str:
        """Return the browse name of a type in words."""
        if node.NamespaceIndex == 0 and isinstance(node.Identifier, int):
            return ObjectIdNames.get(node.Identifier, str(node.Identifier))
        return str(self.value(node, AttributeIds.BrowseName).Name)

    def kind(self, node: ua.NodeId) -> str:
        """Return the type definition of a node."""
        wanted = node_id(ObjectIds.HasTypeDefinition)
        found = [r.NodeId for r in self._aspace[node].references if r.ReferenceTypeId == wanted and r.IsForward]
        return self.name(found[0]) if found else ""

    def child(self, node: ua.NodeId, name: str) -> Any:
        """Return the value of a node's property, None where it has none."""
        found = [r.NodeId for r in self._aspace[node].references if r.IsForward and r.BrowseName.Name == name]
        return self.value(found[0], AttributeIds.Value) if found else None


def _row(reader: _Reader, node: ua.NodeId) -> str:
    data_type = reader.name(reader.value(node, AttributeIds.DataType))
    array = "[]" if reader.value(node, AttributeIds.ValueRank) == ua.ValueRank.OneDimension else ""
    unit, span = reader.child(node, "EngineeringUnits"), reader.child(node, "EURange")
    words = f"[{unit.DisplayName.Text}] {span.Low:g} to {span.High:g}" if unit is not None and span is not None else ""
    text = str(reader.value(node, AttributeIds.Description).Text or "")
    text = "" if text == str(node.Identifier).rpartition("/")[2] else text.replace("|", "/")
    history = ", history" if reader.value(node, AttributeIds.Historizing) else ""
    write = ", engineer writes" if reader.value(node, AttributeIds.AccessLevel) & ua.AccessLevel.CurrentWrite.mask else ""
    only = "*safety* " if concerns_people(node) else "*engineer* " if concerns_advice(node) else ""
    return f"| `{node.Identifier!s}` | {data_type}{array} | {words} | {only}{text}{history}{write} |"


def _method(reader: _Reader, node: ua.NodeId) -> list[str]:
    text = reader.value(node, AttributeIds.Description).Text
    lines = [f"- `{node.Identifier!s}`: {text}"]
    for word, which in (("in", "InputArguments"), ("out", "OutputArguments")):
        for argument in reader.child(node, which) or []:
            array = "[]" if argument.ValueRank == ua.ValueRank.OneDimension else ""
            lines.append(f"  - {word} `{argument.Name}` ({reader.name(argument.DataType)}{array}): {argument.Description.Text}")
    return lines


async def reference() -> str:
    """Return the page."""
    view = sample_view()
    sample = await make_sample(view, OpcUaConfig(), people=True)
    uris = await sample.server.get_namespace_array()
    reader = _Reader(sample, uris)
    own = [n for n in sample.nodes if n.NamespaceIndex == sample.model.nodes.index]
    lines = [_HEAD.format(namespaces=", ".join(f"`{uri}`" for uri in uris[2:]))]
    methods: list[ua.NodeId] = []
    folder = ""
    for node in sorted(own, key=lambda n: [part.lower() for part in str(n.Identifier).split("/")]):
        path = str(node.Identifier)
        node_class = reader.value(node, AttributeIds.NodeClass)
        if node_class == ua.NodeClass.Method:
            methods.append(node)
        if node_class != ua.NodeClass.Variable or path.rpartition("/")[2] in _LEFT_OUT:
            continue
        parts = path.split("/")
        here = "/".join(parts[: 1 if len(parts) == 2 else 2])
        if here != folder:
            folder = here
            there = node_id(here, sample.model.nodes.index)
            kind = reader.kind(there) if there in sample.guarded.aspace else ""
            title = f"\n## {here}" + (f" ({kind})" if kind not in ("", "BaseObjectType", "FolderType") else "")
            lines += [title, "", "| identifier | type | unit and range | what |", "|---|---|---|---|"]
        lines.append(_row(reader, node))
    lines += ["\n## Methods", "", "For engineers and safety.", ""]
    for node in methods:
        lines += _method(reader, node)
    lines += ["\n## Alarms", "", "| condition | source | severity |", "|---|---|---|"]
    seen = set()
    for found in situations(view, 0.5, lambda name, key: False):
        if found.name not in seen:
            seen.add(found.name)
            lines.append(f"| `{found.name}` | `{found.folder}/<name>` | {found.severity} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""
    if arguments:
        print("usage: python -m bridges.opcua.reference > docs/opcua-reference.md", file=sys.stderr)
        return 2
    print(asyncio.run(reference()), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
