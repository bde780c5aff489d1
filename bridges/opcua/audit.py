"""The audit log: one JSON line per login, call, write and acknowledgement, in the state folder, for its owner only.

A line holds what was asked, by whom, from where and what came of it; never a password, a token or a certificate's key.
"""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

__all__ = ["AuditLog"]

_MAX_BYTES = 4_000_000
_FILES = 5
_MAX_TEXT = 256  # of what a client sent


class AuditLog:
    """Appends lines to ``audit.log``; at 4 MB it is put aside, and the five newest files are kept.

    Parameters
    ----------
    folder : where the file is.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = folder / "audit.log"
        os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        self._handler = RotatingFileHandler(self.path, maxBytes=_MAX_BYTES, backupCount=_FILES, encoding="utf-8", delay=True)

    def write(self, action: str, user: str, role: str, peer: object, target: str, arguments: object, result: str) -> None:
        """Append a line.

        Parameters
        ----------
        action : ``login``, ``call``, ``write``.
        user, role : who; "" for nobody known.
        peer : address of the client.
        target : method or node.
        arguments : what was given; told as text, cut to 256 characters each.
        result : name of the status code, and the answer's text where there is one.
        """
        values = arguments if isinstance(arguments, list | tuple) else [arguments]
        line = json.dumps(
            {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "action": action,
                "user": user[:_MAX_TEXT],
                "role": role,
                "peer": ":".join(str(p) for p in peer[:2]) if isinstance(peer, tuple) else str(peer),
                "target": target,
                "arguments": [str(v)[:_MAX_TEXT] for v in values],
                "result": result,
            },
            ensure_ascii=True,
        )
        old = os.umask(0o077)
        try:
            self._handler.emit(logging.LogRecord("audit", logging.INFO, "", 0, line.replace("%", "%%"), (), None))
        finally:
            os.umask(old)

    def close(self) -> None:
        """Close the file."""
        self._handler.close()
