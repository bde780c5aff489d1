"""The VDA's own JSON schemas, where they lie beside the checkout, and messages made from them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = next((p / "shared/data/vda5050" for p in Path(__file__).resolve().parents if (p / "shared/data/vda5050").is_dir()), None)
VERSIONS = ("2.1.0", "3.0.0")
TOPICS = ("order", "instantActions", "state", "visualization", "connection", "factsheet")


def schema(version: str, topic: str) -> dict[str, Any]:
    """Return a schema as it was published; skips the test where it is absent."""
    if FOLDER is None:
        pytest.skip("the standard's schemas (shared/data/vda5050) are not beside the checkout")
    return json.loads((FOLDER / version / f"{topic}.schema").read_text(encoding="utf-8"))


def full_message(node: dict[str, Any], root: dict[str, Any], name: str = "") -> Any:
    """Make a value with every member that a schema knows."""
    if "$ref" in node:
        target = root
        for level in node["$ref"].removeprefix("#/").split("/"):
            target = target[level]
        return full_message(target, root, name)
    kind = node.get("type")
    kind = "string" if isinstance(kind, list) else kind
    if "enum" in node and kind != "array":
        return node["enum"][0]
    if kind == "object":
        return {key: full_message(child, root, key) for key, child in node.get("properties", {}).items()}
    if kind == "array":
        return [full_message(node.get("items", {"type": "string"}), root, name)]
    if kind == "integer":
        return node.get("minimum", 3)
    if kind == "number":
        return node.get("maximum", node.get("minimum", 1.5))
    if kind == "boolean":
        return True
    return "2026-01-31T08:00:00.000Z" if node.get("format") == "date-time" else {"version": "9"}.get(name, "word")


def broken_messages(message: Any) -> Iterator[tuple[str, Any]]:
    """Give copies of a message, each with one member missing, null, of another type, out of range or an unknown word."""
    for path in _paths(message):
        for what in ("missing", "null", "text", "number", "fraction", "negative", "large", "truth", "list", "object"):
            changed = copy.deepcopy(message)
            place = changed
            for step in path[:-1]:
                place = place[step]
            if what == "missing":
                if isinstance(path[-1], int):
                    continue
                del place[path[-1]]
            else:
                place[path[-1]] = {
                    "null": None, "text": "some other word", "number": 2, "fraction": 0.25, "negative": -7.5, "large": 1e9,
                    "truth": True, "list": [], "object": {},
                }[what]  # fmt: skip
            yield f"{'.'.join(map(str, path))} {what}", changed


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*path, key)
        yield from _paths(child, (*path, key))
