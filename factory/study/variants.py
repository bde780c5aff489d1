"""Variants of a base scenario: from a file of changes, or from a grid of ``--set`` options.

Every variant comes down to texts ``key=value`` on the base, so that a worker, ``factory-twin run --set`` and the folder of the
study all mean the same. Whatever is wrong is told with file, line and column before anything runs.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap

from factory.errors import Problem, ScenarioError, UserError
from factory.scenario import Locator, Scenario, apply_override, load_scenario, parse_text, plain, yaml_root
from factory.study.changes import ChangeError, Draft, Json, known_changes, overrides_between, parse_change, plain_copy, unknown
from factory.study.study_folder import BASE, StudyVariant

NAME = re.compile(r"[A-Za-z0-9._-]{1,80}")
_SHARED = {"seed": "--seeds", "duration_s": "--minutes"}
_KEYS = ("changes", "name", "set", "why")


@dataclass(frozen=True, slots=True)
class Base:
    """The scenario that everything is compared with.

    Attributes
    ----------
    path : its file. text : what the file holds.
    fixed : overrides that hold for all variants, the base included.
    data : the scenario as it is written, these overrides included.
    scenario : the same, validated.
    """

    path: Path
    text: str
    fixed: tuple[str, ...]
    data: Json
    scenario: Scenario

    @property
    def minutes(self) -> float:
        """Its own length [min]."""
        return self.scenario.duration_s / 60.0

    @classmethod
    def load(cls, name_or_path: str, fixed: Sequence[str] = ()) -> Base:
        """Read and validate a scenario.

        Raises
        ------
        UserError
            Where it cannot be used.
        """
        loaded = load_scenario(name_or_path, fixed)
        text = loaded.path.read_text(encoding="utf-8")
        root = parse_text(text, str(loaded.path))
        for override in fixed:
            apply_override(root, override, {})
        return cls(loaded.path.resolve(), text, tuple(fixed), plain(root), loaded.scenario)

    def variant(self, name: str, changes: str, data: Json) -> StudyVariant:
        """Return the variant that a changed scenario is.

        Raises
        ------
        ChangeError
            Where it changes what all variants share.
        """
        for key, option in _SHARED.items():
            if data.get(key) != self.data.get(key):
                raise ChangeError(f"{key}: all variants share it; give it with {option}")
        return StudyVariant(name, changes, (*self.fixed, *overrides_between(self.data, data)))

    def draft(self) -> Draft:
        """Return a draft to change."""
        return Draft(plain_copy(self.data), self.scenario)


def values_of(text: str) -> list[str]:
    """Split ``16,24,32`` at its commas; commas within brackets, braces and quotes are part of a value.

    Raises
    ------
    ValueError
        Where a value is empty, or a bracket is not closed.
    """
    values, depth, quote, start = [], 0, "", 0
    for i, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "[{(":
            depth += 1
        elif letter in "]})":
            depth -= 1
        elif letter == "," and depth == 0:
            values.append(text[start:i])
            start = i + 1
        if depth < 0:
            raise ValueError(f"{text!r}: a bracket is closed that was not opened")
    if depth or quote:
        raise ValueError(f"{text!r}: {'a quote' if quote else 'a bracket'} is not closed")
    values = [v.strip() for v in [*values, text[start:]]]
    if not all(values):
        raise ValueError(f"{text!r}: there is no value before or after a comma" if any(values) else "there is no value")
    return values


def axes_of(options: Sequence[str]) -> list[list[str]]:
    """Turn ``--set`` options into axes of a grid, each a list of texts ``key=value``.

    Raises
    ------
    UserError
        Where an option is none, or a key is given twice.
    """
    axes, keys = [], set()
    for option in options:
        key, sign, text = option.partition("=")
        if not sign or not key.strip():
            raise UserError(f"--set {option}: write key=value or key=value,value, for example --set people.count=16,24,32")
        if key.strip() in keys:
            raise UserError(f"--set {option}: {key.strip()} is given twice; give all its values in one option, with commas")
        keys.add(key.strip())
        try:
            axes.append([f"{key.strip()}={value}" for value in values_of(text)])
        except ValueError as error:
            raise UserError(f"--set {option}: {error}; write key=value or key=value,value") from None
    return axes


def grid_size(axes: Sequence[Sequence[str]]) -> int:
    """Return the number of variants that axes come to, the base not counted."""
    return math.prod(len(axis) for axis in axes) if axes else 0


def grid_variants(base: Base, axes: Sequence[Sequence[str]]) -> tuple[list[StudyVariant], list[str]]:
    """Return the variants of a grid, and the names of those left out because they are the base itself.

    Raises
    ------
    UserError
        Where one cannot be run.
    """
    variants, same, names = [], [], {BASE}
    for combination in itertools.product(*axes) if axes else ():
        data = plain_copy(base.data)
        places: dict[Any, str] = {}
        for override in combination:
            apply_override(data, override, places)
        name = _grid_name(combination, names)
        place = f"--set {' --set '.join(combination)}"
        try:
            Draft(data)
            variant = base.variant(name, "\n".join(f"--set {c}" for c in combination), data)
        except ScenarioError as error:
            raise ScenarioError([Problem(place, 0, 0, p.key, p.message) for p in error.problems]) from None
        except ChangeError as error:
            raise UserError(f"{place}: {error}") from None
        if variant.overrides == base.fixed:
            same.append(", ".join(combination))
            continue
        names.add(name)
        variants.append(variant)
    return variants, same


def _grid_name(combination: Sequence[str], taken: set[str]) -> str:
    """Name of a variant of a grid: the last two steps of every key and its value, as a folder can be called."""
    parts = []
    for override in combination:
        key, _, value = override.partition("=")
        steps = re.findall(r"[A-Za-z_]\w*(?:\[\d+\])*", key)[-2:]
        parts.append("-".join([*steps, value]))
    name = re.sub(r"[^A-Za-z0-9.]+", "-", "_".join(parts).replace("_", "-")).strip("-.")[:60] or "variant"
    unique, k = name, 1
    while unique in taken:
        k += 1
        unique = f"{name}-{k}"
    return unique


@dataclass(frozen=True, slots=True)
class VariantsFile:
    """A parsed file of variants.

    Attributes
    ----------
    path : the file. root : its YAML with the places of all keys.
    axes : its grid, as `axes_of` gives it.
    """

    path: Path
    root: CommentedMap
    axes: list[list[str]]

    @classmethod
    def read(cls, path: Path) -> VariantsFile:
        """Read a file of variants.

        Raises
        ------
        UserError
            Where it is none.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise UserError(f"{path}: cannot be read as a file of variants: {why}") from None
        root = yaml_root(text, str(path))
        if not isinstance(root, CommentedMap) or not set(root) & {"variants", "grid"}:
            raise ScenarioError([Problem(str(path), 1, 1, "", "a file of variants is a mapping with variants: or grid:")])
        file = cls(path, root, [])
        for key in root:
            if key not in ("variants", "grid", "description"):
                raise file._wrong((key,), unknown("key", str(key), ["variants", "grid", "description"]), at_key=True)
        file.axes.extend(file._axes())
        if not file.axes and not root.get("variants"):
            raise file._wrong(("variants",), "there is no variant; write at least one, - {name: ..., changes: [...]}")
        return file

    @property
    def size(self) -> int:
        """Number of variants that it comes to."""
        return len(self.root.get("variants") or ()) + grid_size(self.axes)

    def variants(self, base: Base) -> tuple[list[StudyVariant], list[str]]:
        """Return its variants, and the names of those left out because they are the base itself.

        Raises
        ------
        ScenarioError
            With every variant that cannot be run.
        """
        entries = self.root.get("variants") or []
        if not isinstance(entries, list):
            raise self._wrong(("variants",), "variants is a list, - {name: ..., changes: [...]}")
        variants, problems, same, names = [], [], [], {BASE}
        for i, entry in enumerate(entries):
            try:
                variant = self._variant(base, i, entry, names)
            except ScenarioError as error:
                problems += error.problems
                continue
            names.add(variant.name)
            (same.append(variant.name) if variant.overrides == base.fixed else variants.append(variant))
        if problems:
            raise ScenarioError(problems)
        grid, grid_same = grid_variants(base, self.axes)
        clash = [v.name for v in grid if v.name in names]
        if clash:
            raise self._wrong(("grid",), f"variant {clash[0]!r} has the name of a point of the grid; call it otherwise")
        return [*variants, *grid], [*same, *grid_same]

    def _axes(self) -> Iterator[list[str]]:
        grid = self.root.get("grid")
        if grid is None:
            return
        if not isinstance(grid, dict):
            raise self._wrong(("grid",), "grid is a mapping of keys to lists of values, people.count: [16, 24, 32]")
        for key, values in grid.items():
            if not isinstance(values, list) or not values:
                raise self._wrong(("grid", key), f"{key} needs a list of values, for example [16, 24, 32]")
            yield [f"{key}={json.dumps(plain(v), ensure_ascii=False)}" for v in values]

    def _variant(self, base: Base, i: int, entry: Any, names: set[str]) -> StudyVariant:
        at = ("variants", i)
        if not isinstance(entry, dict):
            raise self._wrong(at, f"{entry!r} is no variant; write - {{name: ..., changes: [...]}}")
        for key in entry:
            if key not in _KEYS:
                raise self._wrong((*at, key), unknown("key", str(key), list(_KEYS)), at_key=True)
        name = str(entry.get("name", ""))
        if not NAME.fullmatch(name) or name.startswith("."):
            raise self._wrong((*at, "name"), f"{name!r} is no name for a variant; take letters, digits, . _ - (up to 80)")
        if name in names:
            why = "is that of the scenario itself" if name == BASE else "is used twice"
            raise self._wrong((*at, "name"), f"variant {name!r}: the name {why}; give each its own")
        changes, settings = entry.get("changes") or [], entry.get("set") or {}
        if not isinstance(changes, list):
            raise self._wrong((*at, "changes"), f"variant {name!r}: changes is a list, - move_trp: {{...}}")
        if not isinstance(settings, dict):
            raise self._wrong((*at, "set"), f"variant {name!r}: set is a mapping, people.count: 24")
        draft = base.draft()
        for k, change in enumerate(changes):
            self._apply(draft, name, (*at, "changes", k), plain(change))
        for key, value in settings.items():
            self._set(draft, name, (*at, "set", key), str(key), plain(value))
        try:
            return base.variant(name, _text_of(plain(entry)), draft.data)
        except ChangeError as error:
            raise self._wrong((*at, "set"), f"variant {name!r}: {error}") from None

    def _apply(self, draft: Draft, name: str, at: tuple[str | int, ...], entry: Any) -> None:
        word = next(iter(entry)) if isinstance(entry, dict) and len(entry) == 1 else ""
        try:
            change = parse_change(entry)
            change.apply(draft)
            draft.accept()
        except ChangeError as error:
            message = str(error) if word not in known_changes() or str(error).startswith(f"{word}: ") else f"{word}: {error}"
            place = (*at, word, error.key) if word and error.key else at
            raise self._wrong(place, f"variant {name!r}: {message}") from None
        except ScenarioError as error:
            raise ScenarioError(
                [self._problem(at, f"variant {name!r}: {word}: {p.key}: {p.message}") for p in error.problems]
            ) from None

    def _set(self, draft: Draft, name: str, at: tuple[str | int, ...], key: str, value: Any) -> None:
        try:
            apply_override(draft.data, f"{key}={json.dumps(value, ensure_ascii=False)}", {})
            draft.accept()
        except ScenarioError as error:
            raise ScenarioError([self._problem(at, f"variant {name!r}: {p.key}: {p.message}") for p in error.problems]) from None
        except UserError as error:
            raise self._wrong(at, f"variant {name!r}: {str(error).removeprefix('--set ')}") from None

    def _problem(self, loc: tuple[str | int, ...], message: str, at_key: bool = False) -> Problem:
        place = Locator(str(self.path), self.root, {}).problem(loc, message, at_key)
        return Problem(place.source, place.line, place.column, "", message)

    def _wrong(self, loc: tuple[str | int, ...], message: str, at_key: bool = False) -> ScenarioError:
        return ScenarioError([self._problem(loc, message, at_key)])


def _text_of(entry: Json) -> str:
    """Return the changes of a variant as its author might have written them, one line each."""
    lines = [f"# {entry['why']}"] if entry.get("why") else []
    for change in entry.get("changes") or []:
        ((word, fields),) = change.items()
        lines.append(f"- {word}: {_flow(fields)}")
    lines += [f"- set {key}: {_flow(value)}" for key, value in (entry.get("set") or {}).items()]
    return "\n".join(lines)


def _flow(value: Any) -> str:
    """Return a value in YAML's flow style, strings bare where they can be."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(v) for v in value) + "]"
    if (
        isinstance(value, str)
        and re.fullmatch(r"[A-Za-z][\w .*/-]*", value)
        and value not in ("true", "false", "null", "yes", "no")
    ):
        return value
    return json.dumps(value, ensure_ascii=False)


def base_variant(base: Base) -> StudyVariant:
    """Return the first variant of every study."""
    return StudyVariant(BASE, "", base.fixed)
