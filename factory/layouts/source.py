"""Reading files that others wrote: size limits, encodings, JSON without NaN, XML without entities, YAML with line numbers.

Every fault ends in a :class:`~.report.LayoutError` that names file and line.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from xml.parsers import expat

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from factory.layouts.report import LayoutError, Report, shown

MAX_BYTES = 64 * 1024 * 1024
MAX_COORDINATE = 1e9  # beyond, a number is no coordinate in any unit that is used


def read_text(path: Path) -> str:
    """Return a file's text, a byte order mark taken off.

    Raises
    ------
    LayoutError
        If it is absent, a folder, larger than ``MAX_BYTES``, empty or not UTF-8.
    """
    source = str(path)
    try:
        if path.is_dir():
            raise LayoutError(source, "", "is a folder; name a file in it")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise LayoutError(source, "", f"has {size / 1e6:.0f} MB; layouts of up to {MAX_BYTES / 1e6:.0f} MB are read")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise LayoutError(source, "", f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise LayoutError(source, "", f"is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    if not text.strip():
        raise LayoutError(source, "", "is empty")
    return text


def read_json(path: Path) -> Any:
    """Return the content of a JSON file; NaN and Infinity, which JSON does not know, are refused."""

    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is no JSON number; give a finite number")

    text = read_text(path)
    try:
        content = json.loads(text, parse_constant=refuse)
        if "\\ud" in text.lower():  # half of a pair of code units could be read, but never written again
            json.dumps(content, ensure_ascii=False).encode("utf-8")
        return content
    except UnicodeEncodeError:
        raise LayoutError(str(path), "", "holds half a character (a lone surrogate, \\ud800 to \\udfff); take it out") from None
    except json.JSONDecodeError as error:
        raise LayoutError(str(path), f":{error.lineno}:{error.colno}", f"not valid JSON: {error.msg}") from None
    except RecursionError:
        raise LayoutError(str(path), "", "is nested too deeply to be a layout") from None
    except ValueError as error:
        raise LayoutError(str(path), "", f"not valid JSON: {error}") from None


@dataclass(slots=True)
class Element:
    """An XML element with the line it begins on."""

    tag: str
    attributes: dict[str, str]
    line: int
    children: list[Element] = field(default_factory=list)

    def all(self, tag: str) -> list[Element]:
        """Return the children of one name."""
        return [child for child in self.children if child.tag == tag]

    def __str__(self) -> str:
        name = self.attributes.get("name")
        return f"line {self.line}: {self.tag}" + (f" {name!r}" if name else "")


def read_xml(path: Path) -> Element:
    """Return the root of an XML file.

    A document type is refused, and with it every entity: no file is fetched and nothing can be expanded to gigabytes.
    """
    parser = expat.ParserCreate()
    open_elements: list[Element] = []
    root: list[Element] = []

    def doctype(*_: object) -> None:
        raise LayoutError(
            str(path), f":{parser.CurrentLineNumber}", "has a document type (DOCTYPE); take it out, plant models need none"
        )

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag, attributes, parser.CurrentLineNumber)
        (open_elements[-1].children if open_elements else root).append(element)
        open_elements.append(element)
        if len(open_elements) > 200:
            raise LayoutError(str(path), f":{parser.CurrentLineNumber}", "is nested too deeply to be a layout")

    parser.StartDoctypeDeclHandler = doctype
    parser.EntityDeclHandler = doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: open_elements.pop()
    try:
        text = read_text(path)
        declared = text.lstrip()[:200].lower()
        if declared.startswith("<?xml") and "encoding=" in declared and "utf-8" not in declared.split("?>")[0]:
            text = text.split("?>", 1)[1]  # the text is decoded already; only the declaration says otherwise
        parser.Parse(text, True)
    except expat.ExpatError as error:
        what = expat.errors.messages[error.code] if error.code in expat.errors.messages else str(error)
        raise LayoutError(str(path), f":{error.lineno}:{error.offset + 1}", f"not valid XML: {what}") from None
    return root[0]


def read_yaml(path: Path, *, lines: bool = True) -> Any:
    """Return the content of a YAML file; with ``lines`` mappings and lists know the line of their entries."""
    yaml = YAML(typ="rt") if lines else YAML(typ="safe", pure=True)
    try:
        return yaml.load(read_text(path))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        what = (error.problem or "not YAML").strip().splitlines()[0]
        raise LayoutError(str(path), place, f"not valid YAML: {what}") from None
    except YAMLError as error:
        raise LayoutError(str(path), "", f"not valid YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise LayoutError(str(path), "", "is nested too deeply to be a layout") from None
    except ValueError as error:
        raise LayoutError(str(path), "", f"not valid YAML: {str(error).splitlines()[0]}") from None


def line_of(node: Any, key: Any) -> str:
    """Return ``line 12`` for an entry of a mapping or list of :func:`read_yaml`, empty where it is not known."""
    try:
        line = node.lc.value(key)[0] if isinstance(node, CommentedMap) else node.lc.item(key)[0]
    except (AttributeError, KeyError, TypeError, IndexError):
        return ""
    return f"line {line + 1}"


def number(value: object, *, finite_only: bool = True) -> float | None:
    """Return a coordinate or length, also of a text such as "0.55"; None for anything else, NaN and 1e30 included."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    if finite_only and not (math.isfinite(result) and abs(result) <= MAX_COORDINATE):
        return None
    return result


def need_number(report: Report, place: str, what: str, value: object) -> float:
    """Return a number or end the import."""
    result = number(value)
    if result is None:
        raise report.error(place, f"{what} is {shown(value)}; give a finite number of at most {MAX_COORDINATE:g}")
    return result
