"""What the study of policies writes: ``policies.json``, ``policies-study.md`` (its generated part) and plots."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from factory.errors import UserError
from factory.run_folder import write_bytes
from factory.study.paired import pooled_ratio
from factory.study.policies.aims import MET, NOT_ASKED, NOT_MET, OPEN, decades, in_words, spent_ratio
from factory.study.policies.capacity import SHARE
from factory.study.policies.figures import CONTROL, GROUPS, Figure, mean_figure
from factory.study.policies.parts import equals
from factory.study.policies.plots import draw_capacity, draw_curve, draw_unavailability
from factory.study.policies.results import AT_BEST, WITH_LOOP, HallResults, as_json
from factory.study.policies.settings import Asked, has_risk_knob

BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"
PAGE, DATA = "policies-study.md", "policies.json"
PLOTS = {
    "policies-unavailability.svg": draw_unavailability,
    "policies-curve.svg": draw_curve,
    "policies-capacity.svg": draw_capacity,
}
_HEAD = "# The study of policies\n\n"


def write(asked: Asked, found: Sequence[HallResults], command: str, folder: Path) -> list[Path]:
    """Write all that is known.

    Raises
    ------
    UserError
        Where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        data = as_json(asked, found, command)
        files = [folder / DATA]
        write_bytes(folder / DATA, (json.dumps(rounded(data), indent=1, allow_nan=False) + "\n").encode())
        drawn = []
        for name, draw in PLOTS.items():
            picture = draw(found)
            if picture is not None:
                write_bytes(folder / name, picture)
                files.append(folder / name)
                drawn.append(name)
        page = folder / PAGE
        before = page.read_text(encoding="utf-8") if page.is_file() else f"{_HEAD}{BEGIN}\n{END}\n"
        write_bytes(page, with_generated(before, markdown(asked, found, command, drawn)).encode())
    except OSError as error:
        raise UserError(f"{error.filename or folder}: {error.strerror or error}; choose another folder with --docs") from None
    return [*files, page]


def rounded(data: Any) -> Any:
    """Round numbers to six digits, which is more than any interval here holds."""
    if isinstance(data, dict):
        return {k: rounded(v) for k, v in data.items()}
    if isinstance(data, list):
        return [rounded(v) for v in data]
    return float(f"{data:.6g}") if isinstance(data, float) else data


def with_generated(page: str, text: str) -> str:
    """Put the generated part between its marks, at the end where a page has none; what is written by hand stays."""
    if BEGIN not in page or END not in page:
        return f"{page.rstrip()}\n\n{BEGIN}\n{text}\n{END}\n"
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}"


def markdown(asked: Asked, found: Sequence[HallResults], command: str, plots: Sequence[str] = ()) -> str:
    """Return the generated part of the page."""
    n = len(asked.table.seeds)
    parts = [
        f"Made by `{command}`: {len(found)} halls, {n} seeds of {asked.table.seconds:g} s each, 95 % intervals over seeds.",
        _aims(found),
        _margins(found),
        _table(found),
        _resources(found),
        _services(found),
        _curve(asked, found),
        _equal(found),
        _capacity(found),
        _sensitivity(found),
        _acting(found),
        *(f"![{name}]({name})" for name in plots),
    ]
    return "\n\n".join(p for p in parts if p)


def told(figure: Figure | None, digits: int = 2) -> str:
    """Write a figure with its interval, ``-`` where it is not told."""
    if figure is None or figure.value is None:
        if figure is not None and figure.low is not None:
            return f"> {figure.low:.{digits}g}"
        return "-"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.{digits}g}"
    return f"{figure.value:.{digits}g} ({figure.low:.{digits}g} to {figure.high:.{digits}g})"


def _grid(title: str, text: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"## {title}\n", text + "\n", "| " + " | ".join(heads) + " |", "|" + "---|" * len(heads), *lines])


def _aims(found: Sequence[HallResults]) -> str:
    rows = [
        (h.hall.name, v.aim, v.verdict if v.verdict != NOT_MET else f"**{v.verdict}**", v.figure, v.reason or "-")
        for h in found
        for v in h.verdicts
    ]
    counts = [(word, sum(v.verdict == word for h in found for v in h.verdicts)) for word in (MET, NOT_MET, OPEN, NOT_ASKED)]
    text = (
        "A verdict needs the whole interval of the paired ratio on one side of the aim. "
        + ", ".join(f"{word}: {number}" for word, number in counts)
        + "."
    )
    return _grid("Aims", text, ("hall", "aim", "verdict", "figure", "reason"), rows)


def _margins(found: Sequence[HallResults]) -> str:
    rows = [
        (
            h.hall.name,
            f"{h.hall.margin_db:g}",
            f"**{h.tuned.best_db:g}**",
            ", ".join(f"{m:g} dB {r:.1e}" for m, r in zip(h.tuned.margin_db, h.tuned.risk, strict=True)),
            ", ".join(f"{m:g} dB {r:.1e}" for m, r in zip(h.tuned.margin_db, h.tuned.every, strict=True)),
        )
        for h in found
        if h.tuned is not None
    ]
    text = (
        "Chosen on training seeds that judge nothing: the margin at which the control service that is worst against its target "
        "is best; of those within a factor of 1.1 the largest that spends at most 5 % more than the cheapest of them."
    )
    return _grid(
        "Reactive's best fixed margin",
        text,
        ("hall", "own, dB", "best, dB", "unavailability of control", "of all services"),
        rows,
    )


def _table(found: Sequence[HallResults]) -> str:
    rows = []
    for h in found:
        for row in h.rows:
            if row.service in GROUPS:
                f = row.figures
                rows.append(
                    (
                        h.hall.name, row.service, row.policy, f"{row.margin_db:g}", told(f["unavailability"]), told(f["mtbf_s"]),
                        told(f["counted_outages"]), told(f["latency_p999_ms"], 3), told(f["stops_per_hour"]),
                        told(f["minutes_lost_per_hour"]), told(f.get("ledger_minutes_per_hour")),
                    )
                )  # fmt: skip
    text = (
        "All control services of a hall together, and with video. Unavailability and MTBF are what the messages' loss "
        "probabilities add up to through the survival-time rule; outages are counted in all seeds. Reactive at the hall's own "
        "margin moves the machines. "
        "Stops and minutes of every policy are those that its expected outages cause by the ledger's rule: each a stop, as long "
        "as the outage and the restart; behind, queues and slowed machines are in the ledger's minutes alone, of who acts."
    )
    heads = (
        "hall", "services", "policy", "margin, dB", "unavailability", "MTBF, s", "outages",
        "latency p99.9, ms", "stops/h", "min lost/h", "ledger, min/h",
    )  # fmt: skip
    return _grid("Table", text, heads, rows)


def _resources(found: Sequence[HallResults]) -> str:
    names = (
        "control_symbols_per_s", "control_symbols_against_reactive", "redundant_symbols_per_s", "video_symbols_per_s",
        "beam_switches_per_device_hour", "trp_switches_per_device_hour", "energy_per_s",
    )  # fmt: skip
    rows = [
        (h.hall.name, row.policy, *(told(row.figures.get(name), 3) for name in names))
        for h in found
        for row in h.rows
        if row.service == CONTROL
    ]
    text = (
        "Redundant symbols are those beyond what one transmission on one leg at the chosen MCS takes. A larger margin spends "
        "more by a lower MCS, which is in the symbols of control and not in the redundant ones. Energy is relative (TR 38.864)."
    )
    heads = (
        "hall", "policy", "control, symbols/s", "against reactive", "redundant, symbols/s", "video, symbols/s",
        "beam switches/device h",
        "TRP switches/device h", "energy/s",
    )  # fmt: skip
    return _grid("Resources", text, heads, rows)


def _services(found: Sequence[HallResults]) -> str:
    rows = [
        (
            h.hall.name, row.service, row.policy, str(row.devices), told(row.figures["unavailability"]),
            told(row.figures["expected_outages"]), told(row.figures["latency_p999_ms"], 3),
        )
        for h in found
        for row in h.rows
        if row.service not in GROUPS and not row.policy.endswith((AT_BEST, WITH_LOOP))
    ]  # fmt: skip
    heads = ("hall", "service", "policy", "devices", "unavailability", "expected outages a seed", "latency p99.9, ms")
    return _grid("By service", f"Everything else of these rows is in `{DATA}`.", heads, rows)


def _curve(asked: Asked, found: Sequence[HallResults]) -> str:
    rows = [
        (
            h.hall.name,
            p.service,
            p.policy,
            "-" if p.knob != p.knob else f"{p.knob:g}",
            told(mean_figure(p.risk)),
            told(mean_figure(p.symbols_per_s), 3),
        )
        for h in found
        for p in h.curve
    ]
    text = "The knob is the margin in dB of reactive and duplicate, and the target of risk of human_aware."
    if rows and not has_risk_knob():
        text += " This version of human_aware has no target of risk: one point of it."
    heads = ("hall", "services", "policy", "knob", "unavailability", "symbols/s")
    return _grid(f"Curve, {len(asked.curve.seeds)} seeds of {asked.curve.seconds:g} s", text, heads, rows)


def _equal(found: Sequence[HallResults]) -> str:
    rows = []
    for h in found:
        for e in equals(h.curve):
            risk = "-" if e.risk is None else f"{e.risk_margin_db:g} dB: {in_words(e.risk)}"
            spent = "no margin is as good" if e.spent is None else f"{e.spent_margin_db:g} dB: {in_words(e.spent)}"
            rows.append((h.hall.name, e.service, "-" if e.knob != e.knob else f"{e.knob:g}", risk, spent))
    text = (
        "Every point of human_aware against reactive's margins on the same seeds: unavailability against the best margin that "
        "spends no more, and symbols against the cheapest margin that is no worse. Reactive may take its margin on these seeds."
    )
    heads = ("hall", "services", "knob", "unavailability at equal symbols", "symbols at equal unavailability")
    return _grid("Equal resources, equal unavailability", text, heads, rows)


def _capacity(found: Sequence[HallResults]) -> str:
    rows = []
    for h in found:
        for (service, criterion), (table, best) in h.capacity.items():
            for c in [*table, *([best] if best is not None and best not in table else [])]:
                name = c.policy if c in table else c.policy + AT_BEST
                more = ", the most that was tried" if c.most else ""
                rows.append(
                    (h.hall.name, service, criterion, name, f"{c.margin_db:g}", f"{c.value:g} ({c.low:g} to {c.high:g}){more}")
                )
    text = (
        "Devices of the hall's first control and first video service, equal ones behind its antennas; carried where "
        f"{100 * SHARE:g} % of them meet the targets by their expected time down and expected outages. Reactive at its best "
        "margin: the best of several for the count itself, on these very seeds, which is in its favour."
    )
    return _grid("Capacity at target", text, ("hall", "service", "targets", "policy", "margin, dB", "devices"), rows)


def _sensitivity(found: Sequence[HallResults]) -> str:
    rows = []
    for h in found:
        for s in h.sensitivity:
            gain = decades(s.reactive, s.aware)
            rows.append(
                (
                    h.hall.name, s.service, s.group or "-", s.name, told(mean_figure(s.reactive)), told(mean_figure(s.aware)),
                    "-" if gain != gain else f"{gain:.2f}", in_words(pooled_ratio(s.reactive, s.aware)),
                    in_words(spent_ratio(s.symbols_reactive, s.symbols_aware)),
                )
            )  # fmt: skip
        rows += [
            (h.hall.name, "-", one.group, one.name, "not run", why.replace("|", "/"), "-", "-", "-") for one, why in h.refused
        ]
    heads = ("hall", "services", "group", "what", "reactive", "human_aware", "decades", "unavailability", "symbols")
    return _grid("Sensitivities", "Unavailability, all else as it is; reactive at the hall's own margin.", heads, rows)


def _acting(found: Sequence[HallResults]) -> str:
    rows = []
    for h in found:
        for a in h.acting:
            figures = (a.risk_riding, a.risk_acting, a.stops_riding, a.stops_acting, a.minutes_riding, a.minutes_acting)
            rows.append((h.hall.name, a.policy, *(told(mean_figure(f)) for f in figures)))
    text = "What was reckoned of a policy that rode along beside reactive, and its own run with the ledger's figures, a seed."
    heads = ("hall", "policy", "unavailability riding", "acting", "stops riding", "acting", "minutes riding", "acting")
    return _grid("Every policy acting", text, heads, rows)
