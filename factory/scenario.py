"""Load a scenario: YAML 1.2 with the place of every key, overrides, validation, JSON Schema.

The rooms own their sections; this file composes them. Every fault is reported with file, line, column, value and what
would be right (:class:`factory.errors.ScenarioError`). Checks that need more than one room are in ``factory/checks.py``.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from bridges.config import BridgesConfig
from factory.checks import faults
from factory.config import ClockConfig, HallConfig, ProductionConfig
from factory.errors import Problem, ScenarioError, UserError
from factory.live_config import LiveConfig, live_faults
from factory.recording import RecordingConfig
from humans.config import PeopleConfig
from radio.config import RadioConfig
from robots.config import RobotsConfig

SHIPPED = {
    "small": "small.yaml",
    "day-shift": "day-shift.yaml",
    "default": "assembly-hall.yaml",
    "assembly-hall": "assembly-hall.yaml",
    "medium": "medium.yaml",
    "hand-wave": "hand-wave.yaml",
    "ci": "ci.yaml",
}
SCHEMA_FILE = "scenario.schema.json"

Loc = tuple[str | int, ...]


class Scenario(BaseModel):
    """A whole scenario. Sections belong to the rooms of the same name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9._-]+$", description="Short name: letters, digits, . _ -")
    description: str = Field("", description="What this hall is for, in words.")
    seed: int = Field(1, ge=0, lt=2**63, description="Seed of every random generator.")
    duration_s: float = Field(600.0, gt=0, le=7 * 86400, description="Simulated time in s.")
    clock: ClockConfig = Field(default_factory=ClockConfig)
    hall: HallConfig
    robots: RobotsConfig
    people: PeopleConfig = Field(default_factory=PeopleConfig)
    radio: RadioConfig
    bridges: BridgesConfig = Field(default_factory=BridgesConfig)
    recording: RecordingConfig = Field(default_factory=RecordingConfig)
    production: ProductionConfig = Field(default_factory=ProductionConfig)
    live: LiveConfig = Field(default_factory=LiveConfig, description="The twin beside its plant: factory-twin live.")


@dataclass(frozen=True)
class LoadedScenario:
    """A valid scenario and where it came from.

    Attributes
    ----------
    scenario : the validated model.
    text : the file's text, overrides appended as comments.
    path : file it was read from; relative paths in it are relative to its folder.
    locator : finds the place of a key for later errors.
    """

    scenario: Scenario
    text: str
    path: Path
    locator: Locator

    @property
    def sha256(self) -> str:
        """Hash of the validated content: what was run, not how it was written."""
        canonical = json.dumps(self.scenario.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def base_dir(self, key: str) -> Path | None:
        """Folder that a relative path at ``key`` starts from: the scenario's own, or None (the working folder) for ``--set``."""
        return None if self.locator.is_overridden(parse_key(key)) else self.path.parent

    def problem(self, key: str, message: str) -> ScenarioError:
        """Error at ``key`` (``radio.trps[1].position_m``), with its place in the file."""
        return ScenarioError([self.locator.problem(self.locator.of_names(parse_key(key), message), message)])


class Locator:
    """Finds line and column of a key in the loaded YAML, or the ``--set`` that gave it."""

    def __init__(self, source: str, root: Any, overrides: dict[Loc, str]) -> None:
        self._source, self._root, self._overrides = source, root, overrides

    def problem(self, loc: Loc, message: str, at_key: bool = False) -> Problem:
        """Return a problem at ``loc``; the nearest existing parent gives the place where the key itself is absent."""
        key = format_key(loc)
        for depth in range(len(loc), 0, -1):
            if loc[:depth] in self._overrides:
                return Problem(f"--set {self._overrides[loc[:depth]]}", 0, 0, key, message)
        line, column = self._place(loc, at_key)
        return Problem(self._source, line, column, key, message)

    def is_overridden(self, loc: Loc) -> bool:
        """Whether an override gave the value at ``loc``."""
        return any(loc[: len(given)] == given for given in self._overrides)

    def of_names(self, loc: Loc, message: str) -> Loc:
        """Narrow ``loc`` to the entry below it that holds most of the names quoted in a message."""
        node = self._root
        for step in loc:
            try:
                node = node[step]
            except (KeyError, IndexError, TypeError):
                return loc
        names = set(re.findall(r"'([^']+)'", message))
        best, most = loc, 0
        entries: list[tuple[Loc, Any]] = [(loc, node)] if isinstance(node, dict | list) else []
        while entries:
            at, entry = entries.pop(0)
            children: list[tuple[Any, Any]] = list(entry.items() if isinstance(entry, dict) else enumerate(entry))
            held = len(names & {str(v) for _, v in children if not isinstance(v, dict | list)})
            if held > most:
                best, most = at, held
            entries += [((*at, key), child) for key, child in children if isinstance(child, dict | list)]
        return best

    def _place(self, loc: Loc, at_key: bool) -> tuple[int, int]:
        node, place = self._root, (1, 1)
        for depth, step in enumerate(loc):
            if isinstance(node, CommentedMap) and step in node:
                last = depth == len(loc) - 1
                try:
                    line, column = node.lc.key(step) if (last and at_key) else node.lc.value(step)
                except (KeyError, AttributeError, TypeError):
                    return place  # set by an override: its parent's place is the nearest
                place = (line + 1, column + 1)
                node = node[step]
            elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
                try:
                    line, column = node.lc.item(step)
                except (KeyError, AttributeError, TypeError):
                    return place
                place = (line + 1, column + 1)
                node = node[step]
            else:
                break
        return place


def format_key(loc: Loc) -> str:
    """``("radio", "trps", 1)`` as ``radio.trps[1]``."""
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in loc).lstrip(".")


def parse_key(key: str) -> Loc:
    """``radio.trps[1]`` as ``("radio", "trps", 1)``; raises ValueError where it is not of that form."""
    loc: list[str | int] = []
    for part in key.split("."):
        match = re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)((?:\[\d+\])*)", part)
        if match is None:
            raise ValueError(f"{key!r} is no key; write it as people.count or radio.trps[1].position_m")
        loc.append(match.group(1))
        loc.extend(int(i) for i in re.findall(r"\[(\d+)\]", match.group(2)))
    return tuple(loc)


def shipped_scenario(name: str) -> Path:
    """Path of a scenario that comes with the package: small, default, medium, hand-wave, day-shift, ci."""
    return Path(str(resources.files("factory.scenarios") / SHIPPED[name]))


def load_scenario(name_or_path: str, overrides: Sequence[str] = ()) -> LoadedScenario:
    """Read, override and validate a scenario.

    Parameters
    ----------
    name_or_path : ``small``, ``default``, ``medium``, ``hand-wave``, ``day-shift``, ``ci`` or the path of a YAML file.
    overrides : texts ``key=value``, applied in order; values are YAML.

    Raises
    ------
    ScenarioError
        With every fault that validation finds.
    """
    path = shipped_scenario(name_or_path) if name_or_path in SHIPPED else Path(name_or_path)
    return load_text(_read(path), path, overrides)


def load_text(text: str, path: Path, overrides: Sequence[str] = ()) -> LoadedScenario:
    """Override and validate a scenario whose text is at hand.

    Parameters
    ----------
    text : the scenario file's text.
    path : where it came from, for messages and for relative paths in it.
    overrides : texts ``key=value``, applied in order; values are YAML.

    Raises
    ------
    ScenarioError
        With every fault that validation finds.
    """
    root = parse_text(text, str(path))
    places: dict[Loc, str] = {}
    for override in overrides:
        apply_override(root, override, places)
    locator = Locator(str(path), root, places)
    scenario = validated(root, locator)
    text += "".join(f"\n# --set {o}" for o in overrides)
    return LoadedScenario(scenario, text, path, locator)


def validated(root: dict[str, Any], locator: Locator) -> Scenario:
    """Validate a scenario's mapping, by the rooms and across them.

    Raises
    ------
    ScenarioError
        With every fault that validation finds.
    """
    try:
        scenario = Scenario.model_validate(plain(root))
    except ValidationError as error:
        raise ScenarioError(_problems(error, locator)) from None
    wrong = [
        *faults(scenario.hall, scenario.robots, scenario.people, scenario.radio),
        *live_faults(scenario.live, scenario.bridges),
    ]
    found = [locator.problem(parse_key(k), m) for k, m in wrong]
    if found:
        raise ScenarioError(found)
    return scenario


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        known = ", ".join(sorted(set(SHIPPED) - {"assembly-hall"}))
        raise UserError(f"{path}: no such file, and no shipped scenario of that name ({known})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}); a scenario is a YAML file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def yaml_root(text: str, source: str) -> object:
    """Parse YAML with the places of all keys; a fault in it ends as a ScenarioError with its place."""
    yaml = YAML(typ="rt")
    yaml.version = (1, 2)
    try:
        return yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = (error.problem or "not YAML").strip().splitlines()[0]
        raise ScenarioError([Problem(source, line, column, "", f"not valid YAML: {what}")]) from None
    except YAMLError as error:
        raise ScenarioError([Problem(source, 1, 1, "", f"not valid YAML: {str(error).splitlines()[0]}")]) from None


def parse_text(text: str, source: str) -> CommentedMap:
    """Parse a scenario's YAML; a fault in it ends as a ScenarioError with its place."""
    root = yaml_root(text, source)
    if not isinstance(root, CommentedMap):
        raise ScenarioError(
            [Problem(source, 1, 1, "", "a scenario is a mapping of keys (name, hall, robots, people, radio, ...)")]
        )
    return root


def apply_override(root: dict[str, Any], override: str, places: dict[Loc, str]) -> None:
    """Apply one text ``key=value`` to a scenario's mapping, and note in ``places`` which key it gave.

    Raises
    ------
    UserError
        Where it is not of that form, or names an entry of a list that is not there.
    """
    key, sign, value_text = override.partition("=")
    if not sign:
        raise UserError(f"--set {override}: write key=value, for example --set people.count=30")
    try:
        loc = parse_key(key.strip())
    except ValueError as error:
        raise UserError(f"--set {override}: {error}") from None
    try:
        value = YAML(typ="safe", pure=True).load(value_text)
    except YAMLError as error:
        raise UserError(f"--set {override}: the value is not YAML: {str(error).splitlines()[0]}") from None
    node: Any = root
    for depth, step in enumerate(loc[:-1]):
        if isinstance(step, int):
            if not isinstance(node, list) or step >= len(node):
                size = len(node) if isinstance(node, list) else 0
                raise UserError(f"--set {override}: {format_key(loc[: depth + 1])} does not exist; the list has {size} entries")
            node = node[step]
        else:
            if not isinstance(node, dict):
                raise UserError(f"--set {override}: {format_key(loc[:depth])} is no mapping")
            node = node.setdefault(step, [] if isinstance(loc[depth + 1], int) else CommentedMap())
    last = loc[-1]
    if isinstance(last, int):
        if not isinstance(node, list) or last >= len(node):
            size = len(node) if isinstance(node, list) else 0
            raise UserError(f"--set {override}: {format_key(loc)} does not exist; the list has {size} entries")
    elif not isinstance(node, dict):
        raise UserError(f"--set {override}: {format_key(loc[:-1])} is no mapping")
    node[last] = value
    places[loc] = override


def plain(node: Any) -> Any:
    """Return parsed YAML as dicts, lists and Python's own numbers and strings."""
    if isinstance(node, dict):
        return {str(k): plain(v) for k, v in node.items()}
    if isinstance(node, list):
        return [plain(v) for v in node]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return str(node)


def _problems(error: ValidationError, locator: Locator) -> list[Problem]:
    problems = []
    for fault in error.errors():
        loc: Loc = tuple(fault["loc"])
        model, description = _describe(loc)
        kind, value = fault["type"], fault.get("input")
        if kind == "extra_forbidden":
            known = sorted(model.model_fields) if model else []
            near = difflib.get_close_matches(str(loc[-1]), known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
            message = f"unknown key {str(loc[-1])!r}; {hint}"
        elif kind == "missing":
            message = f"is missing. {description}".strip()
        elif kind == "literal_error":
            wanted = str(fault.get("ctx", {}).get("expected", ""))
            near = difflib.get_close_matches(str(value), re.findall(r"'([^']+)'", wanted), 1)
            message = f"{value!r} should be {wanted}" + (f"; did you mean {near[0]!r}?" if near else "")
        elif kind == "value_error":
            message = str(fault["msg"]).removeprefix("Value error, ")
            loc = locator.of_names(loc, message)
        else:
            shown = repr(value) if not isinstance(value, dict | list | tuple) else f"a {type(value).__name__}"
            message = f"{shown}: {str(fault['msg'])[:1].lower()}{str(fault['msg'])[1:]}. {description}".strip()
        problems.append(locator.problem(loc, message, at_key=kind == "extra_forbidden"))
    return problems


def _describe(loc: Loc) -> tuple[type[BaseModel] | None, str]:
    """Model that holds the last key of ``loc``, and the description of that field."""
    model: type[BaseModel] | None = Scenario
    holder, description = model, ""
    for step in loc:
        if isinstance(step, int) or model is None:
            continue
        field = model.model_fields.get(step)
        if field is None:
            continue
        holder, description = model, field.description or ""
        model = _model_in(field.annotation)
    if loc and isinstance(loc[-1], str) and model is not None and loc[-1] not in (holder.model_fields if holder else {}):
        holder = model
    return holder, description


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        found = _model_in(inner)
        if found is not None:
            return found
    return None


def json_schema() -> str:
    """JSON Schema of a scenario file, for editors; kept current by a test."""
    schema = Scenario.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "factory-twin scenario"
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"
