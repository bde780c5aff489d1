"""PyBullet, imported without the build date that it prints on standard error."""

from __future__ import annotations

import os
from typing import Any


def _import_quietly() -> Any:
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        import pybullet
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)
    return pybullet


pybullet: Any = _import_quietly()
