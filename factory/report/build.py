"""Puts the report together: reads the run folder, fills the page, writes report.html."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from factory import explain
from factory.report import charts, cuts, maps, output, why, words
from factory.report.data import acting_policy, digest, production_totals
from factory.run_folder import Run, write_bytes

PAGE_BYTES_MAX = 2_000_000
PICTURE_BYTES_MAX = 400_000
_ZOOM_US = 3_000_000
_STORIES = 5
_PICTURES = 3


def build_report(run_path: Path) -> Path:
    """Write ``report.html`` into a run folder from what the folder holds.

    Parameters
    ----------
    run_path : the run folder.

    Returns
    -------
    Path of the page.

    Raises
    ------
    RunFolderError
        When ``run_path`` is no run folder.
    """
    run = Run(run_path)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("factory.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html.j2").render(**_context(run))
    target = run.path / "report.html"
    write_bytes(target, page.encode())
    return target


def _context(run: Run) -> dict[str, Any]:
    info = run.info
    scenario = info["scenario"]
    kpi = run.kpi if run.has_kpi else {}
    events = run.events()
    acting = acting_policy(run, kpi)
    services = list(kpi.get("services") or ())
    intervals = {s["name"]: int(s["transfer_interval_us"]) for s in services if s.get("transfer_interval_us")}
    spells = explain.find_spells(events, explain.Places.from_scenario(scenario), intervals)
    condensed = digest(run, events, acting)
    grids = run.grids()
    policies = dict(kpi.get("policies") or {})
    order = [acting, *(p for p in policies if p != acting)] if acting in policies else list(policies)
    order = sorted(order, key=lambda p: list(words.POLICY_WORDS).index(p) if p in words.POLICY_WORDS else 99)
    production = production_totals(kpi.get("production") or {})
    minutes = {k: v for k, v in (production["minutes_lost"] or {}).items() if v}
    by_cause = explain.outages_by_cause(spells, acting, events)
    outage_svg, left_out = maps.outage_map(scenario, condensed, grids.get("outage_s"))
    people_s = grids.get("people_s")
    return {
        "name": str(scenario.get("name", run.path.name)),
        "state": info["state"],
        "kept": words.duration(run.kept_s),
        "answer": _answer(run, scenario, kpi, services, acting, order, policies, spells, by_cause, production),
        "acting": acting,
        "policy_rows": [_policy_row(p, policies[p], acting) for p in order],
        "matrix": _matrix(order, policies),
        "policy_words": words.POLICY_WORDS,
        "policies_svg": charts.policy_strips(condensed, acting, order) if order and condensed.lost_by_policy else "",
        "service_rows": [_service_row(s) for s in services],
        "causes_svg": charts.cause_bars(by_cause) if len(by_cause) else "",
        "cause_rows": _loss_rows(by_cause, "cause", explain.CAUSE_WORDS),
        "blocker_rows": _loss_rows(explain.worst_blockers(spells, acting, 8), "blocker"),
        "place_rows": _loss_rows(explain.by_place(spells, acting).head(8), "place"),
        "role_rows": _loss_rows(explain.by_role(spells, acting).head(8), "role"),
        "hour_rows": _loss_rows(explain.by_hour(spells, acting), "hour") if run.kept_s > 3600 else [],
        "outage_svg": outage_svg,
        "left_out": left_out,
        "margin_svg": maps.margin_map(scenario, condensed) if condensed.devices else "",
        "people_svg": maps.people_map(scenario, people_s) if people_s is not None and people_s.max() > 0 else "",
        "timeline_svg": charts.timeline(condensed) if condensed.devices else "",
        **_worst(run, events, spells, acting, services),
        "blocked": [(why.sentence(c), why.view(c, scenario)) for c in why.choose(run.blocked_paths(), _PICTURES)],
        "production": production if kpi.get("production") else None,
        "minutes": output.minutes_table(kpi.get("production") or {}),
        "oee_rows": output.oee_table(kpi.get("production") or {}),
        "oee_svg": output.oee_bars(kpi.get("production") or {}),
        "cuts": _cuts(run, events, acting, order),
        "orders": words.production_sentence(production),
        "minutes_svg": charts.minutes_bars(minutes) if minutes else "",
        "picture": _picture(run.scene_png()),
        "scenario_text": info["scenario_text"],
        "provenance": _provenance(info),
    }


def _cuts(run: Run, events: pd.DataFrame, acting: str, order: Sequence[str]) -> list[dict[str, Any]]:
    """Tell the TRPs that were switched off; of the ticks only those shortly before a failure are read."""
    downs = events[events["kind"] == "trp_down"]["time_us"].tolist() if len(events) else []
    if not downs:
        return []
    columns = ["time_us", "device", "trp"]
    ticks = pd.concat([run.ticks(columns, start_us=max(t - 1_000_000, 0), end_us=t + 1) for t in downs])
    return cuts.cuts(events, run.stops(), ticks, acting, order or [acting], round(run.kept_s * 1e6))


def _answer(
    run: Run,
    scenario: Mapping[str, Any],
    kpi: Mapping[str, Any],
    services: Sequence[Mapping[str, Any]],
    acting: str,
    order: Sequence[str],
    policies: Mapping[str, Any],
    spells: pd.DataFrame,
    by_cause: pd.DataFrame,
    production: Mapping[str, Any],
) -> list[str]:
    """Write the first paragraphs: what happened, why, what another policy would have changed, what the plant got out of it."""
    if not kpi:
        lost = int(by_cause["messages"].sum()) if len(by_cause) else 0
        return [
            f"This run was broken off after {words.duration(run.kept_s)}, before its figures were computed. Up to there "
            f"{words.count(lost, 'message')} {'was' if lost in (0, 1) else 'were'} lost under {acting}. "
            "The tables of causes, the maps and the timeline below show what was recorded."
        ]
    if not services:
        nothing = (
            "This run had no radio service, so no message could be lost; it shows what the plant makes with a perfect radio."
        )
        return [t for t in (nothing, words.production_sentence(production)) if t]
    sent, lost_total = words.total(services, "messages"), words.total(services, "lost")
    mine = spells[spells["policy"] == acting]
    first = f"In {words.duration(run.kept_s)} of work under the policy {acting}, {words.count(sent, 'message')} were due"
    if lost_total == 0:
        first += ", and no packet was lost: every message arrived, and in time. No service was down."
    else:
        downs, down_s = words.total(services, "outages"), words.total(services, "down_s")
        first += (
            f"; {words.number(lost_total)} of them ({words.ratio(lost_total / sent) if sent else 'all'}) were lost or late, "
            f"in {words.count(len(mine), 'spell')}. "
        )
        spent = f", {words.duration(down_s)} in all" if down_s > 0 else ""
        first += (
            f"Services were down {words.times(downs)}{spent}."
            if downs
            else "No service was down: none of the spells outlasted a survival time."
        )
    paragraphs = [first]
    if lost_total and len(by_cause):
        paragraphs.append(_why(spells, acting, by_cause))
    lost_by = {p: words.total(policies[p]["services"], "lost") for p in order}
    down_by = {p: words.total(policies[p]["services"], "down_s") for p in order}
    paragraphs.append(
        " ".join(t for t in (words.compare_sentence(acting, lost_by, down_by), words.target_sentence(services)) if t)
    )
    made = words.production_sentence(production)
    if made:
        paragraphs.append(made)
    return paragraphs


def _why(spells: pd.DataFrame, acting: str, by_cause: pd.DataFrame) -> str:
    """Name the main cause, the worst blocker and the worst place."""
    top = by_cause.iloc[0]
    cause = explain.CAUSE_WORDS.get(str(top["cause"]), str(top["cause"]) or "unknown")
    text = f"The main cause was {cause}: {words.percent(top['share_percent'])} of the losses."
    blockers = explain.worst_blockers(spells, acting, 1)
    if len(blockers):
        worst = blockers.iloc[0]
        text += f" The blocker that cost most was {worst['blocker']}, with {words.count(worst['messages'], 'message')}."
    places = explain.by_place(spells, acting)
    if len(places):
        place = places.iloc[0]
        text += f" The place with most losses was {place['place']}, with {words.percent(place['share_percent'])} of them."
    return text


def _policy_row(policy: str, figures: Mapping[str, Any], acting: str) -> dict[str, Any]:
    services = figures.get("services") or ()
    resources = figures.get("resources") or {}
    sent, lost, down_s = (words.total(services, key) for key in ("messages", "lost", "down_s"))

    kinds = [words.verdict(s)[0] for s in services]
    asked = len(kinds) - kinds.count("none")
    switches = resources.get("beam_switches")
    return {
        "policy": policy,
        "acting": policy == acting,
        "cells": [
            words.Cell(words.number(lost), (f"{words.ratio(lost / sent)} of all",) if lost else ())
            if sent
            else words.Cell("nothing sent"),
            words.weakest_cell(services),
            words.shortest_cell(services),
            words.Cell(words.number(words.total(services, "outages")), (f"down {words.duration(down_s)}",) if down_s else ()),
            words.Cell(f"{kinds.count('met')} of {asked}" if asked else "none set"),
            _share(resources.get("downlink_share")),
            _share(resources.get("uplink_share")),
            words.Cell(words.number(switches) if switches is not None else "not counted"),
        ],
    }


def _share(used: float | Sequence[float] | None) -> words.Cell:
    """Share of a resource in use; of several TRPs their mean, and the busiest below."""
    if used is None or (isinstance(used, Sequence) and not used):
        return words.Cell("not counted")
    if isinstance(used, Sequence):
        return words.Cell(words.ratio(sum(used) / len(used)), (f"busiest TRP {words.ratio(max(used))}",))
    return words.Cell(words.ratio(used))


def _matrix(order: Sequence[str], policies: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Availability and MTBF of every service under every policy."""
    names = list(dict.fromkeys(s["name"] for p in order for s in policies[p].get("services") or ()))
    rows = []
    for name in names:
        by_policy = [next((s for s in policies[p]["services"] if s["name"] == name), None) for p in order]
        asked: Mapping[str, Any] = next((s for s in by_policy if s is not None), {})
        rows.append(
            {
                "name": name,
                "target": words.target_cell(asked),
                "cells": [(words.availability_cell(s), words.mtbf_cell(s), words.verdict(s)) if s else None for s in by_policy],
            }
        )
    return rows


def _service_row(service: Mapping[str, Any]) -> dict[str, Any]:
    latency = service.get("latency_ms") or {}
    sent, lost, down_s = (words.total([service], key) for key in ("messages", "lost", "down_s"))
    return {
        "name": service["name"],
        "profile": service.get("profile", ""),
        "verdict": words.verdict(service),
        "target": words.target_cell(service),
        "availability": words.availability_cell(service),
        "mtbf": words.mtbf_cell(service),
        "ratio": words.ratio_cell(service),
        "lost": words.Cell(words.number(lost), (f"of {words.number(sent)}",)),
        "outages": words.Cell(
            words.number(words.total([service], "outages")), (f"down {words.duration(down_s)}",) if down_s else ()
        ),
        "latency": [words.latency_cell(latency.get(q)) for q in ("p50", "p95", "p99", "p999")],
    }


def _loss_rows(table: pd.DataFrame, column: str, names: Mapping[str, str] | None = None) -> list[dict[str, str]]:
    return [
        {
            "name": (names or {}).get(str(row[column]), str(row[column]) or "unknown"),
            "messages": words.number(row["messages"]),
            "share": words.percent(row["share_percent"]),
            "spells": words.number(row["spells"]),
            "seconds": words.duration(row["seconds"]),
            "downs": words.number(row["service_downs"]),
        }
        for _, row in table.iterrows()
    ]


def _worst(
    run: Run, events: pd.DataFrame, spells: pd.DataFrame, acting: str, services: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Zoom on the worst spell, and the stories of the worst few."""
    noun = {s["name"]: words.NOUNS.get(str(s.get("profile")), "message") for s in services}
    mine = spells[spells["policy"] == acting].sort_values(
        ["service_down", "duration_s", "messages", "start_us"], ascending=[False, False, False, True], kind="stable"
    )
    stories, zoom = [], ""
    for _, spell in mine.head(_STORIES).iterrows():
        start, end = int(spell["start_us"]) - _ZOOM_US, int(spell["end_us"]) + _ZOOM_US
        ticks = run.ticks(start_us=max(start, 0), end_us=end)
        stories.append(explain.story(spell, ticks, events, noun.get(str(spell["service"]), "message")))
        if not zoom and len(ticks):
            own = ticks[ticks["device"] == spell["device"]]
            losses = events[
                (events["kind"] == "packet_lost")
                & (events["policy"] == acting)
                & (events["device"] == spell["device"])
                & (events["service"] == spell["service"])
                & events["time_us"].between(start, end)
            ]
            zoom = charts.zoom(own, losses, {str(k): v for k, v in spell.items()})
    return {"stories": stories, "zoom_svg": zoom, "spells": len(mine)}


def _picture(png: bytes | None) -> str:
    """Return the picture of the scene as a data address, made smaller where it is too large for the page."""
    if png is None:
        return ""
    if len(png) <= PICTURE_BYTES_MAX:
        return "data:image/png;base64," + base64.b64encode(png).decode()
    from PIL import Image  # a dependency of matplotlib; needed for large pictures only

    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.thumbnail((1600, 1200))
    for quality in (90, 80, 65, 50, 35, 20):
        buffer = io.BytesIO()
        picture.save(buffer, format="JPEG", quality=quality, optimize=True)
        if buffer.tell() <= PICTURE_BYTES_MAX:
            break
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _provenance(info: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [
        ("state of the run", str(info["state"])),
        ("seed", str(info["seed"])),
        ("scenario SHA-256", str(info["scenario_sha256"])),
        *((f"version of {k}", str(v)) for k, v in sorted(info["versions"].items())),
    ]
    if info.get("simulated_s") is not None:
        rows.append(("simulated time", words.duration(info["simulated_s"])))
    if info.get("wall_s"):
        rows.append(("time on the wall clock", words.duration(info["wall_s"])))
    if info.get("real_time_factor"):
        rows.append(("real-time factor", words.number(info["real_time_factor"], 3)))
    rows.append(("started (UTC)", str(info.get("started_utc", "unknown"))))
    return rows
