"""Reading and writing messages: bytes in, a model or a precise reason out.

The reason names the place as the standard spells it, for example ``nodes[1].actions[0].blockingType``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from pydantic import BaseModel, ValidationError

from bridges.vda5050 import factsheet_v2, factsheet_v3, v2, v3
from bridges.vda5050.base import Part, Version
from bridges.vda5050.limits import MAX_BYTES

__all__ = ["MESSAGES", "Refusal", "Topic", "read", "write"]

Topic: TypeAlias = Literal["order", "instantActions", "state", "visualization", "connection", "factsheet"]
_SHOWN = 3

MESSAGES: Mapping[Version, Mapping[Topic, type[Part]]] = MappingProxyType({
    "2.1.0": MappingProxyType({
        "order": v2.Order, "instantActions": v2.InstantActions, "state": v2.State, "visualization": v2.Visualization,
        "connection": v2.Connection, "factsheet": factsheet_v2.Factsheet,
    }),
    "3.0.0": MappingProxyType({
        "order": v3.Order, "instantActions": v3.InstantActions, "state": v3.State, "visualization": v3.Visualization,
        "connection": v3.Connection, "factsheet": factsheet_v3.Factsheet,
    }),
})  # fmt: skip
"""The model of every message, by version and topic."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message could not be read.

    Attributes
    ----------
    kind : ``size``, ``json``, ``schema`` or ``version``.
    reason : what was found, where, and what would be right.
    """

    kind: str
    reason: str


def read(payload: bytes, topic: Topic, version: Version) -> Part | Refusal:
    """Read a message.

    Parameters
    ----------
    payload : as it came, UTF-8 JSON.
    topic : last level of its topic.
    version : what the receiver speaks; a message of another major version is refused.

    Returns
    -------
    The message, or why it is none.
    """
    if len(payload) > MAX_BYTES:
        return Refusal("size", f"{len(payload)} bytes; at most {MAX_BYTES} are read")
    model = MESSAGES[version][topic]
    try:
        message = model.model_validate_json(payload)
    except ValidationError as error:
        return _refusal(error)
    said = getattr(message, "version", None)
    if said is not None and said.split(".")[0] != version.split(".")[0]:
        return Refusal("version", f"version: {said[:20]!r}; {version} is spoken here")
    return message


def write(message: BaseModel) -> bytes:
    """Return a message as UTF-8 JSON; absent members are left out."""
    return message.model_dump_json(by_alias=True, exclude_none=True).encode()


def _refusal(error: ValidationError) -> Refusal:
    faults = error.errors(include_url=False, include_context=False)
    if faults[0]["type"] == "json_invalid":
        return Refusal("json", faults[0]["msg"])
    texts = []
    for fault in faults[:_SHOWN]:
        place = ""
        for part in fault["loc"]:
            place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
        found = "" if fault["type"] in ("missing", "value_error") or isinstance(fault["input"], dict | list) else (
            f", not {str(fault['input'])[:40]!r}"
        )  # fmt: skip
        texts.append(f"{place or 'message'}: {fault['msg'].removeprefix('Value error, ')}{found}")
    if len(faults) > _SHOWN:
        texts.append(f"and {len(faults) - _SHOWN} more")
    return Refusal("schema", "; ".join(texts))
