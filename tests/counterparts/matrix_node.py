"""The twin as a program with node-opcua uses it: ``matrix.mjs``, and the restart that it asks for."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from matrix_hall import MatrixHall
from matrix_points import SECURE
from matrix_values import AGGREGATES, HISTORY_S, INTERVAL_S, PAIR_MEANS, PAIR_S
from opcua_client import PASSWORDS

_TIMEOUT_S = 500.0  # some 10 s where nothing else runs


def use(hall: MatrixHall, folder: Path, node: str = "node") -> dict[str, Any]:
    """Do everything, and return what came of each point.

    Raises
    ------
    AssertionError
        The program ended without an answer; the text has its last words.
    """
    task = {
        "passwords": PASSWORDS,
        "policies": SECURE,
        "aggregates": list(AGGREGATES),
        "beginMs": round(hall.begin.timestamp() * 1000),
        "historyS": HISTORY_S,
        "intervalS": INTERVAL_S,
        "pairS": PAIR_S,
        "pairMeans": PAIR_MEANS,
    }
    script = Path(__file__).parent / "matrix.mjs"
    said: list[str] = []
    with (
        (folder / "errors.txt").open("w+") as errors,
        subprocess.Popen(
            ["timeout", str(_TIMEOUT_S), node, str(script), hall.url, str(folder), json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as program,
    ):
        assert program.stdin is not None
        assert program.stdout is not None
        for line in program.stdout:
            said.append(line)
            if line.strip() == "restart":
                hall.restart()
                program.stdin.write("done\n")
                program.stdin.flush()
        program.wait()
        errors.seek(0)
        told = errors.read()
    answers = [line for line in said if line.startswith("{")]
    assert answers, f"node-opcua said nothing: {''.join(said)[-500:]} {told[-1500:]}"
    return dict(json.loads(answers[-1]))
