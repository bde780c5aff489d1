"""The fields of VDMA LIF 1.0, and what real files make of them: strays are put right, listed, and never dropped.

Source: VDMA, Layout Interchange Format 1.0, and the JSON schema published with it. Unknown fields stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from factory.layouts.report import Report, shown
from factory.layouts.source import number

NUMBER, TEXT, BOOLEAN = "number", "text", "boolean"
LIF_VERSION = "1.0.0"


@dataclass(frozen=True, slots=True)
class Record:
    """An object of LIF.

    Attributes
    ----------
    fields : what each known field holds: NUMBER, TEXT, BOOLEAN, a tuple of allowed words, a list with one form, or a Record.
    required : fields that LIF asks for.
    defaults : of those, the ones that stand for "there is none", which are filled in.
    """

    fields: dict[str, Any]
    required: tuple[str, ...] = ()
    defaults: dict[str, Any] = field(default_factory=dict)


_POINT = {"x": NUMBER, "y": NUMBER}
_TURNS = ("NONE", "CCW", "CW", "BOTH")
_ACTION = Record(
    {
        "actionType": TEXT,
        "actionDescription": TEXT,
        "requirementType": ("REQUIRED", "CONDITIONAL", "OPTIONAL"),
        "blockingType": ("NONE", "SOFT", "HARD"),
        "actionParameters": [Record({"key": TEXT, "value": TEXT}, ("key", "value"))],
    },
    ("actionType", "blockingType"),
)
_NODE = Record(
    {
        "nodeId": TEXT,
        "nodeName": TEXT,
        "nodeDescription": TEXT,
        "mapId": TEXT,
        "nodePosition": Record(_POINT, ("x", "y")),
        "vehicleTypeNodeProperties": [
            Record({"vehicleTypeId": TEXT, "theta": NUMBER, "actions": [_ACTION]}, ("vehicleTypeId",)),
        ],
    },
    ("nodeId", "nodePosition", "vehicleTypeNodeProperties"),
    {"vehicleTypeNodeProperties": []},
)
_EDGE_PROPERTY = Record(
    {
        "vehicleTypeId": TEXT,
        "vehicleOrientation": NUMBER,
        "orientationType": ("GLOBAL", "TANGENTIAL"),
        "rotationAllowed": BOOLEAN,
        "rotationAtStartNodeAllowed": _TURNS,
        "rotationAtEndNodeAllowed": _TURNS,
        "maxSpeed": NUMBER,
        "maxRotationSpeed": NUMBER,
        "minHeight": NUMBER,
        "maxHeight": NUMBER,
        "loadRestriction": Record({"unloaded": BOOLEAN, "loaded": BOOLEAN, "loadSetNames": [TEXT]}, ("unloaded", "loaded")),
        "actions": [_ACTION],
        "trajectory": Record(
            {"degree": NUMBER, "knotVector": [NUMBER], "controlPoints": [Record({**_POINT, "weight": NUMBER}, ("x", "y"))]},
            ("knotVector", "controlPoints"),
        ),
        "reentryAllowed": BOOLEAN,
    },
    ("vehicleTypeId", "rotationAllowed"),
)
_EDGE = Record(
    {
        "edgeId": TEXT,
        "edgeName": TEXT,
        "edgeDescription": TEXT,
        "startNodeId": TEXT,
        "endNodeId": TEXT,
        "vehicleTypeEdgeProperties": [_EDGE_PROPERTY],
    },
    ("edgeId", "startNodeId", "endNodeId", "vehicleTypeEdgeProperties"),
    {"vehicleTypeEdgeProperties": []},
)
_STATION = Record(
    {
        "stationId": TEXT,
        "interactionNodeIds": [TEXT],
        "stationName": TEXT,
        "stationDescription": TEXT,
        "stationHeight": NUMBER,
        "stationPosition": Record({**_POINT, "theta": NUMBER}, ("x", "y")),
    },
    ("stationId", "interactionNodeIds"),
    {"interactionNodeIds": []},
)
_LAYOUT = Record(
    {
        "layoutId": TEXT,
        "layoutName": TEXT,
        "layoutVersion": TEXT,
        "layoutLevelId": TEXT,
        "layoutDescription": TEXT,
        "nodes": [_NODE],
        "edges": [_EDGE],
        "stations": [_STATION],
    },
    ("layoutId", "layoutVersion", "nodes", "edges", "stations"),
    {"nodes": [], "edges": [], "stations": []},
)
_META = Record(
    {"projectIdentification": TEXT, "creator": TEXT, "exportTimestamp": TEXT, "lifVersion": TEXT},
    ("projectIdentification", "creator", "exportTimestamp", "lifVersion"),
)
LIF = Record(
    {"metaInformation": _META, "layouts": [_LAYOUT]}, ("metaInformation", "layouts"), {"metaInformation": {}, "layouts": []}
)


def put_right(value: Any, form: Any, place: str, report: Report) -> Any:
    """Return a copy of ``value`` as ``form`` asks, every change in the report.

    Parameters
    ----------
    value : part of a LIF document.
    form : what belongs there, see :class:`Record`.
    place : path to it, such as ``layouts[0].nodes[3]``.
    report : gets a line for each repair, and for each value that stays wrong.
    """
    if isinstance(form, Record):
        return _record(value, form, place, report)
    if isinstance(form, list):
        if value is None:
            report.repaired(place, "is null; read as an empty list")
            return []
        if not isinstance(value, list):
            report.repaired(place, f"is {shown(value)} and no list; read as a list of it")
            value = [value]
        return [put_right(entry, form[0], f"{place}[{i}]", report) for i, entry in enumerate(value)]
    return _word(value, form, place, report)


def _record(value: Any, form: Record, place: str, report: Report) -> Any:
    if not isinstance(value, dict):
        report.ignored(place, f"is {shown(value)} where an object belongs; kept as it is")
        return value
    result: dict[str, Any] = {}
    for key, entry in value.items():
        name = key.strip()
        if name != key and name in form.fields and name not in value:
            report.repaired(f"{place}.{name}".lstrip("."), f"its key is written {key!r}; the blank is taken off")
        elif key in form.fields:
            name = key
        else:
            near = [known for known in form.fields if known.lower() == name.lower() and known not in value]
            name = near[0] if near else key
            if near:
                report.repaired(f"{place}.{name}".lstrip("."), f"its key is written {key!r}; read as {name!r}")
            else:
                report.ignored(f"{place}.{key}".lstrip("."), "is no field of LIF; kept for export")
        result[name] = (
            put_right(entry, form.fields[name], f"{place}.{name}".lstrip("."), report) if name in form.fields else entry
        )
    for name in form.required:
        if name not in result and name in form.defaults:
            report.repaired(f"{place}.{name}".lstrip("."), "is missing though LIF asks for it; read as empty")
            result[name] = type(form.defaults[name])()
        elif name not in result:
            report.missing(f"{place}.{name}".lstrip("."), "LIF asks for it")
    return result


def _word(value: Any, form: Any, place: str, report: Report) -> Any:
    if form == NUMBER:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        read = number(value)
        if read is not None:
            report.repaired(place, f"is the text {shown(value)}; read as the number {read:g}")
            return read
        report.ignored(place, f"is {shown(value)} and no number; kept as it is")
        return value
    if form == BOOLEAN:
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower() if isinstance(value, str | int) else ""
        if word in ("true", "false", "1", "0"):
            report.repaired(
                place, f"is {shown(value)}; read as {word in ('true', '1')}".replace("True", "true").replace("False", "false")
            )
            return word in ("true", "1")
        report.ignored(place, f"is {shown(value)} and neither true nor false; kept as it is")
        return value
    if not isinstance(value, str):
        if isinstance(value, int | float) and not isinstance(value, bool):
            report.repaired(place, f"is the number {value}; read as the text {str(value)!r}")
            return str(value)
        report.ignored(place, f"is {shown(value)} and no text; kept as it is")
        return value
    if isinstance(form, tuple) and value not in form:
        if value.strip().upper() in form:
            report.repaired(place, f"is {value!r}; read as {value.strip().upper()!r}")
            return value.strip().upper()
        report.ignored(place, f"is {shown(value)} and none of {', '.join(form)}; kept as it is")
    return value
