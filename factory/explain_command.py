"""``factory-twin explain``: the story of one outage of a run, in words, as JSON, and as one picture."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from factory.errors import UserError
from factory.explain import clock, worst_spell
from factory.explain_run import Facts
from factory.explain_words import tell
from factory.run_folder import Run, write_bytes
from humans.shift_config import seconds_of_day

_DAY_S = 86_400
_SHOWN = 12


def explain_command(
    folder: Path,
    device: str | None = None,
    at: str | None = None,
    service: str | None = None,
    policy: str | None = None,
    plot: Path | None = None,
    json_file: Path | None = None,
) -> str:
    """Tell one outage of a run.

    Parameters
    ----------
    folder : the run folder.
    device, service : whose outage, anybody's when absent.
    at : time as the command line takes it, see :func:`parse_time`; the worst outage when absent.
    policy : under which policy, the acting one when absent.
    plot, json_file : files for the picture (SVG) and the facts, None for none.

    Returns
    -------
    The story.

    Raises
    ------
    UserError
        For a folder that is no run, an unknown device, service or policy, a time that cannot be read or lies outside the run, or
        a file that cannot be written; nothing has been written then.
    """
    if plot is not None and plot.suffix.lower() != ".svg":
        raise UserError(f"--plot {plot}: the picture is an SVG file; give a name that ends in .svg")
    for path in (plot, json_file):
        if path is not None and not path.absolute().parent.is_dir():
            raise UserError(f"{path}: folder {path.absolute().parent} does not exist; make it first or choose another name")
    facts = Facts(Run(folder))
    if not facts.trps or not facts.radio_on:
        raise UserError(f"{folder}: the run had no radio, so nothing was sent and nothing can be explained")
    policy = policy if policy is not None else facts.acting
    _known("policy", policy, facts.policies)
    if service is not None:
        _known("service", service, tuple(facts.services))
    if device is not None:
        _known("device", device, facts.devices)
    at_us = None if at is None else parse_time(at, facts.run.kept_s, _starts_at(facts))
    spells = facts.spells[facts.spells["policy"] == policy]
    asked = spells
    for column, value in (("device", device), ("service", service)):
        if value is not None:
            asked = asked[asked[column] == value]
    if asked.empty:
        return _nothing(facts, spells, policy, device, service)
    spell = worst_spell(asked, policy) if at_us is None else _nearest(asked, at_us)
    assert spell is not None  # there is one at least
    outage = facts.outage(spell)
    causes = facts.causes(policy)
    story = tell(outage, causes, facts.detailed, "video frame" if outage.video else "message")
    away_us = 0 if at_us is None else max(outage.start_us - at_us, at_us - outage.end_us, 0)
    if at_us is not None and away_us > 1_000_000:
        story = f"Nothing was lost at {clock(at_us)}; the nearest outage is {away_us / 1e6:.0f} s away.\n{story}"
    if plot is not None:
        from factory.explain_plot import plot as draw  # matplotlib takes a second to load

        _write(plot, draw(facts, outage))
        story += f"\n\nPicture: {plot}"
    if json_file is not None:
        shares = [
            {"cause": str(r["cause"]), "messages": int(r["messages"]), "share_percent": float(r["share_percent"])}
            for _, r in causes.iterrows()
        ]
        content = dataclasses.asdict(outage) | {"causes_of_the_run": shares}
        _write(json_file, json.dumps(_plain(content), indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    return story


def parse_time(text: str, length_s: float, starts_at_s: int | None = None) -> int:
    """Read a time as HH:MM:SS, MM:SS or seconds, since the start of the run [us].

    Parameters
    ----------
    text : the time; seconds may have a fraction.
    length_s : length of the run [s].
    starts_at_s : time of day at which the shift starts [s], None where the scenario does not say. HH:MM:SS is a time of day then,
        unless that lies outside the run and the time since its start does not.

    Raises
    ------
    UserError
        Where it cannot be read, or lies outside the run.
    """
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)", text.strip())
    if match is None or (match[2] is not None and float(match[3]) >= 60.0) or (match[1] is not None and int(match[2]) >= 60):
        raise UserError(f"--at {text!r} is no time; give HH:MM:SS, MM:SS or seconds since the start, for example 03:12 or 192.5")
    seconds = 3600 * int(match[1] or 0) + 60 * int(match[2] or 0) + float(match[3])
    choices = [seconds]
    if match[1] is not None and starts_at_s is not None:
        choices.insert(0, (seconds - starts_at_s) % _DAY_S)
    for choice in choices:
        if choice <= length_s:
            return round(choice * 1e6)
    day = "" if starts_at_s is None else f", or a time of day from {starts_at_s // 3600:02d}:{starts_at_s // 60 % 60:02d}:00 on"
    last = clock(round(length_s * 1e6))
    raise UserError(f"--at {text} lies outside the run, which is {length_s:g} s long; give 00:00 to {last}{day}")


def _starts_at(facts: Facts) -> int | None:
    shift = (facts.scenario.get("people") or {}).get("shift") or {}
    return round(seconds_of_day(str(shift["starts_at"]))) if shift.get("starts_at") else None


def _known(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        raise UserError(f"--{what} {value}: the run has no such {what}; it has {', '.join(known[:_SHOWN])}{more}")


def _nearest(spells: pd.DataFrame, at_us: int) -> pd.Series:
    """Return the spell at or nearest to a time; of several, the one that lost most."""
    away = (spells["start_us"] - at_us).clip(lower=0) + (at_us - spells["end_us"]).clip(lower=0)
    order = spells.assign(away=away).sort_values(
        ["away", "service_down", "messages", "start_us"], ascending=[True, False, False, True], kind="stable"
    )
    return order.iloc[0]


def _nothing(facts: Facts, spells: pd.DataFrame, policy: str, device: str | None, service: str | None) -> str:
    minutes = f"{facts.run.kept_s / 60:.1f} min"
    if spells.empty:
        text = f"Nothing was lost under {policy} in {minutes}: there is nothing to explain."
        others = [p for p in facts.policies if (facts.spells["policy"] == p).any()]
        return text + (f" Messages were lost under {', '.join(others)} (--policy)." if others else "")
    who = " and ".join(x for x in (device, service) if x)
    lost = sorted({f"{d} ({s})" for d, s in zip(spells["device"], spells["service"], strict=True)})
    shown = ", ".join(lost[:_SHOWN]) + (f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else "")
    return f"{who} lost nothing under {policy} in {minutes}. Those that did: {shown}."


def _plain(value: Any) -> Any:
    """Turn tuples into lists, and NaN and infinity, which JSON does not know, into null."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value


def _write(path: Path, text: str) -> None:
    try:
        write_bytes(path, text.encode())
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); choose another file") from error
