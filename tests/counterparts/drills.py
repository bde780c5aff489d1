"""Drills: two of broker, twin, fleet manager and OPC UA reader are killed with ``kill -9`` during an order, and come back.

``python tests/counterparts/drills.py DRILLS SEED [RESULT.json [three]]`` runs them one after the other on one plant.

Every party is a process of its own (``drill_parts.py``), forked from this one, which has read all modules, so that an outage is
as long as it was drawn. The OPC UA party is a client that reads the twin's server; with ``three`` both stay away.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "bridges"))

import drill_parts
import numpy as np
from test_mosquitto import run_broker

PARTIES = ("broker", "twin", "manager", "reader")
PAIRS = tuple(combinations(PARTIES, 2))
_LONGEST_S = 60.0
_PATIENCE_S = 120.0  # an order that is not carried out so long after the end of the outage is lost
_STATE_S = 2.0
_UNSAID_S = 1.0  # an AGV that has just been told to go may stand for a moment and need not say why


class Site:
    """All parties, each in a process.

    Parameters
    ----------
    mosquitto : path of the broker. folder : of diaries and state. speed : plant's time over the wall's. opcua : with that party.
    """

    def __init__(self, mosquitto: str, folder: Path, speed: float, opcua: bool) -> None:
        self.folder, self._mosquitto = folder, mosquitto
        self.port, opcua_port = _free_port(), _free_port() if opcua else 0
        (folder / "wanted").write_text("-1")
        self._parts = {
            "twin": (drill_parts.twin, (folder, self.port, opcua_port, speed)),
            "manager": (drill_parts.manager, (folder, self.port)),
            "reader": (drill_parts.reader, (folder, opcua_port)),
            "observer": (drill_parts.observer, (folder, self.port)),
        }
        self._running: dict[str, Any] = {}
        self._read: dict[str, tuple[int, list[dict[str, Any]]]] = {}
        for party in ("broker", "observer", "twin", "manager", *(("reader",) if opcua else ())):
            self.start(party)

    def start(self, party: str) -> None:
        if party == "broker":
            self._running[party] = run_broker(self._mosquitto, self.folder, self.port, "allow_anonymous true")
            return
        target, arguments = self._parts[party]
        process = multiprocessing.get_context("fork").Process(target=target, args=arguments, daemon=True)
        process.start()
        self._running[party] = process

    def kill(self, party: str) -> None:
        process = self._running.pop(party)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10) if isinstance(process, subprocess.Popen) else process.join(10)

    def want(self, k: int) -> None:
        """Let the fleet manager give an order; its wish lies on disk, as in a fleet manager's data base."""
        fresh = self.folder / "wanted.new"
        fresh.write_text(str(k))
        fresh.replace(self.folder / "wanted")

    def diary(self, name: str) -> list[dict[str, Any]]:
        """Read what a party has written so far."""
        path = self.folder / f"{name}.jsonl"
        at, lines = self._read.setdefault(name, (0, []))
        if path.exists():
            with path.open("rb") as file:
                file.seek(at)
                more = file.read()
            more = more[: more.rfind(b"\n") + 1]
            lines += [json.loads(line) for line in more.splitlines()]
            self._read[name] = (at + len(more), lines)
        return lines

    def until(self, name: str, what: str, since_s: float, timeout_s: float, **more: Any) -> float | None:
        """Wait for a line of a party; its time, None where it does not come."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for line in reversed(self.diary(name)):
                if line["t"] < since_s:
                    break
                if line["what"] == what and all(line.get(key) == value for key, value in more.items()):
                    return float(line["t"])
            time.sleep(0.05)
        return None

    def close(self) -> None:
        for party in list(self._running):
            self.kill(party)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _outage_s(k: int, rng: np.random.Generator) -> float:
    """Draw how long a party is away: most 0.2 to 2 s, every 17th drill (each pair in turn) 60 s, every 9th 5 to 20 s."""
    if k % 17 == 16:
        return _LONGEST_S
    return float(rng.uniform(5.0, 20.0) if k % 9 == 8 else np.exp(rng.uniform(np.log(0.2), np.log(2.0))))


def run_drills(
    mosquitto: str,
    folder: Path,
    drills: int,
    seed: int = 1,
    speed: float = 15.0,
    opcua: bool = True,
    longest_s: float = _LONGEST_S,
    so_far: Callable[[dict[str, Any]], None] = lambda result: None,
) -> dict[str, Any]:
    """Run drills; ``so_far`` is given the result after each.

    Returns
    -------
    What was done, and: lost orders; orders and actions that went back or began anew in what the AGV told; time from the last
    reconnection (and from the last party's start) to the fleet manager knowing the state [s]; why the AGV stood.
    """
    rng = np.random.default_rng(seed)
    pairs = PAIRS if opcua else tuple(pair for pair in PAIRS if "reader" not in pair)
    drill_parts.new_fleet().step(50_000, 50_000, np.zeros(1, np.int64), *drill_parts.NOBODY)  # kernels, before anybody forks
    site = Site(mosquitto, folder, speed, opcua)
    rows: list[dict[str, Any]] = []
    begun_s, load = time.time(), os.getloadavg()[0]
    try:
        assert site.until("manager", "known", begun_s, 60.0) is not None, "the fleet manager never heard the AGV"
        for k in range(drills):
            rows.append(_drill(site, k, pairs[k % len(pairs)], rng, longest_s))
            so_far(_result(site, rows, begun_s, load))
    finally:
        site.close()
    return _result(site, rows, begun_s, load)


def _drill(site: Site, k: int, pair: tuple[str, ...], rng: np.random.Generator, longest_s: float) -> dict[str, Any]:
    wanted_s = time.time()
    site.want(k)
    time.sleep(float(rng.uniform(0.0, 1.0)))
    back = sorted((min(_outage_s(k, rng), longest_s), party) for party in pair)
    killed_s = time.monotonic()
    for _, party in back:
        site.kill(party)
    for outage_s, party in back:
        time.sleep(max(0.0, killed_s + outage_s - time.monotonic()))
        site.start(party)
    whole_s = time.time()
    row: dict[str, Any] = {"killed": list(pair), "outages_s": [round(o, 2) for o, _ in back]}
    done_s = site.until("manager", "done", wanted_s, _PATIENCE_S, k=k)
    row["done_after_s"] = None if done_s is None else round(done_s - whole_s, 2)
    if set(pair) & {"broker", "twin", "manager"}:
        row |= _back(site, pair, whole_s)
    if "reader" in pair or ("twin" in pair and "reader" in site._running):
        read_s = site.until("reader", "read", whole_s, 20.0)
        row["read_after_s"] = None if read_s is None else round(read_s - whole_s, 2)
    return row


def _back(site: Site, pair: tuple[str, ...], whole_s: float) -> dict[str, Any]:
    """Tell how long after the last reconnection, and after the last start, the fleet manager knew the state."""
    concerned = [p for p in ("twin", "manager") if p in pair or "broker" in pair]
    since = [site.until(party, "connected", whole_s - _LONGEST_S - 5.0, 60.0) for party in concerned]
    if None in since:
        return {"back_s": None}
    connected_s = max(s for s in since if s is not None)
    known = [line["t"] for line in site.diary("manager") if line["what"] == "known" and line["measured_s"] >= connected_s - 0.05]
    if not known:
        return {"back_s": None}
    return {"back_s": round(max(0.0, min(known) - connected_s), 3), "known_after_start_s": round(min(known) - whole_s, 2)}


def _result(site: Site, rows: list[dict[str, Any]], begun_s: float, load: float) -> dict[str, Any]:
    back = [row["back_s"] for row in rows if row.get("back_s") is not None]
    return {
        "drills": len(rows),
        "kills": dict(Counter(party for row in rows for party in row["killed"])),
        "pairs": dict(Counter("+".join(row["killed"]) for row in rows)),
        "longest_outage_s": max(max(row["outages_s"]) for row in rows),
        "lost": sum(row["done_after_s"] is None for row in rows),
        "state_never_back": sum("back_s" in row and row["back_s"] is None for row in rows),
        "back_median_s": round(float(np.median(back)), 3) if back else None,
        "back_max_s": max(back) if back else None,
        "back_beyond_2_s": sum(b > _STATE_S for b in back),
        "reader_not_within_20_s": sum("read_after_s" in row and row["read_after_s"] is None for row in rows),
        **_judge(site.diary("observer"), site.diary("twin")),
        "minutes": round((time.time() - begun_s) / 60, 1),
        "load_average": [round(load, 1), round(os.getloadavg()[0], 1)],
        "rows": rows,
    }


def _judge(states: list[dict[str, Any]], twin: list[dict[str, Any]]) -> dict[str, Any]:
    """Look in what the AGV told, and in what its twins did, for what happened twice and for stops without a reason."""
    went_back = began_again = 0
    seen: list[str] = []
    at, finished = 0, set()
    for state in states:
        if not seen or state["order"] != seen[-1]:
            began_again += state["order"] in seen
            seen.append(state["order"])
            at, finished = 0, set()
        went_back += state["at"] < at or any(state["actions"].get(a) != "FINISHED" for a in finished)
        at, finished = state["at"], {a for a, status in state["actions"].items() if status == "FINISHED"}
    ended = Counter(
        action for before, now in pairwise(twin) if before["what"] == now["what"] == "order"
        for action, status in now.items() if status == "FINISHED" and before.get(action) == "RUNNING"
    )  # fmt: skip
    reasons, unexplained, since_s, told = Counter[str](), 0, 0.0, True
    for before, state in pairwise(states):
        acting = any(status == "RUNNING" for status in state["actions"].values())
        stands = state["left"] > 0 and not state["driving"] and not acting
        stood = before["left"] > 0 and not before["driving"] and before["order"] == state["order"]
        if stands and not stood:
            since_s, told = state["t"], False
        if stands and not told:
            told = bool(state["why"])
            reasons.update(state["why"])
            if not told and state["t"] - since_s > _UNSAID_S:
                unexplained, told = unexplained + 1, True
    return {
        "went_back": went_back,
        "began_again": began_again,
        "redone_before_anybody_was_told": sum(n - 1 for n in ended.values() if n > 1),
        "states_heard": len(states),
        "twins": sum(line["what"] == "begin" for line in twin),
        "protective_stops": dict(Counter(line["mode"] for line in twin if line["what"] == "stop")),
        "stops_with_a_reason": dict(reasons),
        "stops_without_a_reason": unexplained,
    }


if __name__ == "__main__":
    path = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if path is None:
        raise SystemExit("mosquitto is not installed; tests/counterparts/install.sh installs it")

    def keep(found: dict[str, Any]) -> None:
        if len(sys.argv) > 3:
            Path(sys.argv[3]).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

    with tempfile.TemporaryDirectory() as place:
        result = run_drills(path, Path(place), int(sys.argv[1]), int(sys.argv[2]), opcua="three" not in sys.argv, so_far=keep)
    keep(result)
    print(json.dumps({key: value for key, value in result.items() if key != "rows"}))
