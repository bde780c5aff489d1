"""Names of the policies that a scenario may ask for: those of this room, and those that other packages register."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points

BUILT_IN = ("static", "reactive", "duplicate", "human_aware", "oracle", "decentralised", "adaptive")
GROUP = "factory_twin.policies"


@cache
def registered() -> dict[str, EntryPoint]:
    """Give the entry points of the group ``factory_twin.policies`` by name, without loading them.

    Raises
    ------
    ValueError
        If two packages register the same name, or one takes the name of a built-in policy.
    """
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        other = "a built-in policy" if point.name in BUILT_IN else found[point.name].value if point.name in found else None
        if other is not None:
            raise ValueError(f"policy {point.name!r} of {point.value} has the name of {other}; give it another one")
        found[point.name] = point
    return dict(sorted(found.items()))


def known_policy(name: str) -> str:
    """Return the name of a policy that exists.

    Raises
    ------
    ValueError
        For an unknown name, listing the known ones.
    """
    others = registered()
    if name not in BUILT_IN and name not in others:
        known = (*BUILT_IN, *others)
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"policy {name!r} is unknown; {hint}known: {', '.join(known)}")
    return name
