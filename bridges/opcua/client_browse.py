"""Looks through a server and writes a first mapping: what was recognised as entries to be checked, the rest as comments."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaError

from bridges.errors import BridgeError
from bridges.mapping import OpcUaSource
from bridges.mapping_variables import UNITS, TwinVariable
from bridges.opcua.client_session import open_session, prepare

__all__ = ["Found", "browse", "guess", "mapping_text"]

_MAX_NODES, _MAX_DEPTH = 20_000, 16
_NUMBERS = {
    ua.VariantType.Boolean, ua.VariantType.SByte, ua.VariantType.Byte, ua.VariantType.Int16, ua.VariantType.UInt16,
    ua.VariantType.Int32, ua.VariantType.UInt32, ua.VariantType.Int64, ua.VariantType.UInt64, ua.VariantType.Float,
    ua.VariantType.Double,
}  # fmt: skip
_WORDS = {
    "x": r"(pos(ition)?[ _./]?)?x([ _]?pos(ition)?)?$", "y": r"(pos(ition)?[ _./]?)?y([ _]?pos(ition)?)?$",
    "heading": r"heading|theta|yaw|orientation$", "speed": r"(speed|velocity)$", "battery": r"battery|stateofcharge|soc$",
    "running": r"running|isrunning|inmotion|active|state$",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """One variable of a server.

    Attributes
    ----------
    path : browse names from Objects on. node : node id with the namespace's URI. type : of its value. value : now, as text.
    unit : as the server says, "" where it does not.
    """

    path: tuple[str, ...]
    node: str
    type: str
    value: str
    unit: str


def browse(source: OpcUaSource, state: Path) -> list[Found]:
    """Return the numbers and truth values below Objects, in the order of their paths.

    Parameters
    ----------
    source : the server. state : folder of certificates, as in :func:`bridges.opcua.client_session.prepare`.

    Raises
    ------
    BridgeError
        The server cannot be reached, is not trusted or refuses.
    """
    return asyncio.run(_browse(source, state))


async def _browse(source: OpcUaSource, state: Path) -> list[Found]:
    try:
        client = await open_session(source, prepare(source, state))
    except (OSError, UaError, TimeoutError) as error:
        raise BridgeError(
            f"{source.url}: {str(error).strip() or type(error).__name__}; is the server there, and the address right?"
        ) from error
    try:
        namespaces = await client.get_namespace_array()
        found: list[Found] = []
        seen: set[ua.NodeId] = {ua.NodeId.from_string(f"i={ObjectIds.Server}")}  # what the server says of itself is no machine
        queue: list[tuple[ua.NodeId, tuple[str, ...]]] = [(ua.NodeId.from_string(f"i={ObjectIds.ObjectsFolder}"), ())]
        while queue and len(seen) < _MAX_NODES:
            at, path = queue.pop(0)
            for child in await client.get_node(at).get_references(ObjectIds.HierarchicalReferences, ua.BrowseDirection.Forward):
                node = ua.NodeId(child.NodeId.Identifier, child.NodeId.NamespaceIndex, child.NodeId.NodeIdType)
                if node in seen or child.NodeClass not in (ua.NodeClass.Object, ua.NodeClass.Variable):
                    continue
                seen.add(node)
                below = (*path, str(child.BrowseName.Name))
                if child.NodeClass == ua.NodeClass.Variable:
                    found += await _variable(client, node, below, namespaces)
                if len(below) < _MAX_DEPTH:
                    queue.append((node, below))
        return sorted(found, key=lambda f: [_natural(name) for name in f.path])
    except (OSError, UaError, TimeoutError) as error:
        raise BridgeError(f"{source.url}: lost while it was looked through: {error}") from error
    finally:
        try:
            await client.disconnect()
        except (OSError, UaError, TimeoutError):
            client.disconnect_socket()


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


async def _variable(client: Client, node: ua.NodeId, path: tuple[str, ...], namespaces: Sequence[str]) -> list[Found]:
    data = await client.get_node(node).read_data_value(False)
    if data.Value is None or data.Value.VariantType not in _NUMBERS or data.Value.is_array:
        return []
    unit = ""
    try:
        about = await client.get_node(node).get_child("0:EngineeringUnits")
        unit = str((await about.read_value()).DisplayName.Text or "")
    except (UaError, AttributeError):
        pass
    identifier = re.sub(r"^ns=\d+;", "", node.to_string())
    index = node.NamespaceIndex
    text = f"nsu={namespaces[index]};{identifier}" if 0 < index < len(namespaces) else identifier
    return [Found(path, text, data.Value.VariantType.name, repr(data.Value.Value), unit.replace("°", "deg"))]


def guess(found: Found, variables: Iterable[TwinVariable]) -> TwinVariable | None:
    """Guess which variable of the twin a node is; None where nothing speaks for one.

    The asset's name must stand in the path; then the last names decide: ``Axis_3``, ``A3`` or ``joint3`` is a joint, ``x`` a
    place. Where only one cobot is there, its name need not be in the path.
    """
    candidates = [v for v in variables if v.way == "in"]
    path = [_plain(name) for name in found.path]
    joint = next(
        (m for name in reversed(found.path) if (m := re.search(r"(?:^|[^a-z])(?:a|axis|joint|j)[ _]?([1-7])$", name, re.I))), None
    )
    cobots = {v.asset for v in candidates if v.quantity.startswith("joint_")}
    best: TwinVariable | None = None
    for variable in candidates:
        named = any(_plain(variable.asset) in name for name in path)
        if variable.quantity.startswith("joint_"):
            fits = joint is not None and variable.quantity == f"joint_{joint.group(1)}" and (named or len(cobots) == 1)
            fits = fits and re.search(r"speed|accel|torque|current|temperature|velocity", found.path[-1], re.I) is None
        else:
            fits = named and re.search(_WORDS[variable.quantity], found.path[-1], re.I) is not None
        if fits and (best is None or named):
            best = variable
    truth = found.type == "Boolean"
    return best if best is not None and (best.dimension == "truth") == truth else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def mapping_text(source: OpcUaSource, found: Sequence[Found], variables: Sequence[TwinVariable]) -> str:
    """Write a first mapping as YAML: guesses as entries with the word ``guess`` behind them, all other nodes as comments."""
    lines = [
        "# A first mapping. Entries marked as guess were recognised by name: check each one, its unit and its sign.",
        "# The other nodes of the server stand below as comments. docs/mapping.md tells the keys.",
        "version: 1",
        "sources:",
        "  plant:",
        "    kind: opcua",
        f"    url: {source.url}",
    ]
    for key in ("policy", "mode", "insecure", "user", "password_file", "certificate_dir"):
        value = getattr(source, key)
        if value != OpcUaSource.model_fields[key].default:
            path = value.resolve() if isinstance(value, Path) else value
            lines.append(f"    {key}: {str(path).lower() if isinstance(path, bool) else _quoted(str(path))}")
    guessed: list[str] = []
    others: list[str] = []
    used: set[str] = set()
    for node in found:
        about = f"{' / '.join(node.path)}: {node.type} {node.value}{' ' + node.unit if node.unit else ''}"
        variable = guess(node, [v for v in variables if v.name not in used])
        if variable is None:
            others.append(f"  # - {{twin: , source: plant, node: {_quoted(node.node)}}}  # {about}")
            continue
        used.add(variable.name)
        known = [u for u in UNITS[variable.dimension] if u]
        unit = f", unit: {_quoted(node.unit if node.unit in known else variable.unit)}" if known else ""
        guessed.append(f"  - {{twin: {variable.name}, source: plant, node: {_quoted(node.node)}{unit}}}  # guess: {about}")
    return "\n".join([*lines, "variables:" if guessed else "variables: []", *guessed, *others]) + "\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
