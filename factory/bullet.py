"""PyBullet, imported without the build date that it prints on standard error, and called without what it prints."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quiet(descriptor: int) -> Iterator[None]:
    """Drop what C code writes to standard output (1) or standard error (2) inside of it."""
    flush = ctypes.CDLL(None).fflush  # C keeps what it prints until its buffer is full
    flush(None)
    saved, null = os.dup(descriptor), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, descriptor)
        yield
        flush(None)
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)
        os.close(null)


def _import_quietly() -> Any:
    with quiet(2):
        import pybullet
    return pybullet


pybullet: Any = _import_quietly()
