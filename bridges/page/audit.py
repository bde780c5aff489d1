"""Who did what on the page: one JSON object a line, in the state folder, for its owner only."""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["Audit"]

_FILE_BYTES_MAX = 5_000_000
_RECENT = 200


class Audit:
    """The log of logins, refusals and actions.

    Parameters
    ----------
    path : the file; at 5 MB it becomes ``<name>.1``, which replaces the one before.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._recent: deque[dict[str, Any]] = deque(maxlen=_RECENT)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def add(self, event: str, **details: Any) -> None:
        """Write an entry with the wall time."""
        entry = {"utc": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **details}
        with self._lock:
            self._recent.append(entry)
            if self._path.exists() and self._path.stat().st_size > _FILE_BYTES_MAX:
                os.replace(self._path, self._path.with_name(self._path.name + ".1"))
            with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")

    def recent(self) -> list[dict[str, Any]]:
        """Return the latest entries, newest first."""
        with self._lock:
            return list(reversed(self._recent))
