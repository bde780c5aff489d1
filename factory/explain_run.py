"""One outage of a run, put together from what was recorded: who, where, which path, what the network knew, and what it did.

Old run folders hold less; what they do not hold is None here and left out of the story.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from factory.explain import SPELL_GAP_US, Places, find_spells, outages_by_cause
from factory.explain_saving import Option, options
from factory.record_columns import EVENT_TYPES
from factory.run_folder import Run
from radio.config import ServiceConfig
from radio.messages.traffic import Resolved, resolve

BEFORE_US, AFTER_US = 1_000_000, 1_000_000  # shown before and after an outage
_DID_BEFORE_US, _DID_AFTER_US = 500_000, 300_000  # what a network did about it is told from here to there
FORESEEN_US = 2_000_000  # a second leg prepared up to this long before is counted as foreseen
_LINK_US = 1_000_000  # geometry is kept at the first loss, and again after this long
_STEPS_MOST = 12
DONE = ("second_leg", "beam_failure", "beam_switch", "leg_restored", "service_down", "service_up", "protective_stop", "restart")
OF_TRPS = ("trp_down", "trp_up")  # events of a TRP rather than a device, in runs that record them
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened around an outage: when after its first loss [s], what kind of event, where to or from, in words."""

    after_s: float
    kind: str
    trp: str
    beam: int
    detail: str


@dataclass(frozen=True, slots=True)
class Knew:
    """What the network reckoned with at the first loss.

    Attributes
    ----------
    reckoned_db : SINR that link adaptation reckoned with, its margin taken off already [dB]; None where not recorded.
    margin_db : that margin [dB].
    true_db : SINR that the message met [dB], NaN where it had no leg.
    needed_db : SINR that the message needed as it was sent [dB], None where it was not sent.
    mcs : its MCS, -1 where it was not sent.
    measured_ms : age of the last measurement of the serving beam [ms], None where the policy does not measure.
    report_ms : age of the last usable sweep report [ms], likewise.
    measured_drop : whether what was reckoned with had fallen with the true SINR, None where it cannot be told.
    forecast_db : SINR that the nearest forecast promised of the serving TRP [dB], None where nobody forecasts.
    foreseen_s : how long before the first loss a second leg was prepared [s], None where none was.
    """

    reckoned_db: float | None
    margin_db: float
    true_db: float
    needed_db: float | None
    mcs: int | None
    measured_ms: float | None
    report_ms: float | None
    measured_drop: bool | None
    forecast_db: float | None
    foreseen_s: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What an outage cost: messages, seconds with the service down, protective stops and seconds stood still."""

    messages: int
    down_s: float
    stops: int
    stopped_s: float


@dataclass(frozen=True, slots=True)
class Outage:
    """One outage.

    Attributes
    ----------
    policy, device, service, cause : of whom, under which policy, and why.
    start_us, end_us : first and last lost message [us].
    service_down : whether the survival time was exceeded.
    blocker, role, part : body in the path, "" for none. blocker_m : where it stood [m], None where not known.
    place, position_m : where the device was.
    trp, beam : leg that failed. trp_m : the TRP's place [m].
    link : the leg's paths as `factory.blocked_paths` kept them, None for none.
    in_between : boxes of the hall in the straight line from TRP to device, nearest to the device first.
    interferer : TRP whose cell was heard loudest, "" for none.
    load : share of the TRP's symbols spent at the first loss, None where not recorded.
    loss_probability : that of the first lost message.
    video : whether the messages are frames that queue.
    knew, done, saving, cost : see there.
    also : other devices that lost messages to the same blocker or cause on this TRP meanwhile.
    """

    policy: str
    device: str
    service: str
    cause: str
    start_us: int
    end_us: int
    service_down: bool
    blocker: str
    role: str
    part: str
    blocker_m: tuple[float, ...] | None
    place: str
    position_m: tuple[float, ...]
    trp: str
    beam: int
    trp_m: tuple[float, ...] | None
    link: Json | None
    in_between: tuple[str, ...]
    interferer: str
    load: float | None
    loss_probability: float
    lowest_sinr_db: float
    video: bool
    knew: Knew
    done: tuple[Step, ...]
    saving: tuple[Option, ...]
    cost: Cost
    also: tuple[str, ...]


class Facts:
    """What is read of a run once, whichever outage is told.

    Parameters
    ----------
    run : the run.

    Attributes
    ----------
    scenario : its scenario as JSON values.
    events : its events, with every column of this version; those that an older one did not record are blank.
    acting : policy whose deliveries moved the machines. policies : all that it compared.
    radio_on : whether there was a radio at all.
    services : its services by name, None where this version does not know what an older one may have said of one.
    videos : services whose messages are frames that queue.
    detailed : whether losses carry what `factory.what_if` records.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.scenario: Json = run.info["scenario"]
        kpi = run.kpi if run.has_kpi else {}
        radio = self.scenario.get("radio") or {}
        self.acting = str(kpi.get("acting_policy") or radio.get("policy", "reactive"))
        compared = list(dict.fromkeys([self.acting, *(radio.get("compare") or ())]))
        self.policies = tuple(dict.fromkeys([self.acting, *(kpi.get("policies") or compared)]))
        events = run.events()
        self.detailed = "need_db" in events
        for name, kind in EVENT_TYPES.items():
            if name not in events:
                blank: Any = "" if isinstance(kind, str) else np.nan if np.issubdtype(kind, np.floating) else -1
                events[name] = blank
        self.events: pd.DataFrame = events
        self.places = Places.from_scenario(self.scenario)
        self.services: dict[str, Resolved | None] = {str(s["name"]): _resolved(s) for s in radio.get("services") or ()}
        self.interval_us = {name: r.interval_us for name, r in self.services.items() if r is not None}
        self.spells: pd.DataFrame = find_spells(events, self.places, self.interval_us)
        self.radio_on = bool(radio.get("enabled", True))
        self.beams: Json = radio.get("beam_management") or {}
        self.videos = frozenset(name for name, r in self.services.items() if r is not None and r.video)
        self.trps: dict[str, Json] = {str(t["name"]): t for t in radio.get("trps") or ()}

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of the devices, in recorded order."""
        first = self.run.ticks(["device"], end_us=1)
        names = [str(d) for d in first["device"]] if len(first) else []
        return tuple(names or sorted({str(d) for d in self.events["device"]} - {""}))

    def causes(self, policy: str) -> pd.DataFrame:
        """Table of all losses of the run by cause under a policy; shares add up to 100 %."""
        return outages_by_cause(self.spells, policy, self.events)

    def outage(self, spell: pd.Series) -> Outage:
        """Put together all that the run holds about a spell."""
        e, policy, device = self.events, str(spell["policy"]), str(spell["device"])
        start, end = int(spell["start_us"]), int(spell["end_us"])
        mine = e[(e["device"] == device) & e["time_us"].between(start, end)]
        lost = mine[(mine["kind"] == "packet_lost") & (mine["policy"] == policy) & (mine["service"] == spell["service"])]
        caused = lost[lost["cause"] == spell["cause"]]
        first = caused.iloc[0]
        trp, position = str(first["trp"]), self._position(device, start, first)
        link = self._link(device, trp, start, end) if policy == self.acting else None
        trp_m = tuple(self.trps[trp]["position_m"]) if trp in self.trps else None
        interferers = caused["interferer"][caused["interferer"] != ""]
        blocker = str(spell["blocker"])
        return Outage(
            policy=policy,
            device=device,
            service=str(spell["service"]),
            cause=str(spell["cause"]),
            start_us=start,
            end_us=end,
            service_down=bool(spell["service_down"]),
            blocker=blocker,
            role=str(spell["role"]),
            part=str(spell["part"]),
            blocker_m=self._blocker_place(blocker, start, link),
            place=str(spell["place"]),
            position_m=position,
            trp=trp,
            beam=int(first["beam"]),
            trp_m=trp_m,
            link=link,
            in_between=() if trp_m is None else standing_between(self.scenario, trp_m, position),
            interferer=str(interferers.astype(object).mode().iloc[0]) if len(interferers) else "",
            load=_number(first["load"]),
            loss_probability=float(first["loss_probability"]),
            lowest_sinr_db=float(spell["lowest_sinr_db"]),
            video=str(spell["service"]) in self.videos,
            knew=self._knew(policy, first),
            done=self._done(policy, device, str(spell["service"]), trp, start, end),
            saving=options(lost, str(spell["cause"])),
            cost=self._cost(policy, spell),
            also=self._also(spell),
        )

    def _position(self, device: str, time_us: int, first: pd.Series) -> tuple[float, ...]:
        x, y, z = float(first["x_m"]), float(first["y_m"]), 1.0
        ticks = self.run.ticks(["time_us", "device", "z_m"], start_us=max(time_us - 1_000_000, 0), end_us=time_us + 1_000_000)
        mine = ticks[ticks["device"] == device]
        if len(mine):
            z = float(mine["z_m"].iloc[int(np.argmin(np.abs(mine["time_us"].to_numpy() - time_us)))])
        return x, y, z

    def _link(self, device: str, trp: str, start: int, end: int) -> Json | None:
        kept = self.run.lost_links() or self.run.blocked_paths()
        near = [c for c in kept if c["device"] == device and start - _LINK_US <= c["time_us"] <= end]
        near = [c for c in near if c["trp"] == trp]
        return min(near, key=lambda c: abs(c["time_us"] - start)) if near else None

    def _blocker_place(self, blocker: str, time_us: int, link: Json | None) -> tuple[float, ...] | None:
        if not blocker:
            return None
        if link is not None and link.get("blocker") == blocker and abs(link["time_us"] - time_us) < 200_000:
            if link.get("blocker_m"):
                return tuple(link["blocker_m"])
            axes: list[Any] = [p["axis_m"] for p in link.get("body") or () if p["deepest"]]
            if axes:
                middle: npt.NDArray[np.float64] = np.mean(np.asarray(axes[0], dtype=np.float64), axis=0)
                return tuple(np.round(middle, 2).tolist())
        ticks = self.run.ticks(["time_us", "device", "x_m", "y_m"], start_us=max(time_us - 200_000, 0), end_us=time_us + 200_000)
        own = ticks[ticks["device"] == blocker]  # a machine
        if own.empty:
            return None
        row = own.iloc[int(np.argmin(np.abs(own["time_us"].to_numpy() - time_us)))]
        return float(row["x_m"]), float(row["y_m"])

    def _knew(self, policy: str, first: pd.Series) -> Knew:
        adaptation = (self.scenario.get("radio") or {}).get("link_adaptation") or {}
        tick_us = 1_000_000 // int((self.scenario.get("clock") or {}).get("tick_hz", 100))
        tick = int(first["time_us"]) // tick_us * tick_us
        measured_ms = report_ms = None
        if policy != "static":
            bfd_us = round(1000 * max(float(self.beams.get("bfd_rs_period_ms", 10.0)), 2.0))
            ssb_us = 1000 * int(self.beams.get("ssb_period_ms", 20))
            delay_us = max(round(1000 * float(self.beams.get("report_delay_ms", 4.0))), tick_us)
            measured_ms = (int(first["time_us"]) - (tick - 1) // bfd_us * bfd_us) / 1000.0 if tick else None
            last = (tick - delay_us) // ssb_us * ssb_us
            report_ms = (int(first["time_us"]) - last) / 1000.0 if last >= 0 else None
        reckoned, true_db = _number(first["plan_sinr_db"]), float(first["sinr_db"])
        foreseen = None
        if policy == self.acting:
            e = self.events
            prepared = e[(e["kind"] == "second_leg") & (e["device"] == first["device"]) & (e["detail"] == "prepared")]
            prepared = prepared[prepared["time_us"].between(int(first["time_us"]) - FORESEEN_US, int(first["time_us"]))]
            foreseen = (int(first["time_us"]) - int(prepared["time_us"].iloc[-1])) / 1e6 if len(prepared) else None
        return Knew(
            reckoned_db=reckoned,
            margin_db=float(adaptation.get("margin_db", 6.0)),
            true_db=true_db,
            needed_db=_number(first["sent_need_db"]),
            mcs=int(first["mcs"]) if reckoned is not None else None,
            measured_ms=measured_ms,
            report_ms=report_ms,
            measured_drop=None if reckoned is None or not np.isfinite(true_db) else reckoned <= true_db + 0.5,
            forecast_db=_number(first["forecast_db"]),
            foreseen_s=foreseen,
        )

    def _done(self, policy: str, device: str, service: str, trp: str, start: int, end: int) -> tuple[Step, ...]:
        e = self.events
        of_policy = (e["policy"] == policy) & ((e["service"] == "") | (e["service"] == service))
        of_machine = (e["policy"] == "") & (policy == self.acting)
        mine = e[(e["device"] == device) & e["kind"].isin(DONE) & (of_policy | of_machine)]
        mine = pd.concat((mine, e[e["kind"].isin(OF_TRPS) & (e["trp"] == trp)]))
        time, kind = mine["time_us"], mine["kind"]
        kept = time.between(start - _DID_BEFORE_US, end + _DID_AFTER_US) & ~kind.isin(("service_down", "service_up"))
        downs = mine[(kind == "service_down") & time.between(start, end + SPELL_GAP_US)]
        if len(downs):  # one service goes down and comes back, however often in between
            ups = mine[(kind == "service_up") & (time >= downs["time_us"].iloc[-1])]
            kept |= mine.index.isin([downs.index[0], *ups.index[:1]])
        moves = mine[(kind == "restart") & (time > end)]
        kept |= mine.index.isin(moves.index[:1])
        mine = mine[kept].sort_values("time_us", kind="stable")
        steps = [
            Step((int(t) - start) / 1e6, str(what), str(to), int(beam), str(detail))
            for t, what, to, beam, detail in zip(
                mine["time_us"], mine["kind"], mine["trp"], mine["beam"], mine["detail"], strict=True
            )
        ]
        often = f"{len(downs)} times in all" if len(downs) > 1 else ""
        steps = [replace(s, detail=often) if s.kind == "service_down" else s for s in steps]
        if len(steps) > _STEPS_MOST:  # of a long outage the beginning and the end tell most
            left_out = Step(steps[_STEPS_MOST // 2].after_s, "left_out", "", -1, f"{len(steps) - _STEPS_MOST} more")
            steps = [*steps[: _STEPS_MOST // 2], left_out, *steps[-_STEPS_MOST // 2 :]]
        return tuple(steps)

    def down_spans(self, outage: Outage) -> list[tuple[int, int]]:
        """Return the spans in which the service was down in an outage, (first, last) [us]."""
        e = self.events
        mine = e[(e["device"] == outage.device) & (e["service"] == outage.service) & (e["policy"] == outage.policy)]
        until = outage.end_us + SPELL_GAP_US
        return _spans(mine, "service_down", "service_up", outage.start_us, until, round(self.run.kept_s * 1e6))

    def _cost(self, policy: str, spell: pd.Series) -> Cost:
        end_us = round(self.run.kept_s * 1e6)
        start, end = int(spell["start_us"]), int(spell["end_us"])
        e = self.events[self.events["device"] == spell["device"]]
        service = e[(e["policy"] == policy) & (e["service"] == spell["service"])]
        down = _spans(service, "service_down", "service_up", start, end + SPELL_GAP_US, end_us)
        stops = _spans(e, "protective_stop", "restart", start, end + BEFORE_US, end_us) if policy == self.acting else []
        if not bool(spell["service_down"]):
            down, stops = [], []
        return Cost(
            messages=int(spell["messages"]),
            down_s=sum(b - a for a, b in down) / 1e6,
            stops=len(stops),
            stopped_s=sum(b - a for a, b in stops) / 1e6,
        )

    def _also(self, spell: pd.Series) -> tuple[str, ...]:
        s = self.spells
        same = (s["policy"] == spell["policy"]) & (s["cause"] == spell["cause"]) & (s["trp"] == spell["trp"])
        same &= (s["blocker"] == spell["blocker"]) & (s["device"] != spell["device"])
        same &= (s["start_us"] <= spell["end_us"]) & (s["end_us"] >= spell["start_us"])
        return tuple(dict.fromkeys(str(d) for d in s.loc[same, "device"]))


def _spans(events: pd.DataFrame, begin: str, over: str, first_us: int, last_us: int, end_us: int) -> list[tuple[int, int]]:
    """Spans from one kind of event to another, or to the end of the run, that touch a time; cut off at its beginning."""
    begins = np.sort(events.loc[events["kind"] == begin, "time_us"].to_numpy())
    overs = np.sort(events.loc[events["kind"] == over, "time_us"].to_numpy())
    spans = []
    for t in begins[begins <= last_us]:
        later = overs[overs >= t]
        until = int(later[0]) if len(later) else end_us
        if until > first_us:
            spans.append((max(int(t), first_us), until))
    return spans


def _resolved(service: Mapping[str, Any]) -> Resolved | None:
    try:
        return resolve(ServiceConfig.model_validate(service))
    except ValueError:  # pydantic's errors are such too
        return None


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def standing_between(scenario: Mapping[str, Any], from_m: tuple[float, ...], to_m: tuple[float, ...]) -> tuple[str, ...]:
    """Name the boxes that the straight line between two places (x, y, z) [m] goes through, the last one first."""
    a, b = np.array(from_m, dtype=np.float64), np.array(to_m, dtype=np.float64)
    hit = []
    for box in (scenario.get("hall") or {}).get("boxes") or ():
        yaw = np.deg2rad(float(box.get("yaw_deg", 0.0)))
        turn = np.array([[np.cos(yaw), np.sin(yaw), 0.0], [-np.sin(yaw), np.cos(yaw), 0.0], [0.0, 0.0, 1.0]])
        half = np.array(box["size_m"], dtype=np.float64) / 2.0
        center = np.array([*box["center_m"], half[2]])
        start, way = turn @ (a - center), turn @ (b - a)
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = (-half - start) / way, (half - start) / way
        enter, leave = np.fmax.reduce(np.fmin(low, high)), np.fmin.reduce(np.fmax(low, high))
        if max(enter, 0.0) < min(leave, 1.0):
            hit.append((-enter, str(box["name"])))
    return tuple(name for _, name in sorted(hit))
