"""The ``factory-twin`` command. Exit codes: 0 done, 1 a check failed, 2 wrong input, 130 interrupted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from factory.errors import UserError

app = typer.Typer(
    name="factory-twin",
    help="A digital twin of a factory hall: people, AGVs and cobots move, and every movement changes the radio links.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ScenarioArgument = Annotated[str, typer.Argument(help="small, default, medium, hand-wave, day-shift, or a scenario file (YAML).")]
SetOption = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override, e.g. people.count=30.")]


@app.command()
def run(
    scenario: ScenarioArgument = "default",
    minutes: Annotated[float | None, typer.Option(help="Simulated minutes; the scenario's own when absent.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed; the scenario's own when absent.")] = None,
    overrides: SetOption = None,
    fragment: Annotated[
        Path | None, typer.Option("--with", metavar="FRAGMENT", help="Calibrated radio as calibrate --out wrote it.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder to make; must not exist yet.")] = None,
) -> None:
    """Simulate a shift and write a run folder with a report."""
    from factory.runner import run_shift

    extra = list(overrides or [])
    if fragment is not None:
        from factory.calibrate import fragment_overrides, read_fragment
        from factory.scenario import load_scenario

        extra += fragment_overrides(load_scenario(scenario, extra).scenario, read_fragment(fragment))
    if minutes is not None:
        extra.append(f"duration_s={minutes * 60:g}")
    if seed is not None:
        extra.append(f"seed={seed}")
    raise typer.Exit(run_shift(scenario, extra, out, Console(), Console(stderr=True)))


@app.command()
def live(
    scenario: ScenarioArgument = "default",
    overrides: SetOption = None,
    state: Annotated[Path, typer.Option(help="Folder for certificates and the generated password.")] = Path("state"),
    seconds: Annotated[float | None, typer.Option(help="Stop after this many seconds; until Ctrl-C when absent.")] = None,
) -> None:
    """Run on the wall clock with an OPC UA server and MQTT telemetry."""
    from factory.live import run_live

    raise typer.Exit(run_live(scenario, list(overrides or []), state, seconds, Console()))


@app.command()
def report(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    picture: Annotated[Path | None, typer.Option(help="Also write scene and floor map to this PNG.")] = None,
) -> None:
    """Build report.html of a run folder again."""
    from factory.report import build_report
    from factory.report.picture import write_picture

    if picture is not None:
        write_picture(run_folder, picture)
    Console().print(f"Report: {build_report(run_folder)}", soft_wrap=True)


@app.command()
def validate(
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every row to this file.")] = None,
    docs: Annotated[Path | None, typer.Option(help="Write the tables as Markdown to this file.")] = None,
) -> None:
    """Print our numbers beside the standards'; exit code 1 where one is out of tolerance."""
    from factory.validate import run as run_validation

    raise typer.Exit(run_validation(json_file, docs))


@app.command()
def calibrate(
    scenario: ScenarioArgument,
    csv: Annotated[Path, typer.Argument(help="Measured RSRP: time_s, trp, x_m, y_m, z_m, rsrp_dbm.")],
    out: Annotated[Path | None, typer.Option(help="Write the fitted radio as a scenario fragment (YAML).")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the whole result to this file.")] = None,
) -> None:
    """Fit powers, antennas and materials to measured RSRP; exit code 1 where held-out samples got worse."""
    from factory.calibrate import calibrate_command

    raise typer.Exit(calibrate_command(scenario, csv, out, json_file))


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenario files."""
    from factory.scenario import json_schema

    sys.stdout.write(json_schema())


def main() -> None:
    """Entry point: errors of the user end in one message and exit code 2."""
    try:
        app()
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
