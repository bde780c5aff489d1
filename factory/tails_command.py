"""``factory-twin tails``: the unavailability of one service by multilevel splitting, beside what a run says of it."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from factory.errors import UserError
from factory.scenario import LoadedScenario, load_scenario
from factory.splitting_twin import Effort, Estimated, estimate

Json = dict[str, Any]


def tails_command(
    name: str, overrides: list[str], service: str | None, effort: Effort, levels: str | None, out: Path | None, console: Console
) -> int:
    """Estimate, print, and add to a ``kpi.json`` where asked.

    Parameters
    ----------
    name, overrides : scenario.
    service : its name; may be left out where the scenario has one.
    effort : how; its margins are those of ``levels``.
    levels : decreasing margins, separated by commas; None for those of a pilot run.
    out : ``kpi.json`` of a run of the same scenario, or its run folder.

    Returns
    -------
    0.

    Raises
    ------
    UserError
        For wrong input; nothing has been written then.
    """
    loaded = load_scenario(name, overrides)
    index = _service_of(loaded, service)
    effort = _with_levels(effort, levels)
    asked = loaded.scenario.radio.services[index].name
    path, kpi = (None, None) if out is None else _read(out, asked, loaded.scenario.radio.policy)
    columns = TextColumn("replicas"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=effort.replicas)
        try:
            found = estimate(loaded, index, effort, lambda done, of: progress.update(task, completed=done, total=of))
        except ValueError as error:
            raise UserError(f"--levels or --factor: {error}") from error
    _print(found, asked, loaded, effort, console)
    if path is not None and kpi is not None:
        for services in _places(kpi, loaded.scenario.radio.policy):
            _entry(services, asked).setdefault("estimators", {})["splitting"] = found.estimate
        temporary = path.with_name(path.name + ".part")
        temporary.write_text(json.dumps(kpi, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        temporary.replace(path)
        console.print(f"Added to {path}", soft_wrap=True)
    return 0


def _service_of(loaded: LoadedScenario, service: str | None) -> int:
    radio = loaded.scenario.radio
    if not radio.enabled:
        raise UserError("radio.enabled is false: no message can be lost, so there is no tail to estimate")
    names = [s.name for s in radio.services]
    if service is None and len(names) == 1:
        return 0
    if service not in names:
        said = "is missing" if service is None else f"{service!r} is no service"
        raise UserError(f"--service {said}; this scenario has {', '.join(names)}")
    from radio.messages.traffic import resolve

    if resolve(radio.services[names.index(service)]).video:
        raise UserError(f"--service {service!r}: frames of video have no margin to split by; take a service of control messages")
    return names.index(service)


def _with_levels(effort: Effort, levels: str | None) -> Effort:
    for option, value in (("--replicas", effort.replicas), ("--factor", effort.factor)):
        if value < 2:
            raise UserError(f"{option} {value}: wanted 2 or more")
    for option, seconds in (("--seconds", effort.seconds), ("--pilot", effort.pilot_s)):
        if not 1.0 <= seconds <= 86_400.0:
            raise UserError(f"{option} {seconds:g}: wanted seconds from 1 to 86400")
    if not 0.0 <= effort.warm_up_s <= 3600.0:
        raise UserError(f"--warm-up {effort.warm_up_s:g}: wanted seconds from 0 to 3600")
    if levels is None:
        return effort
    try:
        margins = tuple(float(part) for part in levels.split(","))
    except ValueError:
        raise UserError(f"--levels {levels}: wanted margins separated by commas, for example 200,100,50") from None
    if not all(a > b for a, b in pairwise(margins)):
        raise UserError(f"--levels {levels}: margins must fall, for example 200,100,50")
    return Effort(effort.replicas, effort.seconds, effort.warm_up_s, effort.factor, margins, effort.pilot_s, effort.most_levels)


def _read(out: Path, service: str, policy: str) -> tuple[Path, Json]:
    path = out / "kpi.json" if out.is_dir() else out
    try:
        kpi = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--out {path}: cannot be read: {error.strerror}; wanted the kpi.json of a run") from None
    except ValueError:
        raise UserError(f"--out {path}: not JSON; wanted the kpi.json of a run") from None
    if not isinstance(kpi, dict) or not isinstance(kpi.get("policies"), dict) or policy not in kpi["policies"]:
        raise UserError(f"--out {path}: no kpi.json of a run under policy {policy!r}")
    for services in _places(kpi, policy):
        if not any(entry.get("name") == service for entry in services):
            raise UserError(f"--out {path}: that run had no service {service!r}")
    return path, kpi


def _places(kpi: Json, policy: str) -> list[list[Json]]:
    """Return the lists of services that tell of the policy."""
    places: list[list[Json]] = [kpi["policies"][policy]["services"]]
    if kpi.get("acting_policy") == policy:
        places.append(kpi["services"])
    return places


def _entry(services: list[Json], name: str) -> Json:
    return next(entry for entry in services if entry["name"] == name)


def _print(found: Estimated, service: str, loaded: LoadedScenario, effort: Effort, console: Console) -> None:
    table = Table(title=f"{service} under {loaded.scenario.radio.policy}, splitting", title_justify="left")
    for heading, justify in (("margin", "right"), ("branches", "right"), ("per replica", "right")):
        table.add_column(heading, justify="right" if justify == "right" else "left")
    for k in range(len(found.margins) + 1):
        began = sum(int(part.reached[k]) for part in found.replicas)
        level = "any" if k == 0 else f"≤ {found.margins[k - 1]:.1f}"
        table.add_row(level, str(began), f"{began / len(found.replicas):.1f}")
    console.print(table)
    answer = found.estimate
    if answer["value"] is None:
        console.print(f"Unavailability: not told: {answer['reason']}")
        return
    console.print(f"Unavailability {answer['value']:.3g}, 95 % interval {answer['low']:.2g} to {answer['high']:.2g}")
    futures = [part.futures for part in found.replicas if part.futures is not None]
    console.print(
        f"{effort.replicas} replicas of {effort.seconds:g} s, {found.branch_s:.0f} s in all branches, "
        f"{answer['packets']:,} packets of the service"
    )
    if futures:
        console.print(f"Different futures among the deepest branches: {100 * sum(futures) / len(futures):.0f} %")
