"""Lines on their way to a file, on a thread of their own: whoever writes them never waits for the disk.

Invariant: the file is a beginning of what was put in, cut off anywhere where the process was killed or the disk failed.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

__all__ = ["LineFile"]

_WAITING_BYTES = 16_000_000
_EVERY_S = 0.25
_AT_ONCE_BYTES = 65_536
_CLOSE_S = 30.0


class LineFile:
    """Takes lines and writes them, four times a second or as soon as 64 KiB wait.

    Parameters
    ----------
    path : to be made; must not exist yet. Only its owner may read it.
    waiting_bytes : what may wait for the disk; beyond it the file ends.

    Attributes
    ----------
    fault : why the file has ended before its time, "" while it has not. written_bytes : so far.

    Raises
    ------
    OSError
        The file cannot be made.
    """

    def __init__(self, path: Path, waiting_bytes: int = _WAITING_BYTES) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._most = waiting_bytes
        self.fault, self.written_bytes = "", 0
        self._lines: list[bytes] = []
        self._bytes = 0
        self._ends = False
        self._wake = threading.Condition()
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._write, name="record", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> bool:
        """Take a line with its newline, and return at once; False where the file has ended."""
        if os.getpid() != self._pid:  # a copy of the process that looks ahead: what it does is not of the day
            return True
        with self._wake:
            if self.fault or self._ends:
                return False
            if self._bytes + len(line) > self._most:
                self.fault = f"the disk is too slow: {self._bytes} bytes wait"
                return False
            self._lines.append(line)
            self._bytes += len(line)
            if self._bytes >= _AT_ONCE_BYTES:
                self._wake.notify()
        return True

    def close(self) -> None:
        """Write what waits, and end; harmless where it has ended."""
        if os.getpid() != self._pid:
            return
        with self._wake:
            self._ends = True
            self._wake.notify()
        self._thread.join(_CLOSE_S)
        if self._thread.is_alive():
            self.fault = self.fault or f"the disk took nothing for {_CLOSE_S:g} s"

    def _write(self) -> None:
        try:
            while True:
                with self._wake:
                    if not self._ends and self._bytes < _AT_ONCE_BYTES:
                        self._wake.wait(_EVERY_S)
                    lines, self._lines, self._bytes = self._lines, [], 0
                    ends = self._ends
                rest = memoryview(b"".join(lines))
                while rest:
                    n = os.write(self._file, rest)
                    self.written_bytes += n
                    rest = rest[n:]
                if ends or self.fault:
                    return
        except OSError as error:
            self.fault = self.fault or f"it cannot be written: {error.strerror}"
            with self._wake:
                self._lines.clear()
        finally:
            os.close(self._file)
