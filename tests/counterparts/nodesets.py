"""The official NodeSet2 files as tables: which members a type demands of its instances."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

FILES = ("Opc.Ua.Di.NodeSet2.xml", "Opc.Ua.IA.NodeSet2.xml", "Opc.Ua.Machinery.NodeSet2.xml", "Opc.Ua.Robotics.NodeSet2.xml")
CORE = "http://opcfoundation.org/UA/"
_NS = "{http://opcfoundation.org/UA/2011/03/UANodeSet.xsd}"
_TYPE, _RULE, _SUBTYPE, _INTERFACE = "i=40", "i=37", "i=45", "i=17603"
_PARTS = ("i=46", "i=47", "i=49", "i=17604")  # HasProperty, HasComponent, HasOrderedComponent, HasAddIn
_MANDATORY, _MANDATORY_PLACEHOLDER = "i=78", "i=11510"

Id = tuple[str, str]  # namespace URI and the identifier's text, for example i=1004


@dataclass
class Node:
    """One node of a file."""

    id: Id
    name: tuple[str, str]
    node_class: str
    data_type: Id | None
    references: list[tuple[Id, bool, Id]] = field(default_factory=list)


class NodeSets:
    """The files of a folder, read together."""

    def __init__(self, folder: Path) -> None:
        self.nodes: dict[Id, Node] = {}
        for name in FILES:
            self._read(folder / name)
        self.parts: dict[Id, set[Id]] = {}
        self.supertype: dict[Id, Id] = {}
        for node in self.nodes.values():
            for kind, forward, other in node.references:
                if kind[1] in _PARTS and kind[0] == CORE:
                    whole, part = (node.id, other) if forward else (other, node.id)
                    self.parts.setdefault(whole, set()).add(part)
                if kind == (CORE, _SUBTYPE):
                    below, above = (other, node.id) if forward else (node.id, other)
                    self.supertype[below] = above

    def _read(self, path: Path) -> None:
        root = ET.parse(path).getroot()
        uris = [CORE, *(uri.text or "" for uri in root.iter(f"{_NS}Uri"))]
        aliases = {a.get("Alias"): a.text or "" for a in root.iter(f"{_NS}Alias")}

        def node_id(text: str) -> Id:
            text = aliases.get(text, text)
            index, _, rest = text.partition(";")
            return (uris[int(index[3:])], rest) if index.startswith("ns=") else (CORE, text)

        for element in root:
            if element.get("NodeId") is None:
                continue
            full = element.get("BrowseName") or ""
            index, _, name = full.partition(":")
            kind = element.tag.removeprefix(f"{_NS}UA")
            data_type = element.get("DataType")
            node = Node(
                node_id(element.get("NodeId") or ""),
                (uris[int(index)], name) if index.isdigit() else (CORE, full),
                kind,
                node_id(data_type) if data_type else None,
            )
            for ref in element.iter(f"{_NS}Reference"):
                node.references.append(
                    (node_id(ref.get("ReferenceType") or ""), ref.get("IsForward") != "false", node_id(ref.text or ""))
                )
            self.nodes[node.id] = node

    def _targets(self, node: Id, kind: str) -> list[Id]:
        here = self.nodes.get(node)
        return [o for k, forward, o in here.references if k == (CORE, kind) and forward] if here else []

    def type_of(self, node: Id) -> Id | None:
        """Return the type definition of a node."""
        return next(iter(self._targets(node, _TYPE)), None)

    def is_a(self, kind: Id, ancestor: Id) -> bool:
        """Tell whether a type is another or one of its subtypes."""
        while kind != ancestor:
            if kind not in self.supertype:
                return False
            kind = self.supertype[kind]
        return True

    def demands(self, kind: Id) -> tuple[list[Node], list[Node]]:
        """Return the mandatory members of a type, and its mandatory placeholders, those of supertypes and interfaces too."""
        members, placeholders, todo = {}, {}, [kind]
        while todo:
            here = todo.pop()
            todo += [*self._targets(here, _INTERFACE), *([self.supertype[here]] if here in self.supertype else [])]
            self.sort_parts(here, members, placeholders)
        return list(members.values()), list(placeholders.values())

    def sort_parts(self, whole: Id, members: dict, placeholders: dict) -> None:
        """Add the mandatory parts of a node to two tables by browse name."""
        for part in self.parts.get(whole, ()):
            if part not in self.nodes:
                continue
            rules = self._targets(part, _RULE)
            if (CORE, _MANDATORY) in rules:
                members.setdefault(self.nodes[part].name, self.nodes[part])
            if (CORE, _MANDATORY_PLACEHOLDER) in rules:
                placeholders.setdefault(self.nodes[part].name, self.nodes[part])
