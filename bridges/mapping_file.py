"""Reads a mapping file; every fault is told with file, line, column, value and what would be right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping as Names
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from bridges.errors import BridgeError
from bridges.mapping import Asset, CsvSource, Entry, Mapping, MqttSource, OpcUaSource, Source, WriteBack
from bridges.mapping_variables import UNITS, TwinVariable, closest

__all__ = ["BoundEntry", "BoundMapping", "MappingError", "read_mapping"]

Loc = tuple[str | int, ...]
_FILES = ("file", "password_file", "certificate_dir", "user_certificate_file", "user_key_file", "ca_file", "certificate_file",
          "key_file")  # fmt: skip
_MODELS = (Mapping, Entry, OpcUaSource, MqttSource, CsvSource, WriteBack, Asset)


class MappingError(BridgeError):
    """One or more faults in a mapping file.

    Attributes
    ----------
    problems : a line for each, ``file:line:column: key: what is wrong``.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True)
class BoundEntry:
    """An entry with the variable that it is about.

    Attributes
    ----------
    row : place in the mapping. entry : as written. variable : of the twin.
    factor, shift : the twin's value is ``raw * factor + shift``. place : ``file:line:column``, for messages.
    """

    row: int
    entry: Entry
    variable: TwinVariable
    factor: float
    shift: float
    place: str


@dataclass(frozen=True, slots=True)
class BoundMapping:
    """A valid mapping of a hall.

    Attributes
    ----------
    mapping : as written. path : its file. entries : all of them, in the file's order.
    """

    mapping: Mapping
    path: Path
    entries: tuple[BoundEntry, ...]

    def of_source(self, name: str) -> tuple[BoundEntry, ...]:
        """Return the entries that are read from a source."""
        return tuple(e for e in self.entries if e.entry.source == name and e.entry.write_back is None)

    def advice_to(self, name: str) -> tuple[BoundEntry, ...]:
        """Return the entries that are written to a source."""
        return tuple(e for e in self.entries if e.entry.source == name and e.entry.write_back is not None)


def read_mapping(path: Path, variables: Names[str, TwinVariable], assets: tuple[str, ...] = ()) -> BoundMapping:
    """Read a mapping file and bind it to the variables of a hall.

    Parameters
    ----------
    path : the file. variables : of the hall, by name. assets : names that ``assets`` may hold beside those of the variables.

    Raises
    ------
    MappingError
        With every fault that was found.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"not UTF-8 text (byte {error.start})"
        raise MappingError([f"{path}: cannot be read: {reason}; a mapping is a YAML file (docs/mapping.md)"]) from None
    root = _parse(text, path)
    try:
        mapping = Mapping.model_validate(_absolute(_plain(root), path.parent))
    except ValidationError as error:
        raise MappingError([_told(fault, root, path) for fault in error.errors()]) from None
    problems: list[str] = []
    entries = _bind(mapping, root, path, variables, problems)
    known = {*assets, *(v.asset for v in variables.values())}
    for name in mapping.assets:
        if name not in known:
            problems.append(
                _line(root, path, ("assets", name), f"{name!r} is no asset of this hall; {closest(name, known)}", True)
            )
    if problems:
        raise MappingError(problems)
    return BoundMapping(mapping, path, tuple(entries))


def _parse(text: str, path: Path) -> CommentedMap:
    yaml = YAML(typ="rt")
    yaml.version = (1, 2)
    try:
        root = yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        what = (error.problem or "not YAML").strip().splitlines()[0]
        raise MappingError([f"{path}:{at}: not valid YAML: {what}"]) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise MappingError([f"{path}:1:1: not valid YAML: {str(error).splitlines()[0]}"]) from None
    if not isinstance(root, CommentedMap):
        raise MappingError([f"{path}:1:1: a mapping file has the keys version, sources and variables (docs/mapping.md)"])
    return root


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(k): _plain(v) for k, v in node.items()}
    if isinstance(node, list):
        return [_plain(v) for v in node]
    if isinstance(node, bool) or node is None:
        return node
    return next((kind(node) for kind in (int, float, str) if isinstance(node, kind)), str(node))


def _absolute(root: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Let relative paths below ``sources`` begin at the mapping file's folder."""

    def walk(node: Any) -> Any:
        if not isinstance(node, dict):
            return node
        return {k: str(folder / v) if k in _FILES and isinstance(v, str) and v else walk(v) for k, v in node.items()}

    return root | {"sources": walk(root["sources"])} if "sources" in root else root


def _place(root: Any, loc: Loc, at_key: bool) -> tuple[int, int]:
    """Line and column of a key; where it is absent, those of the nearest that is there. Steps that YAML has not are passed."""
    node, place = root, (1, 1)
    for depth, step in enumerate(loc):
        if isinstance(node, CommentedMap) and step in node:
            line, column = node.lc.key(step) if at_key and depth == len(loc) - 1 else node.lc.value(step)
        elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
            line, column = node.lc.item(step)
        else:
            continue
        place, node = (line + 1, column + 1), node[step]
    return place


def _key(loc: Loc) -> str:
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in loc).lstrip(".")


def _line(root: Any, path: Path, loc: Loc, message: str, at_key: bool = False) -> str:
    line, column = _place(root, loc, at_key)
    return f"{path}:{line}:{column}: {_key(loc)}: {message}"


def _told(fault: Any, root: CommentedMap, path: Path) -> str:
    """Say what pydantic found in the words of the person who wrote the file."""
    loc: Loc = tuple(s for k, s in enumerate(fault["loc"]) if not (k == 2 and s in ("opcua", "mqtt", "csv")))
    name, value, kind = str(loc[-1]) if loc else "", fault.get("input"), fault["type"]
    fields = {key: field for model in _MODELS for key, field in model.model_fields.items()}
    description = fields[name].description if name in fields else ""
    if kind == "extra_forbidden":
        known = _known_keys(loc)
        near = difflib.get_close_matches(name, known, 1)
        message = f"unknown key {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}")
    elif kind == "missing":
        message = f"is missing. {description}".strip()
    elif kind in ("union_tag_not_found", "union_tag_invalid"):
        message = "kind is missing or unknown; a source is of kind opcua, mqtt or csv"
    elif kind == "value_error":
        message = str(fault["msg"]).removeprefix("Value error, ")
        loc = _narrowed(root, loc, message)
    else:
        shown = repr(value) if not isinstance(value, dict | list | tuple) else f"a {type(value).__name__}"
        message = f"{shown}: {str(fault['msg'])[:1].lower()}{str(fault['msg'])[1:]}. {description}".strip()
    return _line(root, path, loc, message, kind == "extra_forbidden")


def _known_keys(loc: Loc) -> list[str]:
    if "write_back" in loc:
        return sorted(WriteBack.model_fields)
    if loc[0] == "variables":
        return sorted(Entry.model_fields)
    if loc[0] == "sources" and len(loc) > 2:
        return sorted({*OpcUaSource.model_fields, *MqttSource.model_fields, *CsvSource.model_fields})
    return sorted(Asset.model_fields if loc[0] == "assets" else Mapping.model_fields)


def _narrowed(root: Any, loc: Loc, message: str) -> Loc:
    """Point at the key that a message begins with, or whose value it quotes."""
    node: Any = root
    for step in loc:
        if isinstance(node, dict) and step in node:
            node = node[step]
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
    if isinstance(node, dict):
        names = [message.split(" ")[0], *(k for q in re.findall(r"'([^']*)'", message) for k, v in node.items() if str(v) == q)]
        for name in names:
            if name in node:
                return (*loc, name)
    return loc


def _bind(
    mapping: Mapping, root: CommentedMap, path: Path, variables: Names[str, TwinVariable], problems: list[str]
) -> list[BoundEntry]:
    bound: list[BoundEntry] = []
    first: dict[str, int] = {}
    for row, entry in enumerate(mapping.variables):
        at: Loc = ("variables", row)
        found: list[tuple[str, str]] = []
        variable, source = variables.get(entry.twin), mapping.sources.get(entry.source)
        if variable is None:
            found.append(("twin", f"{entry.twin!r} is no variable of this hall; {closest(entry.twin, variables)}"))
        if source is None:
            found.append(("source", f"{entry.source!r} is no source; {closest(entry.source, mapping.sources)}"))
        else:
            found += _misplaced(entry, source)
        if variable is not None:
            found += _unfit(entry, variable)
        if entry.twin in first:
            found.append(
                (
                    "twin",
                    f"{entry.twin!r} has an entry already in line {_place(root, ('variables', first[entry.twin]), False)[0]}",
                )
            )
        first.setdefault(entry.twin, row)
        problems += [_line(root, path, (*at, key), message) for key, message in found]
        if found or variable is None:
            continue
        units = UNITS[variable.dimension]
        to_twin = units[variable.unit if entry.unit is None else entry.unit]
        line, column = _place(root, at, False)
        bound.append(BoundEntry(row, entry, variable, entry.scale * to_twin, entry.offset * to_twin, f"{path}:{line}:{column}"))
    return bound


def _misplaced(entry: Entry, source: Source) -> list[tuple[str, str]]:
    """Find keys that an entry needs or must not have, by the kind of its source."""
    needs = {"opcua": ("node",), "mqtt": ("topic", "path"), "csv": ("column",)}
    found: list[tuple[str, str]] = []
    for kind, keys in needs.items():
        for key in keys:
            given = getattr(entry, key) is not None
            if kind == source.kind and not given and not (entry.write_back is not None and kind != "opcua"):
                found.append(
                    (key, f"is missing; source {entry.source!r} is of kind {source.kind}. {Entry.model_fields[key].description}")
                )
            if kind != source.kind and given:
                found.append((key, f"is for sources of kind {kind}; {entry.source!r} is of kind {source.kind}"))
    if entry.write_back is not None and source.kind != "opcua":
        found.append(("write_back", f"needs a source of kind opcua; {entry.source!r} is of kind {source.kind}"))
    return found


def _unfit(entry: Entry, variable: TwinVariable) -> list[tuple[str, str]]:
    """Find what does not fit the variable: unit, way, truth."""
    found: list[tuple[str, str]] = []
    units = UNITS[variable.dimension]
    truth = variable.dimension == "truth"
    if entry.unit is not None and entry.unit not in units:
        known = ", ".join(u for u in units if u) or "none, it is true or false"
        found.append(("unit", f"{entry.unit!r} is no unit of {variable.name!r} ({variable.dimension}); known: {known}"))
    if entry.true_when is not None and not truth:
        found.append(("true_when", f"is for truth values; {variable.name!r} is a number in {variable.unit}"))
    if truth and (entry.scale != 1.0 or entry.offset != 0.0):
        key = "scale" if entry.scale != 1.0 else "offset"
        found.append((key, f"{variable.name!r} is true or false; use true_when"))
    if variable.way == "in" and entry.write_back is not None:
        found.append(
            ("write_back", f"{variable.name!r} is told by the plant; advice is links.*.risk, links.*.margin, services.*.up")
        )
    if variable.way == "out" and entry.write_back is None:
        found.append(("twin", f"{variable.name!r} is the twin's own advice: add write_back, or map a variable that plants tell"))
    return found
