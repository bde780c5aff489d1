"""``factory-twin check``: is a scenario as reliable as its baseline says? Exit codes: 0 yes, 1 worse, 2 wrong input."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from factory.errors import UserError
from factory.run_folder import write_bytes
from factory.scenario import SHIPPED, LoadedScenario, load_scenario, shipped_scenario
from factory.study import gate_output
from factory.study.baseline import Baseline, new_baseline, read_baseline, refuse_other, write_baseline
from factory.study.gate import Verdict, figures_of, judge, refuse_few_seeds
from factory.study.gate_run import Json, SeedTask, run_seed, run_seeds

DEFAULT_SEEDS = 24
"""Seeds of a new baseline."""


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What a check is asked for beside scenario and baseline.

    Attributes
    ----------
    overrides : texts ``key=value``; they belong to the scenario that the baseline is of.
    seeds : number of seeds (the first ones of the baseline), a list "3,5,8" or a range "101-124"; the baseline's own when None.
    workers : worker processes; as many as there are processors when None.
    across_versions : take a baseline of another version of factory-twin.
    runner : runs one seed; the twin, unless a test brings something faster.
    """

    overrides: tuple[str, ...] = ()
    seeds: str | None = None
    workers: int | None = None
    across_versions: bool = False
    runner: Callable[[SeedTask], Json] = run_seed


def parse_seeds(given: str | None, known: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return the seeds asked for.

    Parameters
    ----------
    given : "24", "3,5,8" or "101-124"; None for the default.
    known : seeds of the baseline; None where there is none yet.

    Raises
    ------
    UserError
        For a text that is none of these.
    """
    if given is None:
        return known or tuple(range(1, DEFAULT_SEEDS + 1))
    wrong = UserError(f"--seeds {given}: give a number of seeds (24), a list of different ones (3,5,8) or a range (101-124)")
    try:
        if "," in given:
            seeds = tuple(int(part) for part in given.split(","))
        elif "-" in given:
            first, last = (int(part) for part in given.split("-"))
            seeds = tuple(range(first, min(last, first + 100_000) + 1))
        else:
            n = int(given)
            if not 1 <= n <= 10_000:
                raise wrong
            own = known or ()
            rest = (s for s in range(1, n + len(own) + 1) if s not in own)
            seeds = (*own, *rest)[:n]
    except ValueError:
        raise wrong from None
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0:
        raise wrong
    return seeds


def check(scenario: str, baseline: Path, options: CheckOptions, on_done: Callable[[int, int], None] | None = None) -> Verdict:
    """Run a scenario's seeds and compare them with a baseline.

    Parameters
    ----------
    scenario : shipped name or file.
    baseline : the baseline file.
    options : see `CheckOptions`.
    on_done : called with the number of seeds that are done, and of all.

    Raises
    ------
    UserError
        For wrong input, before anything is run.
    """
    loaded = load_scenario(scenario, options.overrides)
    known = read_baseline(baseline)
    refuse_other(known, baseline, loaded, options.across_versions)
    seeds = parse_seeds(options.seeds, known.seeds)
    refuse_few_seeds(len(known.seeds), len(seeds), len(known.kpis), known.false_alarm_rate)
    return judge(known, figures_of(seeds, _run(scenario, loaded, options, seeds, on_done)))


def update(
    scenario: str, baseline: Path, options: CheckOptions, reason: str, on_done: Callable[[int, int], None] | None = None
) -> Baseline:
    """Run a scenario's seeds and write them as the new baseline; the gate and the history of an old one are kept.

    Parameters
    ----------
    scenario, baseline, options, on_done : as of `check`.
    reason : why; kept in the file.

    Raises
    ------
    UserError
        For wrong input; nothing has been written then.
    """
    if not reason.strip():
        raise UserError('--update asks for a reason: --update --reason "what changed, and why that is right"')
    loaded = load_scenario(scenario, options.overrides)
    before = read_baseline(baseline) if baseline.exists() else None
    seeds = parse_seeds(options.seeds, before.seeds if before is not None else None)
    if len(seeds) < 2:
        raise UserError(f"--seeds {options.seeds}: a baseline needs at least two seeds, {DEFAULT_SEEDS} by default")
    figures = figures_of(seeds, _run(scenario, loaded, options, seeds, on_done))
    made = new_baseline(loaded, figures, reason.strip(), before)
    refuse_few_seeds(len(seeds), len(seeds), len(made.kpis), made.false_alarm_rate)
    write_baseline(baseline, made)
    return made


def check_command(
    scenario: str,
    baseline: Path,
    options: CheckOptions,
    renew: bool,
    reason: str | None,
    junit: Path | None,
    markdown: Path | None,
    github: bool,
    console: Console,
) -> int:
    """Check or update, and tell the result everywhere that is asked for.

    Returns
    -------
    int
        0 where no figure is worse, 1 where one is.

    Raises
    ------
    UserError
        For wrong input (exit code 2).
    """
    if reason is not None and not renew:
        raise UserError("--reason belongs to --update")
    if renew and (junit is not None or markdown is not None):
        raise UserError("--update compares nothing: leave out --junit and --markdown")
    for file in (junit, markdown):
        if file is not None and not file.parent.is_dir():
            raise UserError(f"{file}: its folder does not exist")
    begun = time.monotonic()
    with console.status("running seeds") as status:

        def told(done: int, total: int) -> None:
            status.update(f"{done} of {total} seeds")

        if renew:
            made = update(scenario, baseline, options, reason or "", told)
            verdict = None
        else:
            verdict = check(scenario, baseline, options, told)
    if verdict is None:
        console.print(f"Baseline of {len(made.seeds)} seeds and {len(made.kpis)} figures: {baseline}", soft_wrap=True)
        for key, kpi in made.kpis.items():
            mean = sum(kpi.values) / len(kpi.values)
            console.print(f"  {key}: {mean:.3g} {kpi.unit}".rstrip(), soft_wrap=True, highlight=False)
        return 0
    again = again_command(scenario, options.overrides, verdict)
    console.print(gate_output.text(verdict, again), soft_wrap=True, highlight=False, markup=False)
    summary = gate_output.markdown(verdict, again)
    try:
        if junit is not None:
            write_bytes(junit, gate_output.junit(verdict, again, time.monotonic() - begun))
        if markdown is not None:
            write_bytes(markdown, summary.encode())
        if job := os.environ.get("GITHUB_STEP_SUMMARY"):
            with open(job, "a", encoding="utf-8") as shared:  # the job's other steps write to the same file
                shared.write(summary)
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be written: {error.strerror}") from None
    if github:
        for line in gate_output.github(verdict, baseline.as_posix()):
            print(line, flush=True)
    return 1 if verdict.alarms else 0


def again_command(scenario: str, overrides: tuple[str, ...], verdict: Verdict) -> str:
    """Return the command that runs the worst seed with a report, "" where there is no alarm."""
    if verdict.worst_seed is None:
        return ""
    words = ["factory-twin", "run", scenario, "--seed", str(verdict.worst_seed)]
    for override in overrides:
        words += ["--set", override]
    return shlex.join(words)


def _run(
    scenario: str,
    loaded: LoadedScenario,
    options: CheckOptions,
    seeds: tuple[int, ...],
    on_done: Callable[[int, int], None] | None,
) -> list[Json]:
    path = shipped_scenario(scenario) if scenario in SHIPPED else Path(scenario)
    text = path.read_text(encoding="utf-8")
    tasks = [SeedTask(text, str(loaded.path), options.overrides, seed) for seed in seeds]
    count = 0

    def done(seed: int) -> None:
        nonlocal count
        count += 1
        if on_done is not None:
            on_done(count, len(seeds))

    return run_seeds(tasks, options.workers, options.runner, done)
