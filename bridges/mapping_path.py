"""Where in a JSON message a value stands: a strict part of JSONPath (RFC 9535).

``$`` is the message, ``.name`` or ``['any name']`` a member, ``[3]`` an element (``[-1]`` the last one). A path always names
exactly one place: wildcards, slices, filters and ``..`` are refused, for a twin variable has one value.
"""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["JsonPath", "parse_json_path"]

JsonPath = tuple[str | int, ...]
"""Names and indices from the message on."""

_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\[(-?(?:0|[1-9]\d{0,8}))\]|\['([^'\\]*)'\]|\[(\"[^\"\\]*\")\]")
_MAX_STEPS = 32


def parse_json_path(text: str) -> JsonPath:
    """Read a path.

    Raises
    ------
    ValueError
        It is none of this kind; the text says where it ends to be one.
    """
    if not text.startswith("$"):
        raise ValueError(f"path {text!r} must begin with $, the message itself; $.motor.speed or $.axes[2].position is one")
    steps: list[str | int] = []
    at = 1
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise ValueError(
                f"path {text!r} cannot be read from {text[at:]!r} on; known are .name, ['any name'] and [0], "
                "without wildcards, slices and filters"
            )
        name, index, quoted, double = match.groups()
        steps.append(int(index) if index is not None else name or (json.loads(double) if double is not None else quoted))
        at = match.end()
    if len(steps) > _MAX_STEPS:
        raise ValueError(f"path {text!r} has {len(steps)} steps; {_MAX_STEPS} are read at most")
    return tuple(steps)


def find(document: Any, path: JsonPath) -> Any:
    """Return what stands at a path of a parsed message.

    Raises
    ------
    LookupError
        Nothing stands there; the text names the step that failed.
    """
    for depth, step in enumerate(path):
        if isinstance(step, int):
            if not isinstance(document, list):
                raise LookupError(f"step {depth + 1} asks for element {step} of a {_kind(document)}")
            if not -len(document) <= step < len(document):
                raise LookupError(f"step {depth + 1} asks for element {step} of a list of {len(document)}")
        elif not isinstance(document, dict):
            raise LookupError(f"step {depth + 1} asks for {step!r} of a {_kind(document)}")
        elif step not in document:
            raise LookupError(f"step {depth + 1}: there is no {step!r}; there are {', '.join(sorted(document)[:6]) or 'none'}")
        document = document[step]
    return document


def _kind(document: Any) -> str:
    return {dict: "mapping", list: "list", str: "text", type(None): "null", bool: "truth value"}.get(type(document), "number")
