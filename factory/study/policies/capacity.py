"""Capacity at target: how many devices of a service a hall carries under a policy, geometry and people as they are.

Behind every antenna of the service's class stand k equal devices (``copies`` of the service, each with instants of its own); only
the first one's messages stop the machine, so footsteps do not depend on k. All policies are evaluated in one run of each k: k
grows fourfold until no policy carries it, then the bracket is halved geometrically. A hall carries k where at least `SHARE` of
its devices meet both targets, each by its expected time down and expected outages over all seeds. Reactive is run at several
margins and has the best of them for each count, on the very seeds that it is judged by, which is in its favour.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from factory.study.policies.figures import Pool
from factory.study.policies.parts import Tuned, variant
from factory.study.policies.session import Session, of_policies, pool_of
from factory.study.policies.settings import Asked, Hall
from factory.study.study_folder import StudyFolder, StudyVariant

SHARE = 0.95
"""Share of the devices that must meet their targets (assumed; the standard asks it of each service)."""
TARGETS, AVAILABILITY = "availability and MTBF", "availability alone"
_STEP = 4
_CLOSE = 1.3
_ROUNDS = 3
_REPLICATES = 1000


@dataclass(frozen=True, slots=True)
class Carried:
    """Devices that a policy carries: ``value``, 95 % interval by resampling seeds, and whether it was the most that was tried."""

    policy: str
    service: str
    criterion: str
    value: float
    low: float
    high: float
    most: bool
    margin_db: float


def margins_tried(hall: Hall, tuned: Tuned | None) -> tuple[float, ...]:
    """Margins at which reactive is tried besides the hall's own: the best one for availability and its neighbours."""
    if tuned is None:
        return ()
    i = tuned.best
    near = {tuned.margin_db[j] for j in (i - 1, i, i + 1) if 0 <= j < len(tuned.margin_db)}
    return tuple(sorted(near - {hall.margin_db}))


def name_of(margin_db: float | None, copies: int) -> str:
    """Name of a variant: all policies at the hall's own margin, or reactive at another one."""
    return f"x{copies}" if margin_db is None else f"margin-{margin_db:g}-x{copies}"


def part_of(hall: Hall, index: int) -> str:
    """Name of the part that a service's capacity is kept under."""
    return f"capacity-{hall.base.scenario.radio.services[index].name}"


def loaded_variant(asked: Asked, hall: Hall, index: int, margin_db: float | None, copies: int) -> StudyVariant:
    """Return the variant of k devices of a service behind each antenna."""
    more = (f"radio.services[{index}].copies={copies}",)
    if margin_db is None:
        return variant(hall, name_of(None, copies), of_policies(asked.policies, None, *more))
    margin = f"radio.link_adaptation.margin_db={margin_db:g}"
    return variant(hall, name_of(margin_db, copies), of_policies(("reactive",), None, margin, *more))


def search(asked: Asked, session: Session, hall: Hall, index: int, tuned: Tuned | None) -> None:
    """Run what it takes to find the capacity of a hall for a service."""
    folder = session.folder(part_of(hall, index), hall, [loaded_variant(asked, hall, index, None, 1)], asked.capacity)
    service = hall.base.scenario.radio.services[index].name
    for margin_db in (None, *margins_tried(hall, tuned)):
        watched = tuple(p for p in ("reactive", "human_aware") if p in asked.policies) if margin_db is None else ("reactive",)
        everybody = asked.policies if margin_db is None else ("reactive",)
        tried: dict[int, Pool] = {}

        def run(copies: int, margin_db: float | None = margin_db, tried: dict[int, Pool] = tried) -> bool:
            folder.add_variants([loaded_variant(asked, hall, index, margin_db, copies)])
            name = name_of(margin_db, copies)
            at = "" if margin_db is None else f", reactive at {margin_db:g} dB"
            session.run(folder, f"capacity, {hall.name}, {service} x {copies}{at}", [name], quiet=True)
            pool = pool_of(folder, name)
            if pool is not None:
                tried[copies] = pool
            return pool is not None

        copies = 1
        while run(copies) and copies < asked.most_copies:
            if not any(meets(tried[copies], p, service, AVAILABILITY).mean() >= SHARE for p in everybody):
                break
            copies = min(copies * _STEP, asked.most_copies)
        for _ in range(_ROUNDS):
            for copies in between(tried, watched, service):
                run(copies)


def between(tried: dict[int, Pool], policies: tuple[str, ...], service: str) -> list[int]:
    """Return counts between the last that is carried and the first that is not, for every policy and criterion."""
    out = set()
    counts = sorted(tried)
    for policy in policies:
        for criterion in (TARGETS, AVAILABILITY):
            carried = [bool(meets(tried[k], policy, service, criterion).mean() >= SHARE) for k in counts]
            if False not in carried or not carried[0]:
                continue
            first = carried.index(False)
            low, high = counts[first - 1], counts[first]
            middle = round(math.sqrt(low * high))
            if high / low > _CLOSE and low < middle < high:
                out.add(middle)
    return sorted(out)


def meets(pool: Pool, policy: str, service: str, criterion: str, weight: np.ndarray | None = None) -> np.ndarray:
    """Tell of every device whether it meets its targets over the seeds, (N,); for (R, S) weights of seeds (R, N)."""
    (about,) = [s for s in pool.services if s["name"] == service]
    risk, rate = pool.devices(policy, service)
    seeds = np.full(len(risk), 1.0 / len(risk)) if weight is None else weight / weight.sum(axis=1, keepdims=True)
    ok = seeds @ risk <= 1.0 - about["availability_target"]
    if criterion == TARGETS:
        ok &= seeds @ rate <= 1.0 / about["mtbf_target_s"]
    return np.asarray(ok)


def carried(pools: dict[int, Pool], policy: str, service: str, criterion: str, margin_db: float) -> Carried:
    """Find what a policy carries among the counts that were tried, with the interval over seeds.

    Parameters
    ----------
    pools : by k. policy, service, criterion : of which. margin_db : at which margin it was run.
    """
    counts = sorted(pools)
    first = pools[counts[0]]
    n = len(first.points)
    (about,) = [s for s in first.services if s["name"] == service]
    antennas = len(first.devices(policy, service)[0][0]) // about["copies"]
    drawn = np.random.default_rng([12_210, n]).multinomial(n, np.full(n, 1.0 / n), size=_REPLICATES).astype(np.float64)
    rows = []
    for k in counts:
        held = len(pools[k].points)
        weight = np.vstack([np.ones(held), drawn]) if held == n else np.ones((_REPLICATES + 1, held))
        rows.append(meets(pools[k], policy, service, criterion, weight).mean(axis=1) >= SHARE)
    unbroken = np.cumprod(np.array(rows), axis=0)
    found = (unbroken * np.array(counts, dtype=np.float64)[:, None]).max(axis=0) * antennas
    low, high = np.quantile(found[1:], (0.025, 0.975), method="inverted_cdf")
    value = float(found[0])
    most = bool(unbroken[-1, 0])
    return Carried(policy, service, criterion, value, min(float(low), value), max(float(high), value), most, margin_db)


def capacities(asked: Asked, hall: Hall, index: int, folder: StudyFolder, criterion: str) -> tuple[list[Carried], Carried | None]:
    """Return what every policy carries of a service at the hall's own margin, and reactive at the best of its margins."""
    service = hall.base.scenario.radio.services[index].name
    by_margin: dict[float | None, dict[int, Pool]] = {}
    for name in folder.variants:
        head, _, copies = name.rpartition("x")
        margin_db = float(head.removeprefix("margin-").removesuffix("-")) if head else None
        pool = pool_of(folder, name)
        if pool is not None:
            by_margin.setdefault(margin_db, {})[int(copies)] = pool
    own = by_margin.get(None, {})
    if not own:
        return [], None
    known = next(iter(own.values())).policies
    table = [carried(own, p, service, criterion, hall.margin_db) for p in asked.policies if p in known]
    reactive = [c for c in table if c.policy == "reactive"]
    reactive += [carried(pools, "reactive", service, criterion, m) for m, pools in by_margin.items() if m is not None]
    return table, max(reactive, key=lambda c: (c.value, c.low), default=None)
