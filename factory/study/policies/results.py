"""Everything that the points say, read from the folders that are there: rows, verdicts, curve, capacity, sensitivities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from factory.study.paired import Estimate, pooled_ratio
from factory.study.policies import aims
from factory.study.policies.aims import Compared, Verdict
from factory.study.policies.capacity import AVAILABILITY, TARGETS, Carried, capacities, part_of
from factory.study.policies.figures import CONTROL, GROUPS, Figure, Floats, Json, Pool, mean_figure
from factory.study.policies.parts import (
    BEST,
    LOOP,
    OWN,
    ActingRow,
    CurvePoint,
    Tuned,
    acting_rows,
    curve_points,
    fixed_margin,
    margins_of,
    tuned_of,
)
from factory.study.policies.sensitivity import ABSENT, POSES, TAGS, Sensitivity, Turned, refusal, sensitivities, turned
from factory.study.policies.session import pairs_of, pool_of
from factory.study.policies.settings import Asked, Hall
from factory.study.study_folder import StudyFolder
from factory.study.versions import point_versions

AT_BEST = " at its best margin"
"""Behind the name of a policy in the rows: not at the hall's own margin, but at the one chosen on training seeds."""


WITH_LOOP = " with an outer loop"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: hall, policy, service (or one of `GROUPS`), and figures by name."""

    hall: str
    policy: str
    margin_db: float
    service: str
    profile: str
    devices: int
    seeds: int
    figures: dict[str, Figure]

    def as_json(self) -> Json:
        """Return the row as plain JSON data."""
        return {k: v for k, v in asdict(self).items() if k != "figures"} | {k: f.as_json() for k, f in self.figures.items()}


@dataclass(slots=True)
class HallResults:
    """What is known of a hall; None and empty where a part has not been run."""

    hall: Hall
    tuned: Tuned | None = None
    rows: list[Row] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    curve: list[CurvePoint] = field(default_factory=list)
    capacity: dict[tuple[str, str], tuple[list[Carried], Carried | None]] = field(default_factory=dict)
    sensitivity: list[Sensitivity] = field(default_factory=list)
    acting: list[ActingRow] = field(default_factory=list)
    refused: list[tuple[Turned, str]] = field(default_factory=list)


def table_rows(hall: Hall, pool: Pool, margin_db: float, suffix: str = "") -> list[Row]:
    """Return a row of every policy and service of a pool; what is the policy's as a whole is in the rows of `GROUPS`."""
    rows = []
    for policy in pool.policies:
        stops, minutes = pool.stops(policy)
        hours = pool.simulated_s.sum() / 3600.0 * max(pool.points[0]["devices"], 1)
        whole = {
            "control_symbols_per_s": mean_figure(pool.symbols(policy, CONTROL) / pool.simulated_s),
            "video_symbols_per_s": mean_figure(_video(pool, policy) / pool.simulated_s),
            "redundant_symbols_per_s": mean_figure(pool.symbols(policy, CONTROL, "redundant") / pool.simulated_s),
            "beam_switches_per_device_hour": mean_figure(pool.whole(policy, "beam_switches") * len(pool.points) / hours),
            "trp_switches_per_device_hour": mean_figure(pool.whole(policy, "trp_switches") * len(pool.points) / hours),
            "energy_per_s": mean_figure(pool.whole(policy, "energy") / pool.simulated_s),
            "stops_per_hour": mean_figure(stops / pool.simulated_s * 3600.0),
            "minutes_lost_per_hour": mean_figure(minutes / pool.simulated_s * 3600.0),
        }
        if policy == pool.points[0]["acting"]:
            whole["ledger_stops_per_hour"] = mean_figure(pool.of_run("stops") / pool.simulated_s * 3600.0)
            whole["ledger_minutes_per_hour"] = mean_figure(pool.of_run("radio_min") / pool.simulated_s * 3600.0)
        if policy != "reactive" and "reactive" in pool.policies:
            whole["control_symbols_against_reactive"] = _figure(
                aims.spent_ratio(pool.symbols("reactive", CONTROL), pool.symbols(policy, CONTROL))
            )
        for service in [*GROUPS, *(s["name"] for s in pool.services)]:
            about = next((s for s in pool.services if s["name"] == service), None)
            outages = pool.sums(policy, service, "outages")
            figures = {
                "unavailability": pool.unavailability(policy, service),
                "mtbf_s": pool.mtbf_s(policy, service),
                "expected_outages": mean_figure(pool.sums(policy, service, "entries")),
                "counted_outages": Figure(float(outages.sum()), None, None, "a count over all seeds"),
                "latency_p999_ms": pool.latency_ms(policy, service),
                "symbols_per_s": mean_figure(pool.symbols(policy, service) / pool.simulated_s),
                "service_redundant_symbols_per_s": mean_figure(pool.symbols(policy, service, "redundant") / pool.simulated_s),
            }
            devices = 0 if about is None else len(pool.devices(policy, service)[0][0])
            profile = "" if about is None else about["profile"]
            rows.append(
                Row(
                    hall.name,
                    policy + suffix,
                    margin_db,
                    service,
                    profile,
                    devices,
                    len(pool.points),
                    figures | (whole if service in GROUPS else {}),
                )
            )
    return rows


def _video(pool: Pool, policy: str) -> Floats:
    out = np.zeros(len(pool.points))
    for s in pool.services:
        if s["video"]:
            out = out + pool.symbols(policy, s["name"])
    return out


def _figure(found: Estimate) -> Figure:
    low, high = (x if np.isfinite(x) else None for x in (found.low, found.high))
    return Figure(found.value if np.isfinite(found.value) else None, low, high, found.reason)


def compared(pool: Pool, policy: str, service: str) -> Compared:
    """Take out of a pool what aims are judged by, of control services or all."""
    return Compared(pool.risk(policy, service), pool.symbols(policy, service), pool.symbols(policy, service, "redundant"))


def table_results(results: HallResults, folder: StudyFolder) -> None:
    """Read the table of a hall and judge the aims that it can."""
    hall, tuned = results.hall, results.tuned
    own = pool_of(folder, OWN)
    if own is None:
        return
    results.rows = table_rows(hall, own, hall.margin_db)
    best: tuple[Pool, Pool] | None = None
    if BEST in folder.variants and tuned is not None:
        pools = pairs_of(folder, OWN, BEST)
        if pools is not None:
            best = (pools[0], pools[1])
            results.rows += table_rows(hall, pools[1], tuned.best_db, AT_BEST)
    looped = pairs_of(folder, OWN, LOOP) if LOOP in folder.variants else None
    if looped is not None:
        results.rows += table_rows(hall, looped[1], hall.margin_db, WITH_LOOP)
    if "human_aware" not in own.policies:
        return
    for group in GROUPS:
        first, opponent = best if best is not None else (own, own)
        if opponent.risk("reactive", group).mean() > first.risk("reactive", group).mean():
            first, opponent = own, own  # what was best on the training seeds is not here: reactive has the better one

        def of(pool: Pool, policy: str, group: str = group) -> Compared:
            return compared(pool, policy, group)

        found = [aims.against_reactive(of(first, "human_aware"), of(opponent, "reactive"))]
        if looped is not None:
            verdict = aims.against_reactive(of(looped[0], "human_aware"), of(looped[1], "reactive"))
            found.append(replace(verdict, aim=verdict.aim.replace("than reactive", f"than reactive{WITH_LOOP}")))
        found.append(aims.never_worse(of(own, "human_aware"), of(own, "reactive")))
        if "duplicate" in own.policies and group == CONTROL:  # video has no second legs
            found.append(aims.against_duplicate(of(own, "human_aware"), of(own, "duplicate")))
        if "adaptive" in own.policies:
            found.append(aims.by_forecasts(of(own, "human_aware"), of(own, "adaptive")))
        if "oracle" in own.policies:
            found.append(aims.against_oracle(of(own, "human_aware"), of(own, "oracle")))
        results.verdicts += [in_group(v, group) for v in found]


def in_group(verdict: Verdict, group: str) -> Verdict:
    """Say of an aim which services it is judged for."""
    return replace(verdict, aim=f"{group}: {verdict.aim}")


def capacity_results(results: HallResults, asked: Asked, index: int, folder: StudyFolder) -> None:
    """Read the capacity of a hall for a service and judge it."""
    service = results.hall.base.scenario.radio.services[index].name
    for criterion in (TARGETS, AVAILABILITY):
        table, best = capacities(asked, results.hall, index, folder, criterion)
        results.capacity[service, criterion] = (table, best)
        aware = next((c for c in table if c.policy == "human_aware"), None)
        if aware is None or best is None:
            continue
        verdict = aims.capacity_aim((aware.value, aware.low, aware.high), (best.value, best.low, best.high), aware.most)
        results.verdicts.append(
            Verdict(f"{service}: {verdict.aim} ({criterion})", verdict.verdict, verdict.figure, verdict.reason)
        )


def sensitivity_results(results: HallResults, folder: StudyFolder) -> None:
    """Read the sensitivities of a hall and judge tags and the absence of people."""
    every = turned(results.hall)
    known = {one.key: one for one in every if one.key in folder.variants}
    missing = [(one, refusal(results.hall, one)) for one in every if one.key not in folder.variants]
    results.sensitivity = sensitivities(folder, known)
    results.refused = [(one, why) for one, why in missing if why is not None]
    keys = {one.name: key for key, one in known.items()}
    if TAGS in keys and POSES in keys:
        pools = pairs_of(folder, keys[POSES], keys[TAGS])
        if pools is not None and "human_aware" in pools[0].policies:
            for group in GROUPS:
                by_poses, by_tags = (p.risk("human_aware", group) for p in pools)
                verdict = aims.tags_aim(pools[0].risk("reactive", group), by_poses, by_tags)
                results.verdicts.append(in_group(verdict, group))
    if ABSENT in keys:
        pool = pool_of(folder, keys[ABSENT])
        if pool is not None:
            for group in GROUPS:
                results.verdicts.append(in_group(aims.agree({p: pool.risk(p, group) for p in pool.policies}), group))


def read_hall(asked: Asked, hall: Hall) -> HallResults:
    """Read whatever the study's folder has of a hall, of parts that another call ran too; points of other code are left out."""
    results = HallResults(hall)
    versions = point_versions()

    def there(part: str) -> StudyFolder | None:
        path = asked.out / part / hall.name
        if not (path / "study.json").is_file():
            return None
        folder = StudyFolder.open(path)
        return folder if all(folder.content.versions.get(k) == v for k, v in versions.items()) else None

    if (folder := there("margins")) is not None:
        results.tuned = tuned_of(folder, margins_of(asked, hall)) if fixed_margin(asked) else None
    if (folder := there("table")) is not None:
        table_results(results, folder)
    if (folder := there("curve")) is not None:
        results.curve = curve_points(asked, hall, folder)
    for index in hall.scaled:
        if (folder := there(part_of(hall, index))) is not None:
            capacity_results(results, asked, index, folder)
    if (folder := there("sensitivity")) is not None:
        sensitivity_results(results, folder)
    if (folder := there("acting")) is not None:
        results.acting = acting_rows(asked, folder)
    return results


def as_json(asked: Asked, found: Sequence[HallResults], command: str) -> Json:
    """Return everything as plain JSON data: no NaN, no infinity."""
    return {
        "command": command,
        "policies": list(asked.policies),
        "seeds": {"table": list(asked.table.seeds), "margins": list(asked.training.seeds)},
        "seconds": asked.table.seconds,
        "rows": [row.as_json() for hall in found for row in hall.rows],
        "aims": [{"hall": hall.hall.name} | asdict(v) for hall in found for v in hall.verdicts],
        "margins": [_tuned_json(hall.hall, hall.tuned) for hall in found if hall.tuned is not None],
        "curve": [_curve_json(hall.hall.name, p) for hall in found for p in hall.curve],
        "capacity": [
            {"hall": hall.hall.name} | asdict(c) | {"best_margin": c is best and c not in table}
            for hall in found
            for table, best in hall.capacity.values()
            for c in [*table, *([best] if best is not None and best not in table else [])]
        ],
        "sensitivity": [_sensitivity_json(hall.hall.name, s) for hall in found for s in hall.sensitivity],
        "acting": [_acting_json(hall.hall.name, a) for hall in found for a in hall.acting],
    }


def _tuned_json(hall: Hall, tuned: Tuned) -> Json:
    return {"hall": hall.name, "own_db": hall.margin_db, "best_db": tuned.best_db} | {
        "tried": [
            {"margin_db": m, "control_unavailability": r, "unavailability": e, "control_symbols_per_s": s}
            for m, r, e, s in zip(tuned.margin_db, tuned.risk, tuned.every, tuned.symbols, strict=True)
        ]
    }


def _curve_json(hall: str, point: CurvePoint) -> Json:
    knob = None if np.isnan(point.knob) else point.knob
    what = {"hall": hall, "services": point.service, "policy": point.policy, "knob": knob, "seeds": len(point.risk)}
    spent = mean_figure(point.symbols_per_s).as_json()
    return what | {"unavailability": mean_figure(point.risk).as_json(), "symbols_per_s": spent}


def _sensitivity_json(hall: str, row: Sensitivity) -> Json:
    gain = aims.decades(row.reactive, row.aware)
    ratio = _figure(pooled_ratio(row.reactive, row.aware)).as_json()
    return {
        "hall": hall,
        "services": row.service,
        "group": row.group,
        "name": row.name,
        "seeds": len(row.reactive),
        "reactive": mean_figure(row.reactive).as_json(),
        "human_aware": mean_figure(row.aware).as_json(),
        "ratio": ratio,
        "decades": None if np.isnan(gain) else gain,
    }


def _acting_json(hall: str, row: ActingRow) -> Json:
    names = ("risk", "stops", "minutes")
    figures = {f"{n}_{how}": mean_figure(getattr(row, f"{n}_{how}")).as_json() for n in names for how in ("riding", "acting")}
    return {"hall": hall, "policy": row.policy, "seeds": len(row.risk_riding)} | figures
