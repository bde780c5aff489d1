"""Says why messages were lost: spells of losses with their cause, tables by cause, blocker, place and role, one-sentence stories.

All of it is read from recorded events and ticks (``docs/run-folder.md``); nothing here runs during a tick. A spell is a run of
lost messages of one device and service under one policy. It is what an observer would call an outage; the service of TS 22.104
counts as down only once a spell outlasts the survival time, which the column ``service_down`` tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

CAUSE_WORDS: dict[str, str] = {
    "body": "a body in the path",
    "interference": "interference from other cells",
    "recovery": "beam recovery or handover under way",
    "no_resources": "no beam time or resource blocks left",
    "adaptation": "modulation chosen too high",
    "static_shadow": "shadow of the hall itself",
    "stale_beam": "beam lags behind the device",
    "decoding": "decoding error at a sufficient signal",
    "late": "arrived after its deadline",
    "trp_down": "transmission point out of service",
}
SPELL_GAP_US = 100_000  # losses closer than this are one spell: a body that crosses a path lets single messages through
_BESIDE_M = 3.0  # a place within this distance of a box is named after it
_AISLE_M = 6.0  # two boxes that close on opposite sides of a place make it an aisle
_SPELL_COLUMNS = (
    "policy",
    "device",
    "service",
    "start_us",
    "end_us",
    "duration_s",
    "messages",
    "cause",
    "blocker",
    "part",
    "role",
    "trp",
    "beam",
    "x_m",
    "y_m",
    "lowest_sinr_db",
    "service_down",
    "place",
)


@dataclass(frozen=True, slots=True)
class Places:
    """Zones and boxes of the hall after which places are named.

    Attributes
    ----------
    names : (N,) names of the boxes.
    center_m, half_m : (N, 2) centres and half sizes on the floor [m].
    yaw_rad : (N,) rotation [rad].
    zones : (Z,) names of the zones.
    zone_m : (Z, 4) least and greatest x, least and greatest y of the zones [m].
    """

    names: tuple[str, ...]
    center_m: npt.NDArray[np.float64]
    half_m: npt.NDArray[np.float64]
    yaw_rad: npt.NDArray[np.float64]
    zones: tuple[str, ...]
    zone_m: npt.NDArray[np.float64]

    @classmethod
    def from_scenario(cls, scenario: Mapping[str, object]) -> Places:
        """Take the zones and boxes of a scenario (``hall.zones``, ``hall.boxes`` without walls)."""
        hall = scenario.get("hall")
        hall = hall if isinstance(hall, Mapping) else {}
        kept = [b for b in (hall.get("boxes") or ()) if b.get("kind") != "wall"]
        zones = hall.get("zones") or ()
        return cls(
            names=tuple(str(b["name"]) for b in kept),
            center_m=np.array([b["center_m"][:2] for b in kept], dtype=np.float64).reshape(-1, 2),
            half_m=np.array([b["size_m"][:2] for b in kept], dtype=np.float64).reshape(-1, 2) / 2.0,
            yaw_rad=np.deg2rad(np.array([b.get("yaw_deg", 0.0) for b in kept], dtype=np.float64)),
            zones=tuple(str(z["name"]) for z in zones),
            zone_m=np.array([[*z["x_m"], *z["y_m"]] for z in zones], dtype=np.float64).reshape(-1, 4),
        )

    def name(self, x_m: float, y_m: float) -> str:
        """Name a place: the first zone that holds it, else "aisle rack-a1 / rack-a2", "beside cell-2", "open floor near cell-2".

        A place that is NaN is an "unknown place".
        """
        if not (np.isfinite(x_m) and np.isfinite(y_m)):
            return "unknown place"
        z = self.zone_m
        held = np.flatnonzero((z[:, 0] <= x_m) & (x_m <= z[:, 1]) & (z[:, 2] <= y_m) & (y_m <= z[:, 3]))
        if len(held):
            return self.zones[int(held[0])]
        if not self.names:
            return "open floor"
        away = np.array([x_m, y_m]) - self.center_m
        cos, sin = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        local = np.stack([cos * away[:, 0] + sin * away[:, 1], -sin * away[:, 0] + cos * away[:, 1]], axis=1)
        gap = local - np.clip(local, -self.half_m, self.half_m)  # from the nearest point of each box to the place
        distance = np.hypot(gap[:, 0], gap[:, 1])
        order = np.argsort(distance, kind="stable")
        nearest = int(order[0])
        if distance[nearest] > 0.0:
            toward = np.stack([cos * gap[:, 0] - sin * gap[:, 1], sin * gap[:, 0] + cos * gap[:, 1]], axis=1)
            for i in order[1:]:
                if distance[i] > _AISLE_M or distance[nearest] > _AISLE_M:
                    break
                # the two boxes lie on opposite sides of the place
                if toward[i] @ toward[nearest] < -0.7 * distance[i] * distance[nearest]:
                    first, second = sorted((self.names[nearest], self.names[int(i)]))
                    return f"aisle {first} / {second}"
        return f"{'beside' if distance[nearest] <= _BESIDE_M else 'open floor near'} {self.names[nearest]}"

    def names_of(self, xy_m: npt.NDArray[np.float64]) -> list[str]:
        """Name (n, 2) places [m], each rounded to a quarter of a metre, so that a long list needs few names."""
        known: dict[tuple[float, float], str] = {}
        out = []
        for x, y in np.round(xy_m * 4.0) / 4.0:
            if (x, y) not in known:
                known[x, y] = self.name(x, y)
            out.append(known[x, y])
        return out


def _words(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Copy with categories as plain words, so that grouping never invents combinations that did not happen."""
    out = frame.copy()
    for name in columns:
        out[name] = out[name].astype(object)
    return out


def _most_frequent(frame: pd.DataFrame, column: str) -> pd.Series:
    """Most frequent non-empty word of ``column`` in every spell, the first in the alphabet when equal, "" where none."""
    held = frame[frame[column] != ""]
    count = held.groupby(["spell", column], sort=True).size().rename("n").reset_index()
    best = count.sort_values(["spell", "n", column], ascending=[True, False, True], kind="stable").drop_duplicates("spell")
    return best.set_index("spell")[column]


def find_spells(
    events: pd.DataFrame, places: Places | None = None, intervals_us: Mapping[str, int] | None = None
) -> pd.DataFrame:
    """Group lost messages into spells.

    Parameters
    ----------
    events : events of a run, as `factory.run_folder.Run.events` gives them.
    places : boxes after which places are named; without them every place is the open floor.
    intervals_us : transfer interval of each service [us]; a service whose interval exceeds `SPELL_GAP_US` needs it so that its
        consecutive messages still count as neighbours (joined up to 1.5 intervals).

    Returns
    -------
    One row per spell in order of policy and start: policy, device, service, start_us, end_us, duration_s (first to last loss plus
    one transfer interval where it is known), messages, cause (of most messages), blocker, part, role (of most messages of that
    cause), trp, beam, x_m, y_m (of the first loss), lowest_sinr_db, service_down (the survival time was exceeded), place.
    """
    words = ("kind", "device", "service", "policy", "cause", "blocker", "part", "role", "trp")
    lost = events[events["kind"] == "packet_lost"]
    if lost.empty:
        return pd.DataFrame(columns=list(_SPELL_COLUMNS))
    lost = _words(lost, words).sort_values(["policy", "device", "service", "time_us"], kind="stable", ignore_index=True)
    interval = lost["service"].map(dict(intervals_us or {})).fillna(0).to_numpy(dtype=np.int64)
    same = np.ones(len(lost), dtype=bool)
    for name in ("policy", "device", "service"):
        column = lost[name].to_numpy()
        same[1:] &= column[1:] == column[:-1]
    time = lost["time_us"].to_numpy()
    near = np.diff(time, prepend=time[0]) <= np.maximum(SPELL_GAP_US, interval * 3 // 2)
    start = ~(same & near)
    start[0] = True
    lost["spell"] = np.cumsum(start) - 1
    lost["interval_us"] = interval
    group = lost.groupby("spell", sort=True)
    spells = group.agg(
        policy=("policy", "first"),
        device=("device", "first"),
        service=("service", "first"),
        start_us=("time_us", "min"),
        end_us=("time_us", "max"),
        messages=("time_us", "size"),
        trp=("trp", "first"),
        beam=("beam", "first"),
        x_m=("x_m", "first"),
        y_m=("y_m", "first"),
        lowest_sinr_db=("sinr_db", "min"),
        interval_us=("interval_us", "first"),
    )
    spells["duration_s"] = (spells["end_us"] - spells["start_us"] + spells["interval_us"]) / 1e6
    spells["cause"] = _most_frequent(lost, "cause").reindex(spells.index).fillna("")
    of_cause = lost[lost["cause"].to_numpy() == spells["cause"].to_numpy()[lost["spell"].to_numpy()]]
    spells["blocker"] = _most_frequent(of_cause, "blocker").reindex(spells.index).fillna("")
    of_blocker = of_cause[of_cause["blocker"].to_numpy() == spells["blocker"].to_numpy()[of_cause["spell"].to_numpy()]]
    for name in ("part", "role"):
        spells[name] = _most_frequent(of_blocker, name).reindex(spells.index).fillna("")
    spells["service_down"] = _service_down(events, spells)
    at = places if places is not None else Places.from_scenario({})
    spells["place"] = at.names_of(spells[["x_m", "y_m"]].to_numpy(dtype=np.float64))
    spells = spells.sort_values(["policy", "start_us", "device", "service"], kind="stable", ignore_index=True)
    return spells[list(_SPELL_COLUMNS)]


def _service_down(events: pd.DataFrame, spells: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Tell which spells saw the service go down: a "service_down" of the same device, service and policy while they lasted."""
    down = events[events["kind"] == "service_down"]
    out = np.zeros(len(spells), dtype=bool)
    at: dict[tuple[str, str, str], npt.NDArray[np.int64]] = {
        (str(p), str(d), str(s)): np.sort(rows["time_us"].to_numpy())
        for (p, d, s), rows in down.groupby(["policy", "device", "service"], observed=True)
    }
    columns = (spells[c] for c in ("policy", "device", "service", "start_us", "end_us"))
    for i, (policy, device, service, start, end) in enumerate(zip(*columns, strict=True)):
        times = at.get((policy, device, service))
        if times is not None:
            # the service is declared down up to one survival time after the last loss; within the gap it is the same spell
            out[i] = np.searchsorted(times, start) < np.searchsorted(times, end + SPELL_GAP_US, side="right")
    return out


def outages_by_cause(spells: pd.DataFrame, policy: str, events: pd.DataFrame | None = None) -> pd.DataFrame:
    """Table of losses by cause for one policy.

    Parameters
    ----------
    spells : what `find_spells` gave.
    policy : the policy.
    events : events of the run; with them messages are counted by their own cause, without by the cause of their spell.

    Returns
    -------
    cause, messages, share_percent (sums to 100), spells, seconds, service_downs; most messages first.
    """
    mine = spells[spells["policy"] == policy]
    table = _grouped(mine, "cause")
    if events is not None and not mine.empty:
        lost = events[(events["kind"] == "packet_lost") & (events["policy"] == policy)]
        table = table.drop(columns="messages").merge(
            lost["cause"].astype(object).value_counts().rename("messages").rename_axis("cause").reset_index(),
            on="cause",
            how="outer",
        )
        table[["spells", "service_downs"]] = table[["spells", "service_downs"]].fillna(0).astype(np.int64)
        table["seconds"] = table["seconds"].fillna(0.0)
        table = _with_shares(table, "cause")
    return table


def _grouped(spells: pd.DataFrame, column: str) -> pd.DataFrame:
    table = (
        spells.groupby(column, sort=True, observed=True)
        .agg(
            messages=("messages", "sum"),
            spells=("messages", "size"),
            seconds=("duration_s", "sum"),
            service_downs=("service_down", "sum"),
        )
        .reset_index()
    )
    return _with_shares(table, column)


def _with_shares(table: pd.DataFrame, column: str) -> pd.DataFrame:
    total = table["messages"].sum()
    table["share_percent"] = rounded_shares(table["messages"].to_numpy(dtype=np.float64)) if total else 0.0
    table = table.sort_values(["messages", column], ascending=[False, True], kind="stable", ignore_index=True)
    return table[[column, "messages", "share_percent", "spells", "seconds", "service_downs"]]


def rounded_shares(amounts: npt.NDArray[np.float64], digits: int = 1) -> npt.NDArray[np.float64]:
    """Percentages rounded so that they still sum to 100: the largest remainders are rounded up (Hamilton's method).

    Parameters
    ----------
    amounts : (n,) amounts, none negative, not all zero.
    digits : digits after the point.

    Returns
    -------
    (n,) percentages.
    """
    unit = 10**digits
    exact = np.asarray(amounts, dtype=np.float64) / np.sum(amounts) * 100 * unit
    down = np.floor(exact)
    missing = round(100 * unit - down.sum())
    down[np.argsort(-(exact - down), kind="stable")[:missing]] += 1
    return np.asarray(down / unit)


def worst_blockers(spells: pd.DataFrame, policy: str, most: int = 10) -> pd.DataFrame:
    """Table of the blockers that cost most messages: blocker, messages, share_percent, spells, seconds, service_downs."""
    return _grouped(spells[(spells["policy"] == policy) & (spells["blocker"] != "")], "blocker").head(most)


def by_place(spells: pd.DataFrame, policy: str) -> pd.DataFrame:
    """Table of losses by place (see `Places.name`), columns as in `outages_by_cause`."""
    return _grouped(spells[spells["policy"] == policy], "place")


def by_role(spells: pd.DataFrame, policy: str) -> pd.DataFrame:
    """Table of losses by the role of the blocker, columns as in `outages_by_cause`; spells without a blocker are left out."""
    return _grouped(spells[(spells["policy"] == policy) & (spells["role"] != "")], "role")


def by_hour(spells: pd.DataFrame, policy: str) -> pd.DataFrame:
    """Table of losses by hour of the run (1 is the first), columns as in `outages_by_cause`, in order of time."""
    mine = spells[spells["policy"] == policy].copy()
    mine["hour"] = mine["start_us"].astype(np.int64) // 3_600_000_000 + 1
    return _grouped(mine, "hour").sort_values("hour", ignore_index=True)


def worst_spell(spells: pd.DataFrame, policy: str) -> pd.Series | None:
    """Return the spell that put a service down and lasted longest, else the longest, None where nothing was lost."""
    mine = spells[spells["policy"] == policy]
    if mine.empty:
        return None
    order = ["service_down", "duration_s", "messages", "start_us"]
    return mine.sort_values(order, ascending=[False, False, False, True], kind="stable").iloc[0]


def clock(time_us: int) -> str:
    """Time since the start of the run: "03:12.4", from an hour on "1:03:12.4"."""
    tenths = int(time_us) // 100_000
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes:02d}:{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{text}" if hours else text


def story(spell: pd.Series, ticks: pd.DataFrame | None = None, events: pd.DataFrame | None = None, noun: str = "message") -> str:
    """Tell one spell in a sentence.

    Parameters
    ----------
    spell : a row of `find_spells`.
    ticks : ticks of the acting policy around the spell; from them the body loss is quoted.
    events : events of the run; from them the beam switch that ended the spell is quoted.
    noun : what the service sends, in the singular, for example "video frame".
    """
    count = int(spell["messages"])
    seconds = float(spell["duration_s"])
    took = f" over {_seconds(seconds)}" if seconds > 0 else ""
    sent = f"{noun}{'' if count == 1 else 's'} of {spell['service']}"
    what = f"At {clock(spell['start_us'])} {spell['device']} lost {count} {sent}{took} ({spell['place']})"
    radio = f"TRP {spell['trp']}" + (f" beam {int(spell['beam'])}" if spell["beam"] >= 0 else "") if spell["trp"] else "its TRP"
    loss_db = _body_loss_db(spell, ticks)
    cost = f" (-{loss_db:.1f} dB)" if loss_db is not None else ""
    who = f"{spell['blocker']}'s {spell['part']}" if spell["part"] else str(spell["blocker"])
    sinr = f" at {spell['lowest_sinr_db']:.1f} dB SINR" if np.isfinite(spell["lowest_sinr_db"]) else ""
    in_path = f"{who} was in the path of {radio}{cost}" if spell["blocker"] else ""
    why = {
        "body": in_path or f"a body was in the path of {radio}{cost}",
        "interference": f"other cells drowned {radio}{sinr}",
        "recovery": f"the device was recovering its beam or changing its TRP (last {radio})"
        + (f" after {in_path}" if in_path else ""),
        "no_resources": f"{radio} had no beam time or resource blocks left" + (f" while {in_path}" if in_path else ""),
        "adaptation": f"the modulation was chosen too high for what {radio} delivered{sinr}",
        "static_shadow": f"the place itself is in the shadow of {radio}, whoever walks there",
        "decoding": f"decoding failed{sinr} although the signal of {radio} was sufficient",
        "late": f"the messages came through {radio} after their deadline",
    }.get(str(spell["cause"]), f"cause {spell['cause'] or 'unknown'}, {radio}{sinr}")
    return f"{what}: {why}{_ending(spell, events)}."


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.095 else f"{1000 * seconds:.0f} ms"


def _body_loss_db(spell: pd.Series, ticks: pd.DataFrame | None) -> float | None:
    """Largest recorded body loss of the device during the spell, one recording period to either side."""
    if ticks is None or ticks.empty:
        return None
    near = ticks["time_us"].between(spell["start_us"] - 100_000, spell["end_us"] + 100_000) & (ticks["device"] == spell["device"])
    loss_db = ticks.loc[near, "body_loss_db"].max()
    return float(loss_db) if np.isfinite(loss_db) and loss_db >= 0.5 else None


def _ending(spell: pd.Series, events: pd.DataFrame | None) -> str:
    """Say whether the service went down, and the beam switch with which the policy ended it."""
    text = "; the service was down" if spell["service_down"] else ""
    if events is None:
        return text
    after = events[
        (events["kind"] == "beam_switch")
        & (events["device"] == spell["device"])
        & (events["policy"] == spell["policy"])
        & events["time_us"].between(spell["start_us"], spell["end_us"] + 500_000)
    ]
    if after.empty:
        return text
    last = after.iloc[-1]
    waited = (int(last["time_us"]) - int(spell["start_us"])) / 1e6
    return f"{text}; {spell['policy']} moved to {last['trp']} beam {int(last['beam'])} {_seconds(waited)} after the first loss"
