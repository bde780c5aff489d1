"""What the stop ledger books as the radio's loss beside what an ideal radio gives back: rows from the kept study."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from factory.validate.loop_study import SELDOM, Json, interval, kept
from factory.validate.rows import Row

TABLE = "The radio's loss by the ledger"
CYCLE_S = 8.0  # of the small hall's cobots
NOTE = """\
Shifts of the small hall in pairs, with the radio and with one that delivers every message (`python -m
factory.validate.loop_study`). Ours is what the stop ledger of the run with the radio books as lost to it, in what the
machines would have made in that time; the reference is what the run with the ideal radio made more. Seeds are the units,
the tolerance is the 95 % interval of the paired difference (Student's t). Pairs share their footsteps only up to the
first stop: from then on people and AGVs meet differently, which is what makes the interval wide. So that there is
something to find, TRPs are switched off in turn. To keep computing short, the hall has three people, ticks of 20 ms, no
video and one reflection.

Cobots agree, and AGVs where TRPs are off a fifth of the time. Where they are seldom off the ledger finds 81 % of the way and
87 % of the time that AGVs lost: stops that come at random, to one AGV and not to the next, make AGVs queue more often at
crossings, where the head of the queue moves and nobody stands for want of a command. The ledger books such a second as queue;
only the pair of shifts shows that it would not have been (last row of each case). Orders are counted whole, which takes half
an order from the shift that was held up more. In shifts of five minutes (16 other pairs) AGVs were booked 5 to 9 % too much
where TRPs are off often, and agreed where they are seldom."""
_AGVS = "way of AGVs", "productive time of AGVs"


def lost(pair: tuple[Json, Json]) -> dict[str, tuple[float, float]]:
    """Give what was lost by the radio as booked and as found: parts, and AGVs' orders, way [m] and productive time [s].

    Parameters
    ----------
    pair : the shift with the radio, and the one with an ideal radio.

    Notes
    -----
    A cobot's lost time is counted in full speed, so that parts are time over cycle. An AGV would have gone on in the lost time as
    in the rest: booked = made x lost / (time - lost).
    """
    real, ideal = pair
    agv_s = real["agv_lost_s"]["total"]
    more = agv_s / (real["agv_s"] - agv_s)
    made = {name: (shift["orders"], shift["distance_m"], _productive_s(shift)) for name, shift in (("r", real), ("i", ideal))}
    of_agvs = {
        name: (more * made["r"][k], made["i"][k] - made["r"][k])
        for k, name in enumerate(("orders", "way of AGVs", "productive time of AGVs"))
    }
    return {"parts": (real["cobot_lost_s"]["total"] / CYCLE_S, ideal["parts"] - real["parts"]), **of_agvs}


def _productive_s(shift: Json) -> float:
    """Driving and working in full speed: less what AGVs lost while they sped up, and with what they drove while they braked."""
    minutes, lost_s = shift["agv_minutes"], shift["agv_lost_s"]
    driven_s = 60.0 * float(minutes["communication"]) - float(lost_s["standing"])
    return 60.0 * float(minutes["driving"] + minutes["working"]) - float(lost_s["restart"]) + driven_s


def pairs(found: Json, case: str) -> list[tuple[Json, Json]]:
    """Give the pairs of a case; the ideal shifts are shared by all cases."""
    return list(zip(found["cases"][case], found["ideal"], strict=False))


def differences(found: Json, case: str, what: str) -> npt.NDArray[np.float64]:
    """Booked and found loss of every pair, (n, 2)."""
    return np.array([lost(pair)[what] for pair in pairs(found, case)])


def loop_rows() -> Iterator[Row]:
    """Return rows on booked and found losses; none before the study."""
    found = kept()
    if found is None:
        return
    units = {"parts": "parts", "orders": "orders", "way of AGVs": "m", "productive time of AGVs": "s"}
    for case in found["cases"]:
        n = len(found["cases"][case])
        for what, unit in units.items():
            both = differences(found, case, what)
            source = f"{n} pairs of {found['minutes']:g} min"
            name = f"{case}: {what} lost"
            if not both.any():
                yield Row(TABLE, name, 0.0, 0.0, unit, 0.0, source)
                continue
            _, low, high = interval(both[:, 1] - both[:, 0])
            half, known = 0.5 * (high - low), what == "orders" or (case == SELDOM and what in _AGVS)
            yield Row(TABLE, name, float(both[:, 0].mean()), float(both[:, 1].mean()), unit, half, source, known=known)
        more, low, high = interval(np.array([_more_queue_s(pair) for pair in pairs(found, case)]))
        name = f"{case}: queueing of AGVs beyond the ideal shift's share ({low:.0f} to {high:.0f})"
        yield Row(TABLE, name, more, math.nan, "s", 1.0, f"{n} pairs of {found['minutes']:g} min", "reported")


def _more_queue_s(pair: tuple[Json, Json]) -> float:
    """Time in queues of the shift with the radio, less what the ideal one had in as much time that was not lost [s]."""
    real, ideal = pair
    left = 1.0 - float(real["agv_lost_s"]["total"]) / float(real["agv_s"])
    return 60.0 * (float(real["agv_minutes"]["queue"]) - left * float(ideal["agv_minutes"]["queue"]))
