"""Controllers of other makers as processes that can be killed, and the twin's client that follows them.

How long values take to be back after a controller was killed and started again, measured from the moment it listens:

    python tests/counterparts/plants.py node-opcua|opcua [TIMES]
"""

from __future__ import annotations

import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bridges.mapping_file import read_mapping
from bridges.mapping_values import MappedValues
from bridges.mapping_variables import twin_variables
from bridges.opcua.certificate import load_or_make
from bridges.opcua.client import OpcUaClient

HERE = Path(__file__).parent
MAKERS = ("node-opcua", "opcua")
USER, PASSWORD = "twin", "a-word-of-the-cell"
URI = "urn:plant:cell-3"
_HALL = twin_variables(["agv-01"], ["cobot-1"], [], ["cobot-1"], [], (30.0, 20.0))
_START_S = 90.0


class Plant:
    """A controller in a process of its own.

    Parameters
    ----------
    maker : of MAKERS. folder : its certificates. user_certificate : DER file of who may log in by it; node-opcua alone.
    """

    def __init__(self, maker: str, folder: Path, user_certificate: Path | None = None) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self.url = f"opc.tcp://127.0.0.1:{self._port}"
        self._folder = folder
        folder.mkdir(exist_ok=True)
        words = [str(self._port), str(folder), USER, PASSWORD]
        if maker == "opcua":
            own = load_or_make(folder, "127.0.0.1")
            (folder / "application_uri").write_text(own.application_uri)
            for path, name in ((own.certificate, "certificate.der"), (own.private_key, "private_key.pem")):
                if Path(path).name != name:
                    shutil.copy(path, folder / name)
            self._command = [sys.executable, str(HERE / "plant_opcua.py"), *words]
        else:
            node = shutil.which("node") or "node"
            self._command = [node, str(HERE / "plant.mjs"), *words, *([str(user_certificate)] if user_certificate else [])]

    def __enter__(self) -> Plant:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start, and return as soon as it listens.

        Raises
        ------
        RuntimeError
            It ended instead; the text has its last words.
        """
        self._errors = (self._folder / "errors.txt").open("w+")
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip() == "ready":
                return
        self._errors.seek(0)
        raise RuntimeError(f"the controller ended: {self._errors.read()[-1500:]}")

    def kill(self) -> None:
        """End it as a power cut does, without a word to its clients."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        for answer in self._process.stdout:  # the library's own warnings stand between
            if answer.startswith("= "):
                return answer[2:].strip()
        raise RuntimeError(f"the controller ended before it answered {line!r}")

    def set(self, name: str, value: float | bool) -> None:
        """Set a node."""
        assert self._ask(f"{name} {str(value).lower()}") == "done"

    def get(self, name: str) -> float:
        """Return a node's number."""
        return float(self._ask(f"{name} ?"))


def mapping_text(url: str, login: str, advice: bool = False) -> str:
    """Return a mapping of the controller's joints, state and place for advice."""
    lines = [
        "version: 1\nsources:\n  cell:\n    kind: opcua",
        f"    url: {url}\n    certificate_dir: own\n{login}variables:",
        *(
            f"  - {{twin: cobots.cobot-1.joint_{j}, source: cell, node: 'nsu={URI};s=Robot/A{j}', unit: deg, stale_after_s: 5}}"
            for j in range(1, 8)
        ),
        f"  - {{twin: machines.cobot-1.running, source: cell, node: 'nsu={URI};s=Robot/Running', stale_after_s: 5}}",
    ]
    if advice:
        lines.append(
            f"  - {{twin: links.cobot-1.risk, source: cell, node: 'nsu={URI};s=Robot/Risk', unit: '%', "
            "write_back: {min_interval_s: 0.2}}"
        )
    return "\n".join(lines) + "\n"


def password_login(folder: Path) -> str:
    """Return the lines of a source that logs in by user and password."""
    (folder / "password").write_text(PASSWORD + "\n")
    (folder / "password").chmod(0o600)
    return f"    user: {USER}\n    password_file: password\n"


def until(true: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Wait for something; False where it did not come."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


@contextmanager
def following(folder: Path, text: str) -> Iterator[tuple[OpcUaClient, MappedValues, list[tuple[str, object, str]]]]:
    """Follow a controller; yields the client, its values and the lines of its audit. The server must be trusted first."""
    path = folder / "mapping.yaml"
    path.write_text(text)
    mapping = read_mapping(path, _HALL)
    audit: list[tuple[str, object, str]] = []
    values = MappedValues(mapping, lambda line: None)
    client = OpcUaClient(
        "cell", mapping.mapping.sources["cell"], mapping.of_source("cell"), mapping.advice_to("cell"), values, folder / "state",
        lambda *line: audit.append(line),
    )  # fmt: skip
    client.start()
    try:
        yield client, values, audit
    finally:
        client.stop()


def trust(folder: Path, client: OpcUaClient) -> None:
    """Wait until the controller's certificate was rejected, and move it to the trusted ones."""
    assert until(lambda: "is not trusted" in client.problem), client.problem
    (rejected,) = (folder / "rejected").iterdir()
    rejected.rename(folder / "trusted" / rejected.name)


def joint(values: MappedValues, number: int) -> float:
    """Return a joint in degrees."""
    return math.degrees(values.take(time.time()).value[number - 1])


def kill_and_return(plant: Plant, client: OpcUaClient, values: MappedValues, degrees: float, away_s: float = 1.0) -> float:
    """Kill a controller, start it again, and return how long a value of it took to be there once it listened [s]."""
    plant.kill()
    assert until(lambda: not client.connected), "the loss was not noticed"
    time.sleep(away_s)
    plant.start()
    back = time.monotonic()
    plant.set("A7", degrees)
    assert until(lambda: abs(joint(values, 7) - degrees) < 1e-6), client.problem
    return time.monotonic() - back


def main(maker: str, times: int) -> None:
    """Measure some times and print each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            Plant(maker, folder / "plant") as plant,
            following(folder, mapping_text(plant.url, password_login(folder))) as (client, values, _),
        ):
            trust(folder / "own", client)
            assert client.wait_connected(60)
            for k in range(times):
                took_s = kill_and_return(plant, client, values, 70.5 + k)
                load = os.getloadavg()[0]
                print(f"{maker}: values back {took_s:.2f} s after the controller listened (load {load:.1f})", flush=True)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in MAKERS:
        sys.exit(__doc__)
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 5)
