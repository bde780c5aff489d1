"""What every OPC UA client of another maker does with the twin, what comes of it, and what a client cannot do.

The page of it is made by ``python tests/counterparts/matrix_points.py > docs/opcua-counterparts.md``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from matrix_values import AGGREGATES

__all__ = ["CLIENTS", "POINTS", "Point", "page"]

CLIENTS = ("node-opcua-client", "opcua", "asyncua")
_REFUSED = "BadUserAccessDenied"
SECURE = ("Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss")
_STOPPED = ["MachineStopped", "agv-01", 700]
NEVER = "not possible"
"""What a client answers that cannot even ask."""


@dataclass(frozen=True, slots=True)
class Point:
    """Something that a client does.

    Attributes
    ----------
    key : name of the client's answer. title : what it does, for the table. expected : what must come of it.
    lacks : by client, why it cannot do it, with the upstream issue; then the answer is NEVER.
    by_hand : by client, what its user has to write himself because the client's own function does not do it.
    """

    key: str
    title: str
    expected: Any
    lacks: tuple[tuple[str, str], ...] = ()
    by_hand: tuple[tuple[str, str], ...] = ()

    def wanted(self, client: str) -> Any:
        """Return what must come of it with a client."""
        return NEVER if client in dict(self.lacks) else self.expected


_NO_NEW_POLICIES = (
    (
        "opcua",
        "knows no newer policy than Basic256Sha256 ([python-opcua 859](https://github.com/FreeOpcUa/python-opcua/issues/859))",
    ),
)
_PAGES = (
    (
        "opcua",
        "`read_raw_history` ends with the first page ([python-opcua 821](https://github.com/FreeOpcUa/python-opcua/issues/821)); "
        "the request is built by hand",
    ),
)
_REQUEST = "the request is built by hand: the client has no function for it"
_CALLS = (("opcua", "called as any method"), ("asyncua", "called as any method"))

POINTS = (
    Point("None None", "Policy None (the scenario says `insecure`): reads as a viewer, may write nothing", [17.25, _REFUSED]),
    *(
        Point(
            f"{policy} {mode}",
            f"Policy {policy}, mode {mode}: logs in with user and password, reads",
            17.25,
            _NO_NEW_POLICIES if policy != "Basic256Sha256" else (),
        )
        for policy in SECURE
        for mode in ("SignAndEncrypt", "Sign")
    ),
    Point("wrong password", "Logs in with a wrong password: refused", "BadUserAccessDenied"),
    Point("path", "Browses by path: `/Objects/FactoryTwin/Links/agv-01/SinrDownlink`", "Links/agv-01/SinrDownlink"),
    Point("browse", "Browses the children of a link", True),
    Point("read", "Reads a value", 17.25),
    Point("viewer writes value", "Viewer writes a measured value: refused", _REFUSED),
    Point("viewer writes setting", "Viewer writes a setting: refused", _REFUSED),
    Point("viewer calls", "Viewer calls SetSpeed: refused", _REFUSED),
    Point("viewer acknowledges", "Viewer acknowledges: refused", _REFUSED),
    Point("engineer writes value", "Engineer writes a measured value: refused, it is not writable", "BadNotWritable"),
    Point("engineer writes setting", "Engineer writes `Settings/RiskLimit`: allowed, and reads it back", ["Good", 0.6]),
    Point("subscription", "Subscribes; every change of `Twin/RealTimeFactor` is told", [1.0, 1.2, 1.4, 1.6, 3.0, 1.0]),
    Point("dead-band", "Subscribes with an absolute dead-band of 0.5 around the value told last", [1.0, 1.6, 3.0, 1.0]),
    Point(
        "events",
        "Subscribes to events where Severity >= 600: agv-01's stop comes, agv-02's person does not",
        [
            [*_STOPPED, True, False, False],
            [*_STOPPED, True, True, False],
            [*_STOPPED, False, True, False],
            [*_STOPPED, False, True, True],
        ],
    ),
    Point(
        "alarm",
        "Acknowledges: an unknown event, the right one, again; confirms once it is over",
        ["BadEventIdUnknown", "Good", "BadConditionBranchAlreadyAcked", "Good"],
        by_hand=_CALLS,
    ),
    Point(
        "refresh",
        "ConditionRefresh tells the retained alarms, to that subscription; an unknown subscription is refused",
        ["Good", ["MachineStopped agv-01", "PersonClose agv-02"], "BadSubscriptionIdInvalid"],
        by_hand=(*_CALLS, ("node-opcua-client", "called as any method")),
    ),
    Point("history", "Reads 2500 raw values of history in pages, with continuation points", [2500, 3, True], by_hand=_PAGES),
    Point("bad point", "Reads on with a continuation point that is none: refused", "BadContinuationPointInvalid"),
    Point(
        "aggregates",
        "Reads Average, TimeAverage, Minimum and Maximum over intervals of 1000 s",
        AGGREGATES,
        by_hand=(("opcua", _REQUEST), ("asyncua", _REQUEST)),
    ),
    Point(
        "aggregate pages",
        "Reads Average over 1250 intervals of 2 s in pages, with continuation points",
        [2, True],
        by_hand=(("node-opcua-client", _REQUEST), ("opcua", _REQUEST), ("asyncua", _REQUEST)),
    ),
    Point("no history", "Asks for the history of a machine: refused", "BadHistoryOperationUnsupported"),
    Point("right arguments", "Calls SetSpeed with a right argument", "Good"),
    Point("no arguments", "... without arguments", "BadArgumentsMissing"),
    Point("too many arguments", "... with two", "BadTooManyArguments"),
    Point("out of range", "... with a factor of 1000", "BadOutOfRange"),
    Point("wrong type", "... with a text", "BadInvalidArgument"),
    Point("unknown target", "Calls StopAgv for an AGV that is not there", "BadOutOfRange"),
    Point(
        "restart",
        "Server restarted: reads again, its subscription tells again",
        [17.25, 1.5],
        by_hand=(
            (
                "opcua",
                "the client never reconnects (python-opcua [655](https://github.com/FreeOpcUa/python-opcua/issues/655), "
                "[1048](https://github.com/FreeOpcUa/python-opcua/issues/1048)): reading fails, and the "
                "program makes a new client and a new subscription",
            ),
        ),
    ),
)


_SERVERS = """## Servers of other makers feed the twin

The twin's own client ([mapping.md](mapping.md)) follows a server of each (`tests/counterparts/test_opcua_plants.py`).

| | node-opcua-server {node_opcua_server} | server of opcua {opcua} |
|---|---|---|
| Its certificate is refused until it is trusted; then values come, in degrees, and follow | tested | tested |
| Advice is written back | tested | tested |
| A wrong password is refused | tested | tested |
| Login by X.509 certificate; a stranger's is refused | tested | not possible (a) |
| Killed with SIGKILL and started again: values are back | tested | tested |
| `factory-twin map browse`, `map check --dry-run` from the command line | tested | not done again |

a. its `activate_session` looks at tokens with a user name alone, so no certificate is refused; anonymous users, whom it
   does not offer, are let in ([python-opcua 1457](https://github.com/FreeOpcUa/python-opcua/issues/1457)).

How long values take to be back once the server listens: `python tests/counterparts/plants.py node-opcua` (or `opcua`)."""


def versions() -> dict[str, str]:
    """Return the version of each package: of node-opcua as the lock file has it, of the others as installed."""
    lock = json.loads((Path(__file__).parent / "package-lock.json").read_text())
    node = {name: lock["packages"][f"node_modules/{name}"]["version"] for name in ("node-opcua-client", "node-opcua-server")}
    return node | {"opcua": version("opcua"), "asyncua": version("asyncua")}


def page() -> str:
    """Return docs/opcua-counterparts.md."""
    known = versions()
    notes: list[str] = []
    rows = []
    for point in POINTS:
        cells = []
        for client in CLIENTS:
            lack, hand = dict(point.lacks).get(client), dict(point.by_hand).get(client)
            note = lack or hand
            if note is not None and note not in notes:
                notes.append(note)
            cells.append(f"{'not possible' if lack else 'tested'}{f' ({notes.index(note) + 1})' if note else ''}")
        rows.append(f"| {re.sub('[|]', '/', point.title)} | {' | '.join(cells)} |")
    head = " | ".join(f"{client} {known[client]}" for client in CLIENTS)
    return "\n".join(
        [
            "# OPC UA: what clients of other makers do with the twin",
            "",
            "Each client does each row against the twin's server. What comes of it is compared with one expected answer, the",
            "same for all (`tests/counterparts/test_opcua_matrix.py`). The page is made by",
            "`python tests/counterparts/matrix_points.py > docs/opcua-counterparts.md`; a test compares them.",
            "",
            f"| | {head} |",
            "|---|---|---|---|",
            *rows,
            "",
            *(f"{k}. {note}." for k, note in enumerate(notes, start=1)),
            "",
            *_SERVERS.format(**{name.replace("-", "_"): word for name, word in known.items()}).splitlines(),
            "",
        ]
    )


if __name__ == "__main__":
    print(page(), end="")
