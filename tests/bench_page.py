"""The benchmark's figures as a page of Markdown: what was measured, in which unit, and which targets are missed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

_SHARES = ("kept", "matters", "reverse", "reverse_power", "reverse_all")  # of a row of tests.bench_sionna.recall

# What the project set out to reach. A target that is missed stays on the page.
SIONNA_TICK, SIONNA_PEOPLE, NUMPY_BODIES, REAL_TIME = 200.0, 1000.0, 50.0, 20.0


def page(result: dict[str, Any]) -> str:
    """Return the page of what ``tests.bench.measure`` measured; parts that were not measured are left out."""
    machine = result["machine"]
    lines = [
        "# Performance",
        "",
        "Written by `python -m tests.bench --docs docs/performance.md`; `make bench` prints the same. Everything was measured "
        f"in one run on one of {machine['cores']} shared cores ({machine['processor']}, Python {machine['python']}, load "
        f"{machine['load']:.1f} as it began), and all times are processor times. Ratios carry to another machine better than "
        "times do, so look at those first; they are rounded down.",
    ]
    aims = list(targets(result))
    if aims:
        lines += ["", "## Targets", "", *_table(("what", "target", "measured", ""), aims)]
    for part, section in (
        ("tick", _tick),
        ("stages", _stages),
        ("kernels", _kernels),
        ("sionna", _sionna),
        ("bodies", _bodies),
        ("growth", _growth),
    ):
        if part in result:
            lines += ["", *section(result)]
    return "\n".join(lines) + "\n"


def targets(result: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Yield what was aimed at: words, target, measured, and met or missed."""

    def row(what: str, target: float, value: float, unit: str = "x") -> tuple[str, str, str, str]:
        return what, f"≥ {target:,.0f}{unit}", f"{_short(value)}{unit}", "met" if value >= target else "**missed**"

    if isinstance(result.get("sionna"), dict):
        for level in result["sionna"]["levels"]:
            at = f"Sionna RT at {100 * level['recall']:g} % recall"
            yield row(f"paths and bodies of a tick, beside {at}", SIONNA_TICK, level["ratios"]["paths and bodies of a tick"])
            yield row(f"only people moved, beside {at}", SIONNA_PEOPLE, level["ratios"]["only people moved"])
    for what, ratio in _ratios(result.get("bodies", {})):
        # The tests' oracle, and the best that NumPy can do: both are told, for either may be meant by "the NumPy oracle".
        if "effort tick" in what:
            yield row(f"36,000 legs, 200 people: {what}", NUMPY_BODIES, ratio)
    for r in result.get("tick", ()):
        yield row(f"simulated per processor time, `{r['scenario']}`, {r['policies']} policies", REAL_TIME, r["rtf"])


def _tick(result: dict[str, Any]) -> list[str]:
    rows = result["tick"]
    dt_ms = 1e3 * rows[0]["rtf"] * rows[0]["mean_s"]
    head = (
        "scenario",
        "AGVs, cobots, people",
        "TRPs, links",
        "policies",
        "mean",
        "median",
        "99 % below",
        "recording",
        "x real time",
        "recorded",
    )
    body = [
        (
            f"`{r['scenario']}`",
            f"{r['agvs']}, {r['cobots']}, {r['people']}",
            f"{r['trps']}, {r['links']}",
            str(r["policies"]),
            *(f"{1e3 * r[key]:.2f}" for key in ("mean_s", "median_s", "p99_s", "recording_s")),
            _short(r["rtf"]),
            _short(r["rtf_recorded"]),
        )
        for r in rows
    ]
    return [
        "## A tick",
        "",
        f"Processor time of a tick [ms], over {result['ticks']} ticks that stand for {dt_ms:.0f} ms each, and how much time is "
        "simulated per processor time, without and with the recording. All of the twin is on: people, fleet, Bullet, paths, "
        "bodies, and one network per policy. The slowest ticks are those in which forecasts are made, ten a second.",
        "",
        *_table(head, body),
    ]


def _stages(result: dict[str, Any]) -> list[str]:
    shares = [(name, f"{100 * share:.1f}") for name, share in result["stages"].items()]
    return [
        "## Where a tick goes",
        "",
        f"Share of the processor time of {result['ticks']} ticks of `{result['scenario']}` [%], by a stopwatch around each "
        "stage's calls. Forecasts hold the paths, bodies and sweeps that they need; “all else” holds the stopwatch.",
        "",
        *_table(("stage", "share"), shares),
    ]


def _kernels(result: dict[str, Any]) -> list[str]:
    part = result["kernels"]
    size = ", ".join(f"{n:,} {what}" for what, n in part["sizes"].items())
    return [
        "## Kernels and their references",
        "",
        "Each compiled kernel has a plain twin that tests compare it with. The ratio is what compilation, caching and leaving "
        f"out what cannot matter bring together. The hall is that of `{result['scenario']}` ({size}), and its devices move. "
        "Plain references were timed on a part of the scene and taken for the whole. Bullet's `rayTestBatch` gets one ray per "
        "leg: it says who stands in the way, though not what that costs.",
        "",
        *_table(("beside our kernel", "times longer"), [(name, _short(ratio)) for name, ratio in part["ratios"].items()]),
        "",
        *_table(("what", "processor time"), [(name, _time(seconds)) for name, seconds in part["cpu_s"].items()]),
    ]


def _sionna(result: dict[str, Any]) -> list[str]:
    part = result["sionna"]
    lines = ["## Beside Sionna RT", ""]
    if isinstance(part, str):
        return [*lines, f"Not measured in this run: {part}."]
    lines += [
        f"The stored production hall (60 x 40 x 8 m, 10 boxes, 4 TRPs, 20 UEs at 28 GHz) with {part['people']} people; "
        f"everybody and every UE moves at each tick. Sionna RT {part['version']} moves people as boxes, which end and reflect "
        "paths; ours are twelve capsules each, which diffract them. Where only people move, it finds all paths anew, and we "
        "keep them. It runs on one thread, with the fewest rays that reach the recall. It is made for graphics processors and "
        "for scenes of any shape, which this comparison does not show.",
        "",
        "Recall is the share of our paths (up to 12 per link, within 40 dB of its strongest) that Sionna RT finds in the hall "
        "without people. The table also has the share of those within 30 dB, and the reverse: how much of what Sionna RT finds "
        "within 30 dB we keep, by number and by power, and how much by number if we kept more than 12 per link.",
        "",
        *_table(
            (
                "rays per TRP",
                "of ours [%]",
                "of ours within 30 dB [%]",
                "of theirs [%]",
                "of their power [%]",
                "of theirs, no limit [%]",
            ),
            [(f"{r['rays']:,.0f}", *(f"{100 * r[key]:.2f}" for key in _SHARES)) for r in part["recall"]],
        ),
    ]
    levels = part["levels"]
    head = ("", *(f"{100 * level['recall']:g} %, {level['rays']:,.0f} rays" for level in levels))
    ratios = [(what, *(_short(level["ratios"][what]) for level in levels)) for what in levels[0]["ratios"]]
    seconds = [(f"Sionna RT, {how}", *(_time(level["seconds"][how]) for level in levels)) for how in levels[0]["seconds"]]
    return [
        *lines,
        "",
        "How many times longer Sionna RT takes than we do, by recall, with the faster of two ways to move its people. “Fine” "
        "is the effort that the silhouettes' accuracy is stated for; the others are with the effort of the twin. “All paths”: "
        "without our limit of 12 per link.",
        "",
        *_table(head, ratios),
        "",
        "Processor time of a tick. “New ground” means that devices enter cells in which the paths' visibility is not known yet.",
        "",
        *_table(head, seconds),
        "",
        *_table(("ours", "processor time"), [(what, _time(spent)) for what, spent in part["ours_s"].items()]),
    ]


def _bodies(result: dict[str, Any]) -> list[str]:
    part = result["bodies"]
    ratios = dict(_ratios(part))
    rest = [_figure(what, value) for what, value in part.items() if what not in ratios]
    lines = [
        "## Silhouettes of 200 people on 36,000 legs",
        "",
        "Beside NumPy and SciPy on one thread. Both references take a body's outline as one, as ours do, and leave out the same "
        "pairs of leg and body. “All at once” is vectorised over pairs, parts and rows, with the algorithm of ours and, as the "
        "errors show, its accuracy: it is what good NumPy reaches, and the one to compare with. “Pair by pair” draws outlines "
        "point by point in a loop over pairs; it is the brute force that errors are told against (of pairs that cost less than "
        "20 dB), exact rather than fast.",
        "",
        *_table(("what", "times longer"), [(what, _short(ratio)) for what, ratio in ratios.items()]),
    ]
    return [*lines, "", *_table(("figure", ""), rest)] if rest else lines


def _figure(what: str, value: float) -> tuple[str, str]:
    """Name and value of a figure whose key ends in its unit."""
    if what.endswith(", s"):
        return what.removesuffix(", s"), _time(value)
    if what.endswith(", dB"):
        return what.removesuffix(", dB"), f"{value:.2f} dB"
    return what, _short(value)


def _growth(result: dict[str, Any]) -> list[str]:
    names = ("people", "links", "boxes")
    rows = [
        (
            *(f"**{r[name]:,}**" if name == r["grows"] else f"{r[name]:,}" for name in names),
            f"{r['paths']:,}",
            *(f"{r[key]:,.0f}" for key in ("paths_us", "new_ground_us", "bodies_us")),
        )
        for r in result["growth"]
    ]
    return [
        "## Growth",
        "",
        "Our processor time of a tick [µs] when one number grows and the others stay, in the production hall with boxes taken "
        "away or added; everything moves, bodies with the effort of the twin.",
        " ".join(_grown([r for r in result["growth"] if r["grows"] == name], name) for name in names),
        "",
        *_table(("people", "links", "boxes", "paths found", "paths, known ground", "paths, new ground", "bodies"), rows),
    ]


def _grown(rows: Sequence[dict[str, Any]], name: str) -> str:
    """Sentence on how the times of the last row compare with those of the first."""
    first, last = rows[0], rows[-1]
    known, new, bodies = (f"{last[key] / first[key]:.1f}" for key in ("paths_us", "new_ground_us", "bodies_us"))
    return (
        f"From {first[name]:,} to {last[name]:,} {name}, paths on known ground take {known} times as long, on new ground {new} "
        f"times, and bodies {bodies} times."
    )


def _ratios(part: dict[str, float]) -> list[tuple[str, float]]:
    """Ratios among the figures of ``tests.bench_bodies``: those named as one thing over another."""
    return [(what, value) for what, value in part.items() if " / " in what]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    ruler = "|".join(["---", *["--:"] * (len(head) - 1)])
    return [f"| {' | '.join(head)} |", f"|{ruler}|", *(f"| {' | '.join(row)} |" for row in rows)]


def _short(ratio: float) -> str:
    """Ratio to three digits, one of them behind the point at most, rounded down: nothing is told faster than it was measured."""
    step = 10.0 ** max(math.floor(math.log10(ratio)) - 2, -1) if ratio > 0 else 0.1
    down = math.floor(ratio / step + 1e-9) * step
    return f"{down:,.1f}" if step < 1 else f"{down:,.0f}"


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * scale >= 1.0:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e6:.2g} µs"
