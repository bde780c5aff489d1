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

ScenarioArgument = Annotated[str, typer.Argument(help="small, default, medium, hand-wave, day-shift, ci, or a file (YAML).")]
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
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    record: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Record all inputs there, for replay.")] = None,
) -> None:
    """Run on the wall clock with the page, an OPC UA server and MQTT telemetry."""
    from factory.live import run_live

    raise typer.Exit(run_live(scenario, list(overrides or []), state, seconds, Console(), open_page, record))


@app.command()
def view(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN [RUN2]", help="Run folder; two are shown side by side.")],
    state: Annotated[Path, typer.Option(help="Folder for the generated password and the audit log.")] = Path("state"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port of the page on this machine.")] = 8080,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    seconds: Annotated[float | None, typer.Option(help="Stop after this many seconds; until Ctrl-C when absent.")] = None,
) -> None:
    """Show a finished run in the page: watch it, scrub through it, and read why messages were lost."""
    from factory.view_command import view_command

    raise typer.Exit(view_command(runs, state, port, open_page, seconds, Console()))


@app.command()
def replay(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What live --record wrote.")],
    speed: Annotated[float, typer.Option(min=0, help="Twin time over wall time; 0: as fast as it goes.")] = 0.0,
    until: Annotated[float | None, typer.Option(min=0, help="Moment in s of twin time; the end when absent.")] = None,
    branch: Annotated[
        list[str] | None,
        typer.Option("--branch", metavar="KEY=VALUE", help="Go on from there with policy=, stop_agv=, trp_off=, ..."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long a branch goes on in s.")] = 60.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
) -> None:
    """Replay a recorded day bit by bit, and branch it; exit code 1 where it differs from what was recorded."""
    from factory.live_record_replay import replay_command

    raise typer.Exit(replay_command(folder, speed, until, branch or (), seconds, json_file, Console()))


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
def explain(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    device: Annotated[str | None, typer.Option(help="Whose outage, e.g. agv-07; anybody's when absent.")] = None,
    at: Annotated[
        str | None, typer.Option(help="When: HH:MM:SS, MM:SS or seconds since the start; the worst outage when absent.")
    ] = None,
    service: Annotated[str | None, typer.Option(help="Of which service.")] = None,
    policy: Annotated[str | None, typer.Option(help="Under which policy; the acting one when absent.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Also draw it.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the facts to this file.")] = None,
) -> None:
    """Tell the story of one outage: who, where, which path, what the network knew, what would have saved it."""
    from factory.explain_command import explain_command

    print(explain_command(run_folder, device, at, service, policy, plot, json_file))


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


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="LIF (JSON), openTCS (XML), Open-RMF or ROS map (YAML), DXF, or a CSV of boxes.")],
    out: Annotated[Path, typer.Option(help="Scenario to write (YAML).")],
    kind: Annotated[str | None, typer.Option(help="lif, opentcs, rmf, ros, dxf or csv; by the file when absent.")] = None,
    layers: Annotated[Path | None, typer.Option(help="DXF: what its layers are (YAML).")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report to this file.")] = None,
    level: Annotated[str | None, typer.Option(help="LIF, RMF: layout or floor to take.")] = None,
    graph: Annotated[int | None, typer.Option(help="RMF: graph_idx of the lanes to take.")] = None,
    scale: Annotated[float | None, typer.Option(help="RMF: metres per pixel, instead of the measurements.")] = None,
    units: Annotated[
        str | None, typer.Option(help="LIF, DXF: m, mm, cm, in or ft, where the file does not say or is wrong.")
    ] = None,
    cell: Annotated[float, typer.Option(min=0.02, max=2.0, help="ROS: side of the squares that boxes are made of in m.")] = 0.1,
    name: Annotated[str | None, typer.Option(help="Name of the scenario.")] = None,
    agvs: Annotated[int | None, typer.Option(min=0, max=200, help="Number of AGVs.")] = None,
    people: Annotated[int | None, typer.Option(min=0, max=500, help="Number of people.")] = None,
    agv_size: Annotated[str | None, typer.Option(metavar="LENGTHxWIDTH", help="Size of the AGVs in m, e.g. 1.2x0.8.")] = None,
    height: Annotated[float | None, typer.Option(min=2.0, max=100.0, help="Height of the hall in m.")] = None,
    margin: Annotated[float | None, typer.Option(min=0.0, max=100.0, help="Room left around the layout in m.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Make a scenario of a layout that another tool wrote, and tell what was read, repaired, ignored and is missing."""
    from factory.layouts.command import import_command
    from factory.layouts.read import Reading
    from factory.layouts.to_scenario import Options, agv_size_of

    length_m, width_m = agv_size_of(agv_size)
    reading = Reading(kind, level, graph, scale, units, layers, cell)
    options = Options(name, agvs, people, length_m, width_m, height, margin)
    raise typer.Exit(import_command(file, reading, options, out, json_file, force, Console()))


@app.command()
def export(
    scenario: ScenarioArgument,
    out: Annotated[Path, typer.Option(help="File to write.")],
    form: Annotated[str, typer.Option("--as", help="gltf, lif or mitsuba.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Write a scenario's scene for another tool: glTF 2.0, VDMA LIF, or Mitsuba XML for Sionna RT."""
    from factory.layouts.command import export_command

    raise typer.Exit(export_command(scenario, form, out, force, Console()))


@app.command()
def hall(
    out: Annotated[Path, typer.Option(help="Scenario to write (YAML).")],
    seed: Annotated[int, typer.Option(help="Seed of all that is left open.")] = 1,
    name: Annotated[str | None, typer.Option(help="Name of the scenario.")] = None,
    aisles: Annotated[int | None, typer.Option(help="Rack aisles, 1 to 6.")] = None,
    length_m: Annotated[float | None, typer.Option(help="Length of the hall in m.")] = None,
    aisle_length_m: Annotated[float | None, typer.Option(help="Length of an aisle in m, 6 to 80.")] = None,
    aisle_width_m: Annotated[float | None, typer.Option(help="Free width of an aisle in m, 2.8 to 8.")] = None,
    rack_height_m: Annotated[float | None, typer.Option(help="Height of the racks in m.")] = None,
    rack_material: Annotated[str | None, typer.Option(help="metal, chipboard or wood.")] = None,
    height_m: Annotated[float | None, typer.Option(help="Height of the hall in m.")] = None,
    cobots: Annotated[int | None, typer.Option(help="Cobot cells, 0 to 4.")] = None,
    agvs: Annotated[int | None, typer.Option(help="AGVs.")] = None,
    people: Annotated[int | None, typer.Option(help="People.")] = None,
    panels: Annotated[int | None, typer.Option(help="Hand-held panels.")] = None,
    trps: Annotated[int | None, typer.Option(help="Transmission points, 1 to 12.")] = None,
    trp_layout: Annotated[str | None, typer.Option(help="ceiling, aisle-ends, corners or crossing.")] = None,
    carrier: Annotated[str | None, typer.Option(help="28ghz, 28ghz-wide or 3.7ghz.")] = None,
    mix: Annotated[str | None, typer.Option(help="Services: standard, video, control or panels.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Generate a hall from a seed: aisles, cells, routes, people, TRPs and services; what is not given is drawn."""
    from factory.halls.command import asked, hall_command

    ask = asked(
        seed=seed, name=name, aisles=aisles, length_m=length_m, aisle_length_m=aisle_length_m, aisle_width_m=aisle_width_m,
        rack_height_m=rack_height_m, rack_material=rack_material, height_m=height_m, cobots=cobots, agvs=agvs, people=people,
        panels=panels, trps=trps, trp_layout=trp_layout, carrier=carrier, mix=mix,
    )  # fmt: skip
    raise typer.Exit(hall_command(ask, out, force, Console()))


@app.command()
def tails(
    scenario: ScenarioArgument = "default",
    service: Annotated[str | None, typer.Option(help="Service by its name; may be absent where there is one.")] = None,
    replicas: Annotated[int, typer.Option(help="Independent replicas.")] = 8,
    seconds: Annotated[float, typer.Option(help="Simulated length of a replica in s.")] = 60.0,
    levels: Annotated[str | None, typer.Option(help="Falling margins, e.g. 200,100,50; from a pilot run when absent.")] = None,
    factor: Annotated[int, typer.Option(help="Copies that a run goes on in at each level.")] = 4,
    pilot: Annotated[float, typer.Option(help="Simulated length of the pilot run in s.")] = 60.0,
    warm_up: Annotated[float, typer.Option(help="Simulated time before a replica begins in s.")] = 40.0,
    seed: Annotated[int | None, typer.Option(help="Seed; the scenario's own when absent.")] = None,
    overrides: SetOption = None,
    out: Annotated[Path | None, typer.Option(help="kpi.json or folder of a run, to be added to.")] = None,
) -> None:
    """Estimate how rarely a service is down, by splitting the whole twin where it comes near."""
    from factory.splitting_twin import Effort
    from factory.tails_command import tails_command

    extra = [*(overrides or []), *([] if seed is None else [f"seed={seed}"])]
    effort = Effort(replicas, seconds, warm_up, factor, (), pilot)
    raise typer.Exit(tails_command(scenario, extra, service, effort, levels, out, Console()))


@app.command()
def whatif(
    scenario: ScenarioArgument,
    variants: Annotated[
        Path | None, typer.Argument(metavar="[VARIANTS]", help="File of variants (YAML); may be absent with --set.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=V1,V2", help="An axis of a grid, e.g. people.count=16,24,32.")
    ] = None,
    fixes: Annotated[
        list[str] | None, typer.Option("--fix", metavar="KEY=VALUE", help="Override for all variants, the base included.")
    ] = None,
    seeds: Annotated[str, typer.Option(help="Number of seeds, or a list of them: 3,5,8.")] = "8",
    minutes: Annotated[float | None, typer.Option(help="Simulated minutes of a point; the scenario's own when absent.")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes; the cores of this machine when absent.")] = None,
    cluster: Annotated[str | None, typer.Option(metavar="tcp://HOST:PORT", help="Scheduler of a dask cluster instead.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the study; the same command goes on with one that is there.")
    ] = None,
    stop_early: Annotated[
        str | None, typer.Option(metavar="KPI[:MARGIN]", help="Stop when the answer is certain, e.g. production.orders:0.5.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Run more than 1,000 points.")] = False,
) -> None:
    """Run variants of a scenario over common seeds: named ones from a file, or a grid of --set."""
    from factory.study.whatif_command import Asked, whatif_command

    asked = Asked(
        scenario, variants, tuple(overrides or ()), tuple(fixes or ()), seeds, minutes, workers, cluster, out, stop_early, yes
    )
    raise typer.Exit(whatif_command(asked, Console(), Console(stderr=True)))


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="STUDY | RUN RUN...", help="A what-if study, or two or more runs.")],
    kpi: Annotated[str | None, typer.Option(help="Figure that the answer rests on, e.g. production.orders.")] = None,
    policy: Annotated[str | None, typer.Option(help="Whose services; the acting policy when absent.")] = None,
    against: Annotated[
        str | None, typer.Option(metavar="VARIANT", help="Compare with this variant of a study, not with its scenario unchanged.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for compare.html, .csv, .parquet; of a study the study itself when absent.")
    ] = None,
) -> None:
    """Compare the variants of a study, or single runs: which one pays, by how much, how sure, and why."""
    from factory.study.compare_command import compare_command

    raise typer.Exit(compare_command(folders, kpi, policy, out, Console(), against))


@app.command()
def check(
    scenario: ScenarioArgument,
    baseline: Annotated[Path, typer.Option(metavar="FILE.json", help="Baseline to compare with, or to write with --update.")],
    seeds: Annotated[
        str | None, typer.Option(help="Number of seeds, list (3,5,8) or range (101-124); the baseline's own when absent.")
    ] = None,
    overrides: SetOption = None,
    update: Annotated[bool, typer.Option("--update", help="Write the baseline instead of comparing; needs --reason.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why the baseline is written; kept in it.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE.xml", help="Write JUnit XML.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE.md", help="Write a summary in Markdown.")] = None,
    github: Annotated[bool, typer.Option("--github", help="Print annotations for GitHub Actions.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; the cores of this machine when absent.")] = None,
    across_versions: Annotated[
        bool, typer.Option("--across-versions", help="Take a baseline of another version of factory-twin.")
    ] = False,
) -> None:
    """Compare a scenario's reliability with a baseline; exit code 1 where it is worse, 2 for wrong input."""
    from factory.study.check_command import CheckOptions, check_command

    options = CheckOptions(tuple(overrides or ()), seeds, workers, across_versions)
    raise typer.Exit(check_command(scenario, baseline, options, update, reason, junit, markdown, github, Console()))


@app.command()
def optimise(
    search: Annotated[Path, typer.Argument(metavar="SEARCH.yaml", help="What may vary, objectives, constraints, trials.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of the search; the same command goes on with one.")],
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; the cores of this machine when absent.")] = None,
) -> None:
    """Search for places, tilts, powers or the number of TRPs; needs Optuna, the extra 'optimise'."""
    from factory.study.optimise_command import optimise_command

    raise typer.Exit(optimise_command(search, out, workers, Console()))


map_app = typer.Typer(no_args_is_help=True, help="Mappings of real controllers to the twin (docs/mapping.md).")
app.add_typer(map_app, name="map")

StateOption = Annotated[Path, typer.Option(help="Folder for certificates.")]


@map_app.command("browse")
def map_browse(
    url: Annotated[str, typer.Argument(metavar="opc.tcp://HOST:PORT", help="OPC UA server to look through.")],
    out: Annotated[Path, typer.Option(metavar="FILE.yaml", help="Mapping to write; must not exist yet.")],
    scenario: Annotated[str, typer.Option(help="Hall whose machines are looked for.")] = "default",
    user: Annotated[str | None, typer.Option(help="User name; needs --password-file.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="File whose first line is the password.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Without encryption. For trials only.")] = False,
    state: StateOption = Path("state"),
) -> None:
    """Write a first mapping of an OPC UA server; what was recognised by name is marked as a guess."""
    from factory.observed_command import browse_command

    raise typer.Exit(browse_command(url, scenario, out, user, password_file, insecure, state, Console()))


@map_app.command("check")
def map_check(
    mapping: Annotated[Path, typer.Argument(metavar="MAPPING.yaml", help="Mapping file.")],
    scenario: ScenarioArgument = "default",
    overrides: SetOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Connect, and show what would be read.")] = False,
    seconds: Annotated[float, typer.Option(min=0.5, max=3600, help="How long to listen.")] = 5.0,
    state: StateOption = Path("state"),
) -> None:
    """Check a mapping file; with --dry-run exit code 1 where a variable has no good value."""
    from factory.observed_command import check_mapping_command

    raise typer.Exit(check_mapping_command(mapping, scenario, list(overrides or []), dry_run, seconds, state, Console()))


study_app = typer.Typer(no_args_is_help=True, help="Studies that the repository's own figures come from.")
app.add_typer(study_app, name="study")


@study_app.command("policies")
def study_policies(
    halls: Annotated[
        list[str] | None,
        typer.Argument(metavar="[HALL...]", help="Scenarios by name or file; examples/policies/halls when absent."),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Number of seeds of the table, or a list of them: 3,5,8.")] = "20",
    seconds: Annotated[float, typer.Option(help="Simulated seconds of a point of the table.")] = 60.0,
    policies: Annotated[str | None, typer.Option(help="Policies, with commas; all built-in ones when absent.")] = None,
    part: Annotated[
        str | None, typer.Option(help="table, curve, capacity, sensitivity or acting, several with commas; all when absent.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Worker processes.")] = 2,
    out: Annotated[Path, typer.Option(help="Folder of the points; the same command goes on with one.")] = Path(
        "studies/policies"
    ),
    docs: Annotated[
        Path | None, typer.Option(help="Folder for policies.json, the page and the plots; --out when absent.")
    ] = None,
    fixes: Annotated[
        list[str] | None, typer.Option("--fix", metavar="KEY=VALUE", help="Override for all points, e.g. a timer of reactive.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few seconds and seeds of everything, to see that it works.")] = False,
) -> None:
    """Compare all policies over halls and seeds: table, curve, capacity, sensitivities (docs/policies-study.md)."""
    from factory.study.policies.command import checked, policies_command
    from factory.study.policies.settings import asked_of

    asked = checked(asked_of(halls or (), policies, seeds, seconds, workers, out, part, fixes or (), quick))
    command = " ".join(["factory-twin", *sys.argv[1:]])
    raise typer.Exit(policies_command(asked, command, docs, Console(), Console(stderr=True)))


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
