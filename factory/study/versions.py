"""Versions that decide a point's numbers: points of different ones are never put into one study."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from factory.run_folder import current_versions

_MODEL_PACKAGES = ("factory", "humans", "radio", "robots")


@cache
def code_version() -> str:
    """Short hash of the code that decides a point's numbers, so that edited code does not go by an unchanged version number."""
    import factory

    root = Path(factory.__file__).parent.parent
    digest = hashlib.sha256()
    for package in _MODEL_PACKAGES:
        pattern = "*.py" if package == "factory" else "**/*.py"
        for file in sorted((root / package).glob(pattern)):
            digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def point_versions() -> dict[str, str]:
    """Versions that decide a point's numbers: those of every run, and the hash of the code."""
    return current_versions() | {"code": code_version()}


def version_difference(wanted: dict[str, str], found: dict[str, str]) -> str | None:
    """Say which version differs first, None where none does."""
    for name in sorted(set(wanted) | set(found)):
        if wanted.get(name) != found.get(name):
            return f"{name} {found.get(name, 'not there')} instead of {wanted.get(name, 'none')}"
    return None
