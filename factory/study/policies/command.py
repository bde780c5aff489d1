"""``factory-twin study policies``: runs what is asked of the study, part by part, and writes what is known."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console

from factory.errors import UserError
from factory.scenario import load_text
from factory.study.policies import capacity, parts, results, sensitivity
from factory.study.policies.output import write
from factory.study.policies.point import simulate_policies
from factory.study.policies.session import Session, StudyInterruptedError, of_policies
from factory.study.policies.settings import Asked, Effort, Hall, has_risk_knob
from factory.study.worker import Runner

_WARM_TICKS, _TIMED_TICKS = 60, 100
_LATER_FACTOR = 1.6
"""What later ticks of a run cost beside its first ones, start and end of a point included (measured: 1.4 to 1.6)."""
_FUTURES_FACTOR = 2.0
"""What a point of the sensitivities costs on average beside the hall as it is, most of it drawn futures (measured: 2)."""
_SERVICES = 2
"""Services of a hall that capacity counts at most."""
_COPIES_FACTOR = 1.0
"""What a point of capacity costs on average beside the hall as it is: more devices cost more, and few searches take every step
(measured in a hall: 0.8)."""


def policies_command(
    asked: Asked,
    command: str,
    docs: Path | None,
    console: Console,
    errors: Console,
    runner: Runner = simulate_policies,
) -> int:
    """Run the study, or go on with it.

    Parameters
    ----------
    asked : what is asked for. command : the command line, which the results repeat.
    docs : folder for ``policies.json``, ``policies-study.md`` and the plots; ``asked.out`` where None.
    console, errors : where to write. runner : what runs a point.

    Returns
    -------
    int
        0 when all points are there, 1 where some could not be run, 130 when interrupted.

    Raises
    ------
    UserError
        For wrong input.
    """
    if runner is simulate_policies:
        _estimate(asked, console)
    session = Session(asked.out, asked.workers, console, runner)
    stopped = False
    with session.running():
        try:
            _run(asked, session, console)
        except StudyInterruptedError:
            stopped = True
    gone_s = time.monotonic() - session.begun
    found = [results.read_hall(asked, hall) for hall in asked.halls]
    files = write(asked, found, command, docs or asked.out)
    for message in session.failed:
        errors.print(message, soft_wrap=True, highlight=False, markup=False)
    console.print(
        f"{session.points} points in {gone_s / 60:.1f} min ({session.cpu_s / 60:.1f} min of processor time). Files: "
        + ", ".join(str(f) for f in files),
        soft_wrap=True, highlight=False, markup=False,
    )  # fmt: skip
    if stopped:
        errors.print(f"interrupted: the same command goes on with what is in {asked.out}", soft_wrap=True, highlight=False)
        return 130
    return 1 if session.failed else 0


def _run(asked: Asked, session: Session, console: Console) -> None:
    """Run the points of the parts that are asked for; margins are chosen first, for all other parts follow from them."""
    tuned = parts.train(asked, session)
    for name, margin in tuned.items():
        console.print(f"{name}: reactive's best fixed margin {margin.best_db:g} dB", soft_wrap=True, highlight=False)
    order, by_use = parts.ranked(asked, tuned), parts.ranked_by_use(asked, tuned)
    if "table" in asked.parts:
        for hall in asked.halls:
            session.run(parts.table_folder(asked, session, hall, tuned.get(hall.name)), f"table, {hall.name}")
    if "curve" in asked.parts:
        if not has_risk_knob():
            console.print("human_aware of this version takes no target of risk: one point of it, no curve", soft_wrap=True)
        for hall in order[: asked.curve.halls]:
            session.run(parts.curve_folder(asked, session, hall), f"curve, {hall.name}")
    if "capacity" in asked.parts:
        for hall in order[: asked.capacity.halls]:
            begun, before = time.monotonic(), session.points
            for index in hall.scaled:
                capacity.search(asked, session, hall, index, tuned.get(hall.name))
            gone = f"{session.points - before} points in {time.monotonic() - begun:.0f} s"
            console.print(f"capacity, {hall.name}: {gone}", soft_wrap=True, highlight=False)
    if "sensitivity" in asked.parts:
        for hall in by_use[: asked.sensitivity.halls]:
            session.run(sensitivity.sensitivity_folder(asked, session, hall), f"sensitivity, {hall.name}")
    if "acting" in asked.parts:
        for hall in by_use[: asked.acting.halls]:
            session.run(parts.acting_folder(asked, session, hall), f"acting, {hall.name}")


def tick_s(hall: Hall, policies: tuple[str, ...]) -> float:
    """Measure the processor time of a tick [s], over a second of the hall after its first moments.

    Raises
    ------
    UserError
        Where the hall cannot be run.
    """
    from factory.twin import Twin

    twin = Twin(load_text(hall.base.text, hall.base.path, (*hall.base.fixed, *of_policies(policies))))
    try:
        for _ in range(_WARM_TICKS):
            twin.tick()
        begun = time.process_time()
        for _ in range(_TIMED_TICKS):
            twin.tick()
        return _LATER_FACTOR * (time.process_time() - begun) / _TIMED_TICKS
    finally:
        twin.close()


def _estimate(asked: Asked, console: Console) -> None:
    """Say how long the study takes, by ticks that are measured now."""
    fixed = parts.fixed_margin(asked)
    with console.status("measuring how fast the halls run"):
        whole = {h.name: tick_s(h, asked.policies) for h in asked.halls}
        few = {h.name: tick_s(h, fixed) for h in asked.halls}
    per_s = {h.name: float(h.base.scenario.clock.tick_hz) for h in asked.halls}

    def cost(effort: Effort, times: float, rate: dict[str, float], halls: int) -> float:
        mean = sum(rate[n] * per_s[n] for n in rate) / len(rate)
        return mean * min(halls, len(rate)) * times * len(effort.seeds) * effort.seconds

    n = len(asked.halls)
    margins = len(asked.margins_db)
    at_risk = len(asked.risk_targets) if has_risk_knob() else 0
    steps = (asked.most_copies.bit_length() + 1) // 2 + 3
    shares = {
        "margins": cost(asked.training, margins, few, n),
        "table": cost(asked.table, 1, whole, n) + cost(asked.table, 1, few, n),
        "curve": cost(asked.curve, margins, few, asked.curve.halls) + cost(asked.curve, 1 + at_risk, whole, asked.curve.halls),
        "capacity": _SERVICES * _COPIES_FACTOR
        * (cost(asked.capacity, steps, whole, asked.capacity.halls)
           + cost(asked.capacity, 3 * steps, few, asked.capacity.halls)),
        "sensitivity": _FUTURES_FACTOR * cost(asked.sensitivity, 26, whole, asked.sensitivity.halls),
        "acting": cost(asked.acting, 1 + len(asked.policies), few, asked.acting.halls),
    }  # fmt: skip
    wanted = {k: v for k, v in shares.items() if k == "margins" or k in asked.parts}
    workers = min(asked.workers, _cores())
    total = sum(wanted.values()) / workers
    told = ", ".join(f"{k} {v / workers / 60:.1f}" for k, v in wanted.items())
    console.print(
        f"{n} halls: about {total / 60:.0f} min on {workers} workers if nothing is there yet (min: {told})",
        soft_wrap=True, highlight=False,
    )  # fmt: skip


def _cores() -> int:
    from factory.study.engine import Workers

    return Workers.cores()


def checked(asked: Asked) -> Asked:
    """Refuse an output folder that is a file.

    Raises
    ------
    UserError
        Where it is one.
    """
    if asked.out.exists() and not asked.out.is_dir():
        raise UserError(f"--out {asked.out}: is a file; give a folder")
    return asked
