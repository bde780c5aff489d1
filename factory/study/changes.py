"""Changes that a plant thinks in: one line of YAML each, translated to the scenario's own keys.

A change is a word and a mapping, ``move_trp: {name: corner-east, to_m: [29.5, 18, 3]}``. Its fields are a pydantic model, so that
a slip is told before anything runs; what it does to a scenario is its ``apply``. The words are in the modules ``changes_radio``,
``changes_hall``, ``changes_agvs`` and ``changes_people``.
"""

from __future__ import annotations

import difflib
import fnmatch
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from factory.scenario import Loc, Locator, Scenario, format_key, validated

Json = dict[str, Any]


class ChangeError(ValueError):
    """A change that cannot be made; ``key`` says which field of it is at fault, empty for the change itself."""

    def __init__(self, message: str, key: str = "") -> None:
        self.key = key
        super().__init__(message)


class Draft:
    """A scenario on its way to a variant.

    Parameters
    ----------
    data : the scenario as it was written, as plain dicts and lists; changed in place.
    scenario : the same, validated, where that was done already.

    Attributes
    ----------
    data : the scenario as it is written so far.
    scenario : the same, validated, with all defaults.
    """

    def __init__(self, data: Json, scenario: Scenario | None = None) -> None:
        self.data = data
        self.scenario = self._validated() if scenario is None else scenario

    def _validated(self) -> Scenario:
        return validated(self.data, Locator("", self.data, {}))

    def accept(self) -> None:
        """Validate what was changed.

        Raises
        ------
        ScenarioError
            Where the scenario is no longer valid.
        """
        self.scenario = self._validated()

    def mapping(self, *path: str) -> Json:
        """Return a section to write to, made where it is not written yet; its other keys keep their defaults."""
        node = self.data
        for step in path:
            if not isinstance(node.get(step), dict):
                node[step] = {}
            node = node[step]
        return node

    def entries(self, *path: str) -> list[Json]:
        """Return a list of mappings to write to, filled with the defaults where it is not written yet."""
        holder = self.mapping(*path[:-1])
        if not isinstance(holder.get(path[-1]), list):
            model: Any = self.scenario
            for step in path:
                model = getattr(model, step)
            holder[path[-1]] = [entry.model_dump(mode="json") for entry in model]
        entries: list[Json] = holder[path[-1]]
        return entries

    def named(self, what: str, name: str, *path: str, key: str = "name") -> list[Json]:
        """Return the entries of a list whose name matches; ``*`` and ``?`` stand for anything.

        Raises
        ------
        ChangeError
            Where none does.
        """
        entries = self.entries(*path)
        found = [e for e in entries if fnmatch.fnmatchcase(str(e.get(key)), name)]
        if not found:
            raise ChangeError(unknown(what, name, [str(e.get(key)) for e in entries]), "name")
        return found


def unknown(what: str, name: str, known: list[str]) -> str:
    """Say that there is nothing of a name, and what there is."""
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known)}" if known else "there is none"
    return f"unknown {what} {name!r}; {hint}"


class Change(BaseModel):
    """One change. Subclasses say what it takes and what it does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def apply(self, draft: Draft) -> None:
        """Write the change into a draft.

        Raises
        ------
        ChangeError
            Where it cannot be made in this scenario.
        """
        raise TypeError(f"{type(self).__name__} does not say what it does")


_CHANGES: dict[str, type[Change]] = {}


def change(word: str) -> Callable[[type[Change]], type[Change]]:
    """Register a change under the word that YAML calls it by."""

    def register(model: type[Change]) -> type[Change]:
        _CHANGES[word] = model
        return model

    return register


def known_changes() -> Mapping[str, type[Change]]:
    """Return all changes by their words."""
    from factory.study import changes_agvs, changes_hall, changes_people, changes_radio  # noqa: F401  they register themselves

    return _CHANGES


def parse_change(entry: Any) -> Change:
    """Make a change of one YAML entry.

    Raises
    ------
    ChangeError
        Where it is none.
    """
    changes = known_changes()
    if not isinstance(entry, dict) or len(entry) != 1:
        raise ChangeError("a change is one word and what it takes, for example move_trp: {name: corner-east, by_m: [0, 5, 0]}")
    ((word, fields),) = entry.items()
    if word not in changes:
        raise ChangeError(unknown("change", str(word), sorted(changes)))
    model = changes[word]
    if not isinstance(fields, dict):
        wanted = ", ".join(f"{n}: ..." for n, f in model.model_fields.items() if f.is_required()) or "key: value"
        raise ChangeError(f"{word}: {fields!r} is no mapping; write {word}: {{{wanted}}}")
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise ChangeError(f"{word}: {_words(error, model)}", _key(error)) from None


def _key(error: ValidationError) -> str:
    loc = error.errors()[0]["loc"]
    return str(loc[0]) if loc else ""


def _words(error: ValidationError, model: type[Change]) -> str:
    """Say the first fault of a change in words, with what would be right."""
    fault = error.errors()[0]
    where = format_key(tuple(fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return unknown("key", where, list(model.model_fields))
    field = model.model_fields.get(str(fault["loc"][0])) if fault["loc"] else None
    description = field.description if field is not None and field.description else ""
    if fault["type"] == "missing":
        return f"{where} is missing. {description}".strip()
    if fault["type"] == "value_error":
        return (f"{where}: " if where else "") + str(fault["msg"]).removeprefix("Value error, ")
    return f"{where}: {fault.get('input')!r}: {str(fault['msg'])[:1].lower()}{str(fault['msg'])[1:]}. {description}".strip()


def plain_copy(data: Json) -> Json:
    """Return a deep copy of plain data."""
    copied: Json = json.loads(json.dumps(data))
    return copied


def overrides_between(before: Json, after: Json) -> tuple[str, ...]:
    """Return the texts ``key=value`` that make ``after`` of ``before``; values are JSON, which is YAML."""
    return tuple(f"{format_key(loc)}={json.dumps(value, ensure_ascii=False)}" for loc, value in _differences((), before, after))


def _differences(loc: Loc, before: Any, after: Any) -> Iterator[tuple[Loc, Any]]:
    if before == after and type(before) is type(after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        if loc and not (set(before) <= set(after) and all(re.fullmatch(r"[A-Za-z_]\w*", k) for k in after)):
            yield loc, after  # a key that went can only be left out with its whole mapping
            return
        for key in [*before, *(k for k in after if k not in before)]:
            if key not in before:
                yield (*loc, key), after[key]
            else:
                yield from _differences((*loc, key), before[key], after[key])
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after) and not _numbers(after):
        for i, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences((*loc, i), one, other)
    else:
        yield loc, after


def _numbers(values: list[Any]) -> bool:
    """Whether a list is a point or a size, which is given as a whole."""
    return all(isinstance(v, int | float) for v in values)
