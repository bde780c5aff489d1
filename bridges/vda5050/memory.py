"""Orders that outlive their process: a file that is always whole, and that one twin alone uses.

Invariant: what a state message says of an order was written to the file before. So a twin that was killed and comes back never
knows less than what a fleet manager has heard.

Each snapshot replaces the file by a rename, so a process that is killed in the middle leaves the one before. A power cut may cost
the last seconds, for the disk is not waited for.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from bridges.errors import BridgeError

__all__ = ["OrdersFile"]

_NAME = "orders.json"


class OrdersFile:
    """The file of the orders in a state folder.

    Parameters
    ----------
    folder : made where it is missing.

    Raises
    ------
    BridgeError
        Another twin uses the folder, or it cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / _NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock: TextIO | None = (folder / "orders.lock").open("w")
        except OSError as error:
            raise BridgeError(f"VDA 5050: orders cannot be kept in {folder}: {error}; choose another --state folder") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise BridgeError(
                f"VDA 5050: another twin keeps its AGVs' orders in {folder}; stop it, or give this one its own --state folder"
            ) from None

    def load(self) -> tuple[Any, str]:
        """Read the last snapshot.

        Returns
        -------
        The snapshot, None where there is none; and why it cannot be read, "" where it can.
        """
        try:
            return json.loads(self.path.read_bytes()), ""
        except FileNotFoundError:
            return None, ""
        except (OSError, ValueError, RecursionError) as error:
            return None, str(error)

    def set_aside(self) -> Path:
        """Keep a file that cannot be used under another name, and return that."""
        aside = self.path.with_name("orders-not-used.json")
        os.replace(self.path, aside)
        return aside

    def save(self, snapshot: Mapping[str, Any]) -> None:
        """Write a snapshot; raises OSError where the disk is full or the folder is gone."""
        fresh = self.path.with_name(_NAME + ".new")
        fresh.write_text(json.dumps(snapshot, separators=(",", ":")), encoding="utf-8")
        os.replace(fresh, self.path)

    def close(self) -> None:
        """Let another twin use the folder; harmless where it was closed."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
