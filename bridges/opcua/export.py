"""``python -m bridges.opcua.export FILE`` writes the server's nodes as a NodeSet2 file (OPC 10000-6 annex F).

The file holds a hall of one of each. A modelling tool or another server loads it as it is: the types of the companion
specifications that the nodes need are in it, as far as the twin makes them. Fixed values (units, ranges, arguments,
identification) are in it, live ones are not.
"""

from __future__ import annotations

import asyncio
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.common.xmlexporter import XmlExporter
from asyncua.ua.object_ids import ObjectIds

from bridges.config import OpcUaConfig
from bridges.errors import BridgeError
from bridges.opcua.nodes import NAMESPACE_URI
from bridges.opcua.sample import Sample, make_sample, sample_view
from bridges.opcua.space import node_id

__all__ = ["export", "main"]

_PROPERTY = node_id(ObjectIds.PropertyType)


async def export(sample: Sample, path: Path) -> int:
    """Write the nodes of a sample.

    Parameters
    ----------
    sample : what is written. path : the file; it is made or replaced.

    Returns
    -------
    int
        Nodes written.

    Raises
    ------
    BridgeError
        The file cannot be written.
    """
    exporter: Any = XmlExporter(sample.server)
    nodes = [sample.server.get_node(node) for node in sample.nodes]
    await exporter._add_namespaces(nodes)  # not all: the library would count the core namespace among them
    for node in nodes:
        exporter._export_values = await _is_fixed(node)
        await exporter.node_to_etree(node)
    exporter._add_alias_els()
    root = exporter.etree.getroot()
    models = ET.Element("Models")
    ET.SubElement(models, "Model", ModelUri=NAMESPACE_URI, Version=sample.model.nodes.software_revision)
    root.insert(1, models)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        await exporter.write_xml(str(path))
    except OSError as error:
        raise BridgeError(f"{path}: cannot be written: {error.strerror}") from error
    return len(nodes)


async def _is_fixed(node: Any) -> bool:
    """Tell whether the value of a node stays as it is: a property's."""
    if await node.read_node_class() != ua.NodeClass.Variable:
        return False
    if await node.read_type_definition() != _PROPERTY:
        return False
    data = await node.read_data_value(raise_on_bad_status=False)
    return data.Value is not None and data.Value.Value is not None


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m bridges.opcua.export FILE", file=sys.stderr)
        return 2

    async def run() -> int:
        return await export(await make_sample(sample_view(), OpcUaConfig(), people=False), Path(arguments[0]))

    try:
        count = asyncio.run(run())
    except BridgeError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{arguments[0]}: {count} nodes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
