"""States of a twin that can be returned to, again and again, in memory.

What a twin is made of is shared between its states: hall, tables of the channel, routes, traffic. What a tick changes is copied:
NumPy arrays by their contents, so that views of one table go on being views of it, generators of random numbers by their state,
lists, dictionaries and attributes one level deep. Bullet saves its arms itself.

A state belongs to the twin that it was taken of and can be restored any number of times. Restored and run on, the twin does what
it did, bit by bit; :func:`reseed` lets it do something else from there on.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from pydantic import BaseModel

from factory.bullet import pybullet
from factory.scenario import LoadedScenario
from factory.twin import Twin
from factory.world import World
from humans.floor import Floor
from humans.types import WalkSpace
from radio.messages.traffic import Traffic
from radio.propagation.geometry import Hall, PreparedHall
from radio.propagation.remainder import Remainder
from radio.propagation.visibility import Visibility
from robots.routes import Graph

_PLAIN = (str, bytes, int, float, complex, bool, type(None), np.generic, Enum, range, slice, np.dtype)
_CODE = (type, FunctionType, BuiltinFunctionType, MethodType, ModuleType, property)
# Never changed by a tick, or, as what is seen from a cell of the hall, only completed.
_SHARED = (BaseModel, LoadedScenario, Hall, PreparedHall, Visibility, Remainder, Traffic, Graph, Floor, WalkSpace)
# Of Bullet's scene, which is brought up to date from the poses before every question: which bodies it holds.
_SCENE_BODIES = ("_kind", "_people", "_loads", "_trim", "_dressed")
_SHOWN = ("_shown_pose", "_shown_angle", "_shown_a", "_shown_b")


@dataclass(frozen=True, slots=True)
class SavedState:
    """A state of one twin.

    Attributes
    ----------
    twin : the twin that it can be restored to.
    arrays : arrays and their contents.
    containers : lists, sets, dictionaries and deques, and their members.
    objects : objects, and their attributes.
    generators : generators of random numbers, and their states.
    bullet : number of the state that Bullet keeps of the arms.
    """

    twin: Twin
    arrays: tuple[tuple[np.ndarray, np.ndarray], ...]
    containers: tuple[tuple[Any, Any], ...]
    objects: tuple[tuple[Any, dict[str, Any]], ...]
    generators: tuple[tuple[np.random.Generator, Mapping[str, Any]], ...]
    bullet: int

    @property
    def size_bytes(self) -> int:
        """Memory of the copied arrays [byte]."""
        return sum(copy.nbytes for _, copy in self.arrays)


def save(twin: Twin, figures: bool = True) -> SavedState:
    """Save a twin's state.

    Parameters
    ----------
    twin : between two ticks.
    figures : whether the key figures are part of the state. Without them a state takes a fraction of the memory, and the figures
        count on through all that is run.

    Returns
    -------
    The state; :func:`forget` frees what Bullet keeps of it.
    """
    walk = _Walk(twin, figures)
    bullet: int = pybullet.saveState(physicsClientId=twin.world._motion)
    return SavedState(
        twin,
        tuple((a, a.copy()) for a in walk.arrays),
        tuple((c, _members(c)) for c in walk.containers),
        tuple((o, _attributes(o)) for o in walk.objects),
        tuple((g, g.bit_generator.state) for g in walk.generators),
        bullet,
    )


def restore(state: SavedState) -> Twin:
    """Bring the twin of a state back to it; the state stays as it is."""
    for obj, values in state.objects:
        for name, value in values.items():
            object.__setattr__(obj, name, value)
    for container, members in state.containers:
        _refill(container, members)
    for array, contents in state.arrays:
        np.copyto(array, contents)
    for generator, inner in state.generators:
        generator.bit_generator.state = inner
    world = state.twin.world
    pybullet.restoreState(state.bullet, physicsClientId=world._motion)
    for name in _SHOWN:  # Bullet's scene stands somewhere else: nothing of it is where it should be
        getattr(world, name)[:] = np.inf if name in ("_shown_a", "_shown_b") else np.nan
    return state.twin


def forget(state: SavedState) -> None:
    """Free what Bullet keeps of a state, which cannot be restored any more."""
    pybullet.removeState(state.bullet, physicsClientId=state.twin.world._motion)


def generators_of(twin: Twin) -> tuple[np.random.Generator, ...]:
    """Return every generator in a twin, in a fixed order."""
    return tuple(_Walk(twin, figures=False).generators)


def reseed(twin: Twin, key: tuple[int, ...], generators: tuple[np.random.Generator, ...] | None = None) -> None:
    """Let a twin draw otherwise from now on: people, orders, forecasts, and the luck of every message not yet sent.

    Parameters
    ----------
    twin : the twin.
    key : the same state with the same key goes on the same way. Every generator in the twin takes a stream of its own.
    generators : those of the twin, looked for when absent.

    Notes
    -----
    What was drawn already stays: where people are heading, and the swing of their pace and direction, which drifts away within a
    second. The channel's remainder is no draw but a function of place and time, and stays as it is.
    """
    for index, generator in enumerate(generators_of(twin) if generators is None else generators):
        sequence = np.random.SeedSequence(twin.scenario.seed, spawn_key=(zlib.crc32(b"branch"), *key, index))
        fresh = type(generator.bit_generator)(sequence)
        generator.bit_generator.state = fresh.state
    for packets in {id(n.packets): n.packets for n in twin.networks}.values():
        sequence = np.random.SeedSequence(twin.scenario.seed, spawn_key=(zlib.crc32(b"messages"), *key))
        packets.reseed(int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(2)))


class _Walk:
    """Finds everything that a tick may change, from a twin on, each once and in a fixed order."""

    def __init__(self, twin: Twin, figures: bool) -> None:
        self._seen: set[int] = set()
        self._keep: list[Any] = []  # so that no number of an object is given twice
        self.arrays: list[np.ndarray] = []
        self.containers: list[Any] = []
        self.objects: list[Any] = []
        self.generators: list[np.random.Generator] = []
        if not figures:
            totals = [_owner(table) for network in twin.networks for table in network.kpi.totals]
            self._seen.update(id(table) for table in totals)
            self._keep += totals
        self._visit(twin)

    def _visit(self, root: Any) -> None:
        """Note ``root`` and all that it leads to."""
        ahead = [root]
        while ahead:
            thing = ahead.pop()
            if isinstance(thing, (*_PLAIN, *_CODE, *_SHARED)) or id(thing) in self._seen:
                continue
            self._seen.add(id(thing))
            self._keep.append(thing)
            ahead.extend(reversed(self._inside(thing)))

    def _inside(self, thing: Any) -> list[Any]:
        if isinstance(thing, np.ndarray):
            return self._array(thing)
        if isinstance(thing, np.random.Generator):
            self.generators.append(thing)
            return []
        if isinstance(thing, dict):
            self.containers.append(thing)
            return list(thing.values())
        if isinstance(thing, list | set | deque):
            self.containers.append(thing)
            return sorted(thing) if isinstance(thing, set) else list(thing)
        if isinstance(thing, tuple | frozenset):
            return list(thing)
        self.objects.append(thing)
        return list(_attributes(thing).values())

    def _array(self, array: np.ndarray) -> list[Any]:
        owner = _owner(array)
        if owner is not array:
            return [owner]
        if array.flags.writeable:
            self.arrays.append(array)
        return list(array.ravel()) if array.dtype == object else []


def _owner(array: np.ndarray) -> np.ndarray:
    """Return the array that a view looks into."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _attributes(thing: Any) -> dict[str, Any]:
    """Attributes of an object that can be set again, by their names."""
    left_out = _SCENE_BODIES if isinstance(thing, World) else ()
    values = dict(getattr(thing, "__dict__", {}))
    for kind in type(thing).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(thing, name):
                values[name] = getattr(thing, name)
    return {name: value for name, value in values.items() if name not in left_out}


def _members(container: Any) -> Any:
    return container.copy()


def _refill(container: Any, members: Any) -> None:
    container.clear()
    if isinstance(container, dict | set):
        container.update(members)
    else:
        container.extend(members)
